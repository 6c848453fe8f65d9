"""Registering many invoices in one transaction, and what each of them must not notice of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from dunwell.client.registration import Registered, Registrar, known_cases, without_people
from dunwell.domain.events import parse_event
from dunwell.domain.invoice import UNDETERMINED, Invoice
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import DebtorKind, Stage
from dunwell.store import cases, invoices
from dunwell.store.database import Database
from dunwell.store.tables import AuditRow, Base
from tests.builders import a_contact, an_invoice, another_customer, sample_deps, the_ladders

NOW = datetime(2027, 2, 20, 12, tzinfo=UTC)
_BY_CHANCE = {"pay_code", "sequence"}


def bill(invoice_id: str, customer: str = "acme", *, policy: str = "gentle-saas", **facts: Any) -> Invoice:
    """An invoice; of `facts` those that a customer has are the customer's."""
    payer: dict[str, Any] = {
        key: facts.pop(key) for key in ("name", "country", "language", "contacts") if key in facts
    }
    owner = another_customer(customer).model_copy(update=payer)
    return an_invoice(invoice_id=invoice_id, number=f"N-{invoice_id}", customer=owner, policy=policy, **facts)


def the_books(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Everything in the database, without what chance decides."""
    books = {}
    with database.reading() as session:
        for table in Base.metadata.sorted_tables:
            rows = session.execute(select(table).order_by(*table.primary_key)).mappings()
            books[table.name] = [{key: row[key] for key in row if key not in _BY_CHANCE} for row in rows]
        # Times are real, and what records change about one customer is one entry for all that come together.
        registered = select(AuditRow.object, AuditRow.principal, AuditRow.details).where(
            AuditRow.action == "registered"
        )
        books["audit"] = [dict(row) for row in session.execute(registered.order_by(AuditRow.object)).mappings()]
    return books


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that are executed within."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield statements
    event.remove(database.engine, "before_cursor_execute", note)


def empty(database: Database) -> None:
    with database.writing() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(table.delete())


def end(database: Database, invoice_id: str) -> None:
    with database.writing() as session:
        case = cases.get(session, invoice_id)
        assert case is not None
        case.ended, case.next_action = Stage.CANCELLED, None
        cases.put(session, case, rehearsal=False, now=NOW)


def said(found: Sequence[Registered | Refused]) -> list[str | tuple[Any, ...]]:
    return [
        str(one)
        if isinstance(one, Refused)
        else (one.invoice, one.opening.model_dump(mode="json"), one.start and one.start.model_dump(mode="json"))
        for one in found
    ]


TOO_LONG = "x" * 201  # PostgreSQL says no; SQLite takes any length

TOGETHER: Mapping[str, Sequence[Invoice]] = {
    # name: the invoices; "known" and "ended" were there before
    "strangers": [bill("a", "c1"), bill("b", "c2"), bill("c", "c3")],
    "one customer's": [bill("a"), bill("b"), bill("c", "other"), bill("d")],
    "a customer who moves, from one to the next": [bill("a", name="Old"), bill("b", name="New", country="FR")],
    "a contact more, and one not named again": [
        bill("a", contacts=(a_contact(), a_contact(number=2))),
        bill("b", contacts=(a_contact(email="new@acme.example"),)),
    ],
    "a customer known from before": [bill("a", "payer", name="New"), bill("b", "c2")],
    "a file that says the language later": [bill("a", language=UNDETERMINED), bill("b", language="es")],
    "a file that said it first": [bill("a", language="bg"), bill("b", language=UNDETERMINED)],
    "known from before, though it does not say": [bill("a", "payer", language=UNDETERMINED)],
    "stages of one piece of work": [
        bill("a", policy="freelance-milestones"),
        bill("b", policy="freelance-milestones"),
        bill("c", "other"),
    ],
    "one known and one ended among new ones": [bill("a"), bill("known", "payer"), bill("ended", "payer"), bill("b")],
    "one changed, with a new name for its customer": [
        bill("a"),
        bill("known", "payer", name="Never", amount=Decimal("5.00")),
        bill("b"),
    ],
    "one on a ladder that is none": [bill("a"), bill("b", "c2", policy="none"), bill("c")],
    "one of a rehearsal's customer": [bill("a"), bill("b", "rehearsal.acme"), bill("c")],
    "one whose PDF is gone": [bill("a"), bill("b", "c2", document=Path("gone.pdf")), bill("c")],
    "one that a database may not take": [bill("a"), bill("b", "c2", name=TOO_LONG), bill("c", "c3")],
    "one twice, the second otherwise": [bill("a"), bill("b"), bill("a", amount=Decimal("5.00"))],
    "all refused": [bill("a", policy="none"), bill("b", policy="none")],
    "none at all": [],
}


@pytest.mark.parametrize("found", TOGETHER.values(), ids=TOGETHER)
def test_many_together_become_what_each_becomes_alone(database: Database, found: Sequence[Invoice]) -> None:
    answers, books = [], []
    for together in (False, True):
        empty(database)
        registrar = Registrar(sample_deps(database), the_ladders())
        registrar.register_all([bill("known", "payer", language="bg"), bill("ended", "payer", language="bg")], NOW)
        end(database, "ended")
        chunks = [found] if together else [[invoice] for invoice in found]
        answers.append([one for some in chunks for one in said(registrar.register_all(some, NOW))])
        books.append(the_books(database))
    assert answers[0] == answers[1]
    assert books[0] == books[1]


def test_nothing_of_a_refused_invoice_is_kept(database: Database) -> None:
    registrar = Registrar(sample_deps(database), the_ladders())
    registrar.register(bill("known"), NOW)
    before = the_books(database)
    refused = [
        bill("known", name="Never", amount=Decimal("5.00")),
        bill("b", "c2", policy="none"),
        bill("c", "rehearsal.acme"),
    ]
    assert [type(one) for one in registrar.register_all(refused, NOW)] == [Refused] * 3
    assert the_books(database) == before


def test_forty_take_as_many_statements_as_four(database: Database) -> None:
    registrar = Registrar(sample_deps(database), the_ladders())
    registrar.register(bill("first"), NOW)
    counts = []
    for count in (4, 40):
        with counted(database) as statements:
            found = registrar.register_all([bill(f"{count}-{n}", f"c-{count}-{n}") for n in range(count)], NOW)
        assert all(isinstance(one, Registered) for one in found)
        counts.append(len(statements))
    assert counts[0] == counts[1]


def _amended(database: Database, **facts: Any) -> Registrar:
    registrar = Registrar(sample_deps(database), the_ladders())
    case = registrar.register(bill("one"), NOW).opening.case.model_copy(deep=True)
    case.apply(parse_event("invoice_amended", [{**facts, "by": "billing"}]), NOW)
    with database.writing(case.customer_id) as session:
        cases.put(session, case, rehearsal=False, now=NOW)
    return registrar


def test_a15_a_file_that_says_what_was_amended_is_no_difference(database: Database) -> None:
    registrar = _amended(database, amount="1100.00", due_on="2027-04-15")
    registrar.register(bill("one", amount=Decimal("1100.00"), due_on=date(2027, 4, 15)), NOW)


def test_a15_a_file_that_still_says_the_old_values_is_told_both(database: Database) -> None:
    registrar = _amended(database, amount="1100.00", due_on="2027-04-15")
    with pytest.raises(Refused) as refused:
        registrar.register(bill("one"), NOW)
    assert str(refused.value) == (
        "amount: amount is 1100.00 in the case and 1200.00 in the file, due_on is 2027-04-15 in the case and "
        "2027-03-01 in the file; if the file is right: starter.py amend one --amount 1200.00 --due-on 2027-03-01"
    )


def test_a15_what_cannot_be_amended_says_so(database: Database) -> None:
    registrar = Registrar(sample_deps(database), the_ladders())
    registrar.register(bill("one"), NOW)
    with pytest.raises(Refused, match="currency is EUR in the case and USD in the file; these cannot be amended"):
        registrar.register(bill("one", currency="USD"), NOW)


def test_b10_a_record_without_group_and_kind_says_nothing_about_them(database: Database) -> None:
    """Two exports, one of which knows the groups: the other does not undo it."""
    registrar = Registrar(sample_deps(database), the_ladders())
    member = another_customer("acme").model_copy(update={"kind": DebtorKind.BUSINESS, "group": "vogel"})
    registrar.register(an_invoice(customer=member), NOW)
    registrar.register(bill("inv-2"), NOW)
    with database.reading() as session:
        known = invoices.get_customer(session, "acme")
    assert (known.kind, known.group, known.shares) == (DebtorKind.BUSINESS, "vogel", "vogel")


def test_who_has_nobody_to_ask_is_looked_up_by_two_queries_for_all(database: Database) -> None:
    registrar = Registrar(sample_deps(database), the_ladders())
    registrar.register(bill("known", "old"), NOW)
    found = [bill(f"N{number}", f"new-{number}", contacts=()) for number in range(30)]
    found += [bill("N-old", "old", contacts=(), names_contacts=False), bill("known", "old", contacts=())]
    with database.reading() as session, counted(database) as statements:
        unasked = without_people(session, found)
        assert known_cases(session, found).keys() == {"known"}
    assert unasked == {f"N{number}" for number in range(30)}
    assert len([one for one in statements if one.startswith("SELECT")]) == 3
