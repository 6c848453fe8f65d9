"""Corrections by hand, contacts closed and opened, and customers who rest: what a person says beside the records."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dunwell.client.customers import Customers
from dunwell.client.registration import Registrar
from dunwell.domain.channels import Channel
from dunwell.domain.clock import Clock
from dunwell.domain.closed_addresses import STOPPED
from dunwell.domain.invoice import Invoice
from dunwell.domain.principals import SYSTEM
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import DebtorKind, Role, Stage
from dunwell.services.submissions import AlreadyDone, Submission
from dunwell.store import addresses, cases, contacts, customer_pauses, invoices, tasks, timeline
from dunwell.store.database import Database
from dunwell.store.tables import TaskRow
from dunwell.views.customer import customer_facts
from dunwell.views.work_list import open_work
from tests.builders import a_contact, a_customer, an_invoice, sample_deps, the_ladders
from tests.services.test_people import ADA, AP, BOB, LATER, NOW, asked, bill, register

OLD, NEW, NEWEST = "ada@acme.example", "ada.lind@acme.example", "a.lind@acme.example"
ADA_ID = "acme.accounts_payable.1"


def customers(database: Database) -> Customers:
    return Customers(sample_deps(database))


def with_email(email: str) -> Invoice:
    return bill("a", [ADA.model_copy(update={"email": email}), BOB])


def email_of(database: Database, contact_id: str = ADA_ID) -> str | None:
    with database.reading() as session:
        found = contacts.get(session, contact_id)
        return found.email if found else None


def language(database: Database) -> str:
    with database.reading() as session:
        return invoices.customer_row(session, "acme").language


def lines(database: Database, invoice_id: str = "a", kind: str = "contacts") -> list[str]:
    with database.reading() as session:
        return [entry.reason for _, entry in timeline.read(session, invoice_id) if entry.kind == kind]


# Records that say something else -----------------------------------------------------------------------------


def test_b6_what_a_record_changes_is_told_in_the_summary_and_the_timeline(database: Database) -> None:
    register(database, with_email(OLD))
    changed = bill("a", [ADA.model_copy(update={"email": NEW}), BOB], customer={"language": "es", "name": "Acme AG"})
    (again,) = register(database, changed, now=LATER)
    assert sorted(map(str, again.changes)) == [
        f"acme, accounts_payable Ada Lind: e-mail changed from {OLD} to {NEW}",
        "acme: language changed from en to es",
        "acme: name changed from Acme GmbH to Acme AG",
    ]
    told = lines(database)
    assert sorted(told) == [
        f"accounts_payable ({ADA_ID}): e-mail changed, by its record",
        "the customer: language changed from en to es, by its record",
        "the customer: name changed, by its record",
    ]
    assert not any(private in line for line in told for private in (OLD, NEW, "Acme AG", "Ada"))  # G8
    (same,) = register(database, changed, now=LATER)
    assert same.changes == ()


def test_b6_a_correction_stands_until_the_record_says_something_new(database: Database) -> None:
    register(database, with_email(OLD))
    done = customers(database).set_contact(ADA_ID, {"email": NEW}, "agent-7")
    assert done.said == (f"acme, accounts_payable Ada Lind: e-mail changed from {OLD} to {NEW}",)
    register(database, with_email(OLD), now=LATER)  # an old export does not undo it
    assert email_of(database) == NEW
    assert lines(database) == [f"accounts_payable ({ADA_ID}): e-mail changed, by agent-7"]
    (again,) = register(database, with_email(NEWEST), now=LATER)
    assert email_of(database) == NEWEST
    assert "overtakes a correction by agent-7" in str(again.changes[0])
    register(database, with_email(OLD), now=LATER)  # from here on the records count
    assert email_of(database) == OLD


def test_b6_a_corrected_name_does_not_make_somebody_else_of_a_contact(database: Database) -> None:
    register(database, with_email(OLD))
    customers(database).set_contact(ADA_ID, {"name": "Ada Berg", "email": NEW}, "agent-7")
    register(database, with_email(OLD), now=LATER)
    with database.reading() as session:
        assert [(one.contact_id, one.name) for one in contacts.for_invoice(session, "a")] == [
            (ADA_ID, "Ada Berg"),
            ("acme.accounts_payable.2", "Bob Moss"),
        ]


def test_b6_a_correction_that_is_taken_back_is_none(database: Database) -> None:
    register(database, with_email(OLD))
    for email in (NEW, OLD):
        customers(database).set_contact(ADA_ID, {"email": email}, "agent-7")
    register(database, with_email(NEWEST), now=LATER)
    assert email_of(database) == NEWEST
    with database.reading() as session:
        assert contacts.corrections(session, ["acme"]) == []


@pytest.mark.parametrize("said", ["en", "und"])
def test_b6_a_customers_language_is_corrected_in_the_same_way(database: Database, said: str) -> None:
    register(database, bill("a", [ADA]))
    customers(database).set_customer("acme", {"language": "es"}, "agent-7")
    register(database, bill("a", [ADA], customer={"language": said}), now=LATER)
    assert language(database) == "es"
    register(database, bill("a", [ADA], customer={"language": "it"}), now=LATER)
    assert language(database) == "it"


@pytest.mark.parametrize(
    ("act", "field"),
    [
        (lambda all_: all_.set_contact("acme.user.9", {"email": NEW}, "agent-7"), "contact"),
        (lambda all_: all_.set_customer("beta", {"language": "es"}, "agent-7"), "customer"),
        (lambda all_: all_.set_contact(ADA_ID, {"email": "not an address"}, "agent-7"), "email"),
        (lambda all_: all_.set_contact(ADA_ID, {"role": "user"}, "agent-7"), "role"),
        (lambda all_: all_.set_contact(ADA_ID, {}, "agent-7"), "message"),
        (lambda all_: all_.set_customer("acme", {"time_zone": "Mars/Base"}, "agent-7"), "time_zone"),
        (lambda all_: all_.set_contact(ADA_ID, {"email": NEW}, "0171 2345678"), "by"),
        (lambda all_: all_.add_contact("acme", "boss", {"name": "B", "email": NEW}, "agent-7"), "role"),
        (lambda all_: all_.add_contact("acme", "user", {"name": "B"}, "agent-7"), "email"),
        (lambda all_: all_.pause("acme", "illness", "agent-7", "2020-01-01"), "until"),
        (lambda all_: all_.pause("beta", "illness", "agent-7"), "customer"),
        (lambda all_: all_.resume("acme", "agent-7"), "pause"),
    ],
)
def test_b6_what_cannot_be_is_refused_and_changes_nothing(database: Database, act: Any, field: str) -> None:
    register(database, with_email(OLD))
    with pytest.raises(Refused) as refused:
        act(customers(database))
    assert refused.value.field == field
    assert (email_of(database), language(database), lines(database)) == (OLD, "en", [])


# Standing ----------------------------------------------------------------------------------------------------


def test_b1_a_contact_that_one_of_us_closed_stays_closed_whatever_records_say(database: Database) -> None:
    register(database, with_email(OLD))
    customers(database).close_contact("acme.accounts_payable.2", "left", "agent-7")
    register(database, with_email(OLD), now=LATER)
    assert asked(database, "a") == ["Ada Lind"]
    customers(database).open_contact("acme.accounts_payable.2", "agent-7")
    assert asked(database, "a") == ["Ada Lind", "Bob Moss"]
    assert [line.partition(": ")[2] for line in lines(database)] == [
        "is not written to any more, by agent-7",
        "is written to again, by agent-7",
    ]


def test_who_left_is_written_to_in_no_role(database: Database) -> None:
    """One person with one mailbox in two roles; a colleague shares the mailbox, and another firm has it as well."""
    eva = a_contact(number=1, name="Eva Roth", email="eva@acme.example")
    user = a_contact(Role.USER, name="eva  ROTH", email="Eva@acme.example")
    colleague = a_contact(Role.MANAGER, name="Max", email="eva@acme.example")
    register(database, bill("a", [eva, user]), bill("b", [colleague]))
    said = customers(database).close_contact("acme.accounts_payable.1", "left", "agent-7").said
    assert said == (
        "acme, accounts_payable Eva Roth: is not written to any more",
        "acme, user eva  ROTH: is not written to any more",
        "acme.manager.1 is still written to at the same address: starter.py contact close acme.manager.1",
        "the cases are told of: a, b",
    )
    executive = a_contact(Role.EXECUTIVE, name="Eva Roth", email="eva@acme.example")
    [one] = register(database, bill("c", [eva, executive]), now=LATER)
    assert [str(change) for change in one.changes] == [
        "acme, executive Eva Roth: is not written to: one of us closed this person in another role "
        "(starter.py contact open)"
    ]
    assert asked(database, "c") == []


def test_b1_whom_one_of_us_added_stays_although_no_record_names_them(database: Database) -> None:
    register(database, bill("a", [ADA]))
    customers(database).add_contact("acme", "user", {"name": "Uma", "email": "uma@acme.example"}, "agent-7")
    register(database, bill("a", [ADA]), bill("b", [ADA]), now=LATER)
    assert sorted(asked(database, "b")) == ["Ada Lind", "Uma"]


def test_b1_who_is_opened_again_is_reached_where_mail_bounced_but_not_after_stop(database: Database) -> None:
    register(database, bill("a", [ADA.model_copy(update={"phone": "+4915112345678"})]))
    with database.writing("acme") as session:
        addresses.close(session, Channel.EMAIL, OLD.upper(), "bounced", NOW)
        addresses.close(session, Channel.SMS, "+4915112345678", STOPPED, NOW)
    said = customers(database).open_contact(ADA_ID, "agent-7").said
    assert said == (
        f"{ADA_ID}: email is open again (it was closed: bounced)",
        f"{ADA_ID}: sms stays closed, because its owner said STOP",
    )
    with database.reading() as session:
        assert addresses.why_closed(session, Channel.EMAIL, OLD) is None
        assert addresses.why_closed(session, Channel.SMS, "+4915112345678") == "stopped"


# Rest --------------------------------------------------------------------------------------------------------


def test_b11_a_customer_rests_with_all_open_invoices_and_those_still_to_come(database: Database) -> None:
    register(database, bill("a", [ADA]), bill("b", [ADA]))
    done = customers(database).pause("acme", "insolvency", "agent-7")
    assert (done.event, done.invoices) == ("pause", ("a", "b"))
    assert done.content == {"reason": "insolvency", "by": "agent-7", "scope": "customer"}
    register(database, bill("c", [ADA]), now=LATER)
    with database.reading() as session:
        case = cases.get(session, "c")
        assert case is not None
        assert (case.stage, case.next_action) == (Stage.PAUSED, None)
    assert lines(database, "c", "paused") == ["the whole customer, by agent-7 until somebody resumes: insolvency"]
    with database.writing() as session:
        customer_pauses.end(session, "acme")  # lost in a restore: it is left in the cases
    assert customers(database).resume("acme", "agent-7").invoices == ("a", "b", "c")
    register(database, bill("d", [ADA]), now=LATER)
    with database.reading() as session:
        later = cases.get(session, "d")
        assert later is not None and later.stage is Stage.SCHEDULED


def test_b11_without_an_end_a_person_is_asked_once_for_the_customer(database: Database) -> None:
    register(database, bill("a", [ADA]), bill("b", [ADA]))
    customers(database).pause("acme", "illness", "agent-7")
    register(database, bill("c", [ADA]), now=LATER)
    with database.reading() as session:
        (task,) = tasks.open_tasks(session)
    assert task.outlives_case
    assert 0 < (task.due_at - task.due_at.now(task.due_at.tzinfo)).days <= 31
    assert "starter.py resume --customer acme" in task.reason
    customers(database).pause("acme", "illness", "agent-7", "2099-01-01")  # now it has one
    with database.reading() as session:
        assert tasks.open_tasks(session) == []


# Reading -----------------------------------------------------------------------------------------------------


def test_b1_who_is_told_nothing_of_a_private_persons_debts_is_about_none(database: Database) -> None:
    boss = a_contact(role=Role.MANAGER)
    customer = a_customer(kind=DebtorKind.CONSUMER, contacts=(ADA, boss))
    register(database, bill("a", [ADA]).model_copy(update={"customer": customer}))
    with database.reading() as session:
        shown = customer_facts(session, "acme")
    assert [one["contacts"] for one in shown["invoices"]] == [[ADA_ID]]
    assert {one["role"]: one["invoices"] for one in shown["contacts"]} == {"accounts_payable": ["a"], "manager": []}


def test_b1_a_customer_is_shown_whole(database: Database) -> None:
    register(database, with_email(OLD), bill("b", [BOB]))
    register(database, with_email(OLD).model_copy(update={"customer": a_customer(contacts=(ADA,))}), now=LATER)
    customers(database).set_contact(ADA_ID, {"email": NEW}, "agent-7")
    customers(database).close_contact("acme.accounts_payable.2", "left", "agent-7")
    customers(database).pause("acme", "talks", "agent-7", "2099-01-01")
    with database.reading() as session:
        shown = customer_facts(session, "acme")
    assert (shown["name"], shown["language"], shown["rehearsal"], shown["access"]) == (
        "Acme GmbH",
        "en",
        False,
        "full",
    )
    assert shown["pause"]["reason"] == "talks"
    assert {one["contact_id"]: (one["state"], one["by"], one["invoices"]) for one in shown["contacts"]} == {
        ADA_ID: ("current", None, ["a"]),
        "acme.accounts_payable.2": ("closed", "agent-7", []),
    }
    (ada, _) = shown["contacts"]
    assert [(one["field"], one["exported"], one["by"]) for one in ada["corrected"]] == [("email", OLD, "agent-7")]
    assert {one["invoice_id"]: one["contacts"] for one in shown["invoices"]} == {"a": [ADA_ID], "b": []}
    assert set(shown) >= {"credit", "holds", "tasks", "messages"}


def test_b7_tasks_of_rehearsals_are_left_out_unless_asked_for_and_marked(database: Database) -> None:
    clock = Clock(rehearsal=True, speed=86_400, real=NOW, case=NOW)
    registrar = Registrar(sample_deps(database), the_ladders())
    people = (a_contact(AP, phone="+4915112345678"),)
    registrar.register(an_invoice(customer=a_customer(contacts=people)), NOW)
    registrar.register(an_invoice(invoice_id="played", customer=a_customer(contacts=people)), NOW, clock)
    with database.writing() as session:
        for invoice_id, customer in (("inv-1", "acme"), ("played", "rehearsal.acme")):
            call = {"task_id": f"{invoice_id}.call", "invoice_id": invoice_id, "step": "call", "kind": "call"}
            contact_id = f"{customer}.accounts_payable.1"
            tasks.add(session, TaskRow(**call, contact_id=contact_id, due_at=NOW, reason="r", script=""))
    with database.reading() as session:
        assert [one["invoice_id"] for one in open_work(session)] == ["inv-1"]
        both = {one["invoice_id"]: one["rehearsal"] for one in open_work(session, rehearsals=True)}
        assert both == {"inv-1": False, "played": True}
        assert [one["rehearsal"] for one in open_work(session, "played")] == [True]


def test_a_private_persons_debt_is_told_to_nobody_else_whoever_adds_them(database: Database) -> None:
    register(database, bill("a", [ADA, BOB], customer={"kind": "consumer"}))
    with pytest.raises(Refused, match="manager is refused: a private person's debt is told to nobody else"):
        customers(database).add_contact("acme", "manager", {"name": "Otto", "email": "otto@acme.example"}, "ana")


def test_whoever_is_known_to_be_a_private_person_loses_those_who_are_none_of_it(database: Database) -> None:
    register(database, bill("a", [ADA, BOB]))
    customers(database).add_contact("acme", "manager", {"name": "Otto", "email": "otto@acme.example"}, "ana")
    done = customers(database).set_customer("acme", {"kind": "consumer"}, "ana")
    assert "acme.manager.1 is not written to: a private person's debt is told to nobody else" in done.said


def test_a_pause_by_a_form_that_is_sent_again_after_its_last_day_was_carried_out(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first sending had no answer: the web service was killed."""
    register(database, bill("a", [ADA]))
    today = datetime.now(UTC)
    form = Submission.of("user-a", "f" * 32, "/customers/acme/pause", {"until": f"{today + timedelta(days=1):%F}"})
    acting = customers(database).acting(SYSTEM, form)
    acting.pause("acme", "talks", "user-a", f"{today + timedelta(days=1):%F}")
    monkeypatch.setattr(cases, "time_of_customer", lambda *_: today + timedelta(days=2))
    with pytest.raises(AlreadyDone):
        acting.pause("acme", "talks", "user-a", f"{today + timedelta(days=1):%F}")
    with pytest.raises(Refused, match="must lie after today"):
        customers(database).pause("acme", "talks", "user-a", f"{today + timedelta(days=1):%F}")
