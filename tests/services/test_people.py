"""What records say about a customer's people, one after the other, and what becomes of what was addressed to them."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from dunwell.client.registration import Registered, Registrar
from dunwell.domain.contact import Contact
from dunwell.domain.invoice import Invoice
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import Role, Stage
from dunwell.intake.invoices import Refusal, read_content
from dunwell.store import cases, contacts, invoices, timeline
from dunwell.store.database import Database
from tests.builders import a_contact, a_customer, an_invoice, at, sample_deps, the_ladders
from tests.intake.builders import csv_cells, csv_text, record

AP, USER, OURS = Role.ACCOUNTS_PAYABLE, Role.USER, Role.ACCOUNT_MANAGER
NOW, LATER = at("2027-02-20 12:00"), at("2027-02-21 12:00")
ADA = a_contact(AP, name="Ada Lind", email="ada@acme.example")
BOB = a_contact(AP, 2, name="Bob Moss", email="bob@acme.example")
SILENT: Sequence[Contact] | None = None


def bill(invoice_id: str, people: Sequence[Contact] | None, **changes: Any) -> Invoice:
    """An invoice whose record names `people`; None says nothing."""
    customer = a_customer(contacts=tuple(people or ()), **changes.pop("customer", {}))
    return an_invoice(invoice_id=invoice_id, customer=customer, names_contacts=people is not None, **changes)


def register(database: Database, *bills: Invoice, now: Any = NOW) -> list[Registered]:
    found = Registrar(sample_deps(database), the_ladders()).register_all(bills, now)
    refused = [one for one in found if isinstance(one, Refused)]
    assert not refused
    return [one for one in found if isinstance(one, Registered)]


def asked(database: Database, invoice_id: str) -> list[str]:
    with database.reading() as session:
        return [one.name for one in contacts.for_invoice(session, invoice_id)]


def told(database: Database, invoice_id: str) -> list[str]:
    with database.reading() as session:
        return [entry.reason for _, entry in timeline.read(session, invoice_id) if entry.kind == "contacts"]


def end(database: Database, invoice_id: str) -> None:
    with database.writing() as session:
        case = cases.get(session, invoice_id)
        assert case is not None
        case.ended, case.next_action = Stage.CANCELLED, None
        cases.put(session, case, rehearsal=False, now=NOW)


def test_b1_whom_the_newest_record_does_not_name_is_written_to_no_more(database: Database) -> None:
    register(database, bill("a", [ADA, BOB]))
    assert asked(database, "a") == ["Ada Lind", "Bob Moss"]
    (again,) = register(database, bill("a", [ADA]), now=LATER)
    assert asked(database, "a") == ["Ada Lind"]
    assert told(database, "a") == [
        "accounts_payable (acme.accounts_payable.2): is not written to any more, by its record"
    ]
    assert [str(change) for change in again.changes] == [
        "acme, accounts_payable Bob Moss: is not written to any more"
    ]


def test_b1_if_the_first_of_two_goes_the_other_stays_the_same_contact(database: Database) -> None:
    register(database, bill("a", [ADA, BOB]))
    register(database, bill("a", [BOB.model_copy(update={"contact_id": "acme.accounts_payable.1"})]), now=LATER)
    with database.reading() as session:
        people = contacts.for_invoice(session, "a")
        everybody = contacts.people(session, ["acme"])["acme"]
    assert [(one.contact_id, one.name) for one in people] == [("acme.accounts_payable.2", "Bob Moss")]
    assert {one.contact.name: one.retired_at for one in everybody} == {"Ada Lind": LATER, "Bob Moss": None}


def test_b1_the_order_of_a_record_changes_nobody(database: Database) -> None:
    register(database, bill("a", [ADA, BOB]))
    turned = [
        BOB.model_copy(update={"contact_id": ADA.contact_id}),
        ADA.model_copy(update={"contact_id": BOB.contact_id}),
    ]
    (again,) = register(database, bill("a", turned), now=LATER)
    with database.reading() as session:
        assert {one.contact_id: one.email for one in contacts.for_invoice(session, "a")} == {
            "acme.accounts_payable.1": "ada@acme.example",
            "acme.accounts_payable.2": "bob@acme.example",
        }
    assert (told(database, "a"), again.changes) == ([], ())


def test_b1_a_record_without_contacts_says_nothing_and_an_empty_list_says_none(database: Database) -> None:
    register(database, bill("a", [ADA, BOB]))
    register(database, bill("a", SILENT), now=LATER)
    assert asked(database, "a") == ["Ada Lind", "Bob Moss"]
    register(database, bill("a", []), now=LATER)
    assert asked(database, "a") == []
    assert len(told(database, "a")) == 2
    register(database, bill("a", [BOB]), now=LATER)  # who is named again is the same as before
    with database.reading() as session:
        assert [one.contact_id for one in contacts.for_invoice(session, "a")] == ["acme.accounts_payable.2"]


def test_b1_an_invoice_whose_record_says_nothing_follows_the_others(database: Database) -> None:
    register(database, bill("a", [ADA, BOB]), bill("b", SILENT))
    assert asked(database, "b") == ["Ada Lind", "Bob Moss"]
    register(database, bill("a", [BOB]), now=LATER)
    assert asked(database, "b") == ["Bob Moss"]
    assert len(told(database, "b")) == 1


def test_b1_who_is_named_by_another_open_invoice_stays(database: Database) -> None:
    register(database, bill("a", [ADA, BOB]), bill("b", [BOB]))
    register(database, bill("a", [ADA]), now=LATER)
    assert (asked(database, "a"), asked(database, "b")) == (["Ada Lind"], ["Bob Moss"])
    end(database, "b")
    register(database, bill("a", [ADA]), now=LATER)
    with database.reading() as session:
        standing = {one.contact.name: one.open for one in contacts.people(session, ["acme"])["acme"]}
    assert standing == {"Ada Lind": True, "Bob Moss": False}


def test_b1_the_record_of_an_ended_invoice_brings_nobody_back(database: Database) -> None:
    register(database, bill("old", [ADA, BOB]), bill("a", [ADA, BOB]))
    end(database, "old")
    register(database, bill("a", [ADA]), now=LATER)
    register(database, bill("old", [ADA, BOB]), now=LATER)
    assert asked(database, "a") == ["Ada Lind"]


@pytest.mark.parametrize("people", [SILENT, []], ids=["says nothing", "says none"])
def test_b1_a_new_invoice_of_a_stranger_needs_somebody_to_ask(database: Database, people: Sequence[Contact]) -> None:
    (found,) = Registrar(sample_deps(database), the_ladders()).register_all([bill("a", people)], NOW)
    assert isinstance(found, Refused) and found.field == "customer.contacts" and "nobody to ask" in found.reason
    with database.reading() as session:
        assert invoices.get_row(session, "a") is None


def test_b2_two_invoices_of_one_customer_each_have_the_people_of_their_record(database: Database) -> None:
    alpha, beta = (
        [a_contact(AP, name="Alpha", email="alpha@acme.example")],
        [a_contact(AP, name="Beta", email="beta@acme.example")],
    )
    register(database, bill("a", alpha), bill("b", beta))
    assert (asked(database, "a"), asked(database, "b")) == (["Alpha"], ["Beta"])
    with database.reading() as session:
        ids = {one.contact_id for name in "ab" for one in contacts.for_invoice(session, name)}
    assert ids == {"acme.accounts_payable.1", "acme.accounts_payable.2"}


def test_b2_contacts_of_this_invoice_alone_stand_before_the_customers_of_their_role(database: Database) -> None:
    lead = a_contact(AP, name="Lead", email="lead@acme.example", contact_id="acme.accounts_payable.9")
    user = a_contact(USER, name="Uma")
    register(database, bill("a", [ADA, user], contacts=(lead,)), bill("b", [ADA, user]), bill("c", SILENT))
    assert sorted(asked(database, "a")) == ["Lead", "Uma"]
    assert asked(database, "b") == ["Ada Lind", "Uma"]
    assert asked(database, "c") == ["Ada Lind", "Uma"]
    register(database, bill("a", [ADA, user]), now=LATER)  # says nothing of its own people
    assert sorted(asked(database, "a")) == ["Lead", "Uma"]
    register(database, bill("a", [ADA, user], contacts=()), now=LATER)
    assert asked(database, "a") == ["Ada Lind", "Uma"]


def read(*records: dict[str, Any]) -> tuple[list[Invoice], list[Refusal]]:
    text = "\n".join(json.dumps(one) for one in records)
    found = read_content(text.encode(), "i.jsonl")
    return list(found.invoices), list(found.refusals)


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"customer__name": "Beta AG"}, "customer.name"), ({"customer__country": "AT"}, "customer.country")],
)
def test_b2_another_name_or_country_in_the_same_file_is_refused_with_both_lines(
    changes: dict[str, Any], field: str
) -> None:
    good, refused = read(
        record(invoice_id="INV-1"),
        record(invoice_id="INV-2", customer__id="C-2"),
        record(invoice_id="INV-3", **changes),
    )
    assert [one.invoice_id for one in good] == ["INV-2"]
    (refusal,) = refused
    assert (refusal.where, refusal.field, refusal.also) == ("line 1", field, ("line 3",))
    assert "on line 1, " in refusal.reason
    assert "on line 3)" in refusal.reason


def test_b2_spelling_and_other_people_are_no_other_customer() -> None:
    people = [{"role": "user", "name": "Uma", "email": "uma@lindenhof.example"}]
    good, refused = read(
        record(invoice_id="INV-1"),
        record(invoice_id="INV-2", customer__name="LINDENHOF  Maschinenbau GmbH", customer__contacts=people),
    )
    assert (len(good), refused) == (2, [])


def test_b2_in_csv_the_column_is_named() -> None:
    cells = [csv_cells(record(invoice_id="INV-1")), csv_cells(record(invoice_id="INV-2", customer__name="Beta"))]
    (refusal,) = read_content(csv_text(*cells).encode(), "i.csv").refusals
    assert (refusal.where, refusal.field, refusal.also) == ("line 2", "customer_name", ("line 3",))


def test_b1_what_a_csv_file_says_about_contacts() -> None:
    cells = csv_cells(record())
    plain = {
        name: cell for name, cell in cells.items() if not name.startswith(("accounts_payable", "account_manager"))
    }
    blank = {name: cell if name in plain else "" for name, cell in cells.items()}
    (nothing,) = read_content(csv_text(plain).encode(), "i.csv").invoices
    (none,) = read_content(csv_text(blank).encode(), "i.csv").invoices
    assert not nothing.names_contacts
    assert (none.names_contacts, none.customer.contacts) == (True, ())
