"""What the database promises: exact amounts, aware times, things written once, and an order among writers."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, event, select
from sqlalchemy.orm import Session

from dunwell.domain.channels import Channel
from dunwell.domain.checkpoint import Reversal
from dunwell.domain.events import PaymentReceived
from dunwell.domain.policy import PolicyRef
from dunwell.domain.reconciliation_report import Report
from dunwell.domain.terms import Access, Level
from dunwell.domain.timeline import Entry
from dunwell.store import accounts, addresses, cases, invoices, payments, policies, reconciliations, tasks, timeline
from dunwell.store.database import Database
from dunwell.store.schema import SchemaError, check_schema, migrate
from dunwell.store.tables import AccessChangeRow, Base, PaymentRow, TaskRow
from tests.builders import a_customer, an_invoice, at, keep_customer, the_ladders
from tests.domain.test_case import a_case

NOW = at("2027-03-10 09:00")
FIRST = PolicyRef(name="gentle-saas", version=1)


@pytest.fixture
def filled(database: Database) -> Database:
    """One customer with two invoices."""
    with database.writing() as session:
        keep_customer(session, a_customer())
    with database.writing("acme") as session:
        for number in (1, 2):
            invoices.add_invoices(session, [(an_invoice(invoice_id=f"inv-{number}"), FIRST)])
    return database


# The schema ----------------------------------------------------------------------------------------------


def test_the_migrations_make_the_schema_of_this_release(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_again_changes_nothing(database_url: str) -> None:
    database = Database(database_url)
    with pytest.raises(SchemaError):
        check_schema(database)
    for _ in range(2):
        migrate(database)
        check_schema(database)
    database.close()


# Values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "digits", "amount"),
    [
        ("JPY", 0, "1200"),
        ("JPY", 0, "999999999999"),
        ("EUR", 2, "0.01"),
        ("EUR", 2, "1200.10"),
        ("EUR", 2, "999999999999.99"),  # more than a float can tell apart from its neighbour's cent
        ("KWD", 3, "0.001"),
        ("KWD", 3, "1200.125"),
    ],
)
def test_amounts_come_back_exactly(filled: Database, currency: str, digits: int, amount: str) -> None:
    invoice = an_invoice(invoice_id="inv-9", currency=currency, digits=digits, amount=Decimal(amount))
    with filled.writing("acme") as session:
        invoices.add_invoices(session, [(invoice, FIRST)])
    with filled.reading() as session:
        row = invoices.get_row(session, "inv-9")
        assert row is not None
        assert isinstance(row.amount, Decimal)
        assert row.amount == Decimal(amount)
        assert "E" not in str(row.amount)


def test_ten_times_ten_cents_are_one_euro(filled: Database) -> None:
    with filled.writing("acme") as session:
        for number in range(10):
            payment = PaymentReceived(payment_id=f"p{number}", amount=Decimal("0.10"), currency="EUR")
            payments.add_payment(session, "inv-1", payment, NOW)
        assert payments.paid(session, "inv-1") == Decimal("1.00")


@pytest.mark.parametrize("offset", [-11, 0, 5.75, 14])
def test_times_come_back_as_the_same_moment_in_utc(filled: Database, offset: float) -> None:
    moment = NOW.astimezone(timezone(timedelta(hours=offset)))
    with filled.writing("acme") as session:
        payment = PaymentReceived(payment_id="p", amount=Decimal("1.00"), currency="EUR", received_at=moment)
        payments.add_payment(session, "inv-1", payment, NOW)
    with filled.reading() as session:
        row = session.get(PaymentRow, ("inv-1", "p"))
        assert row is not None
        assert (row.received_at, row.received_at.tzinfo) == (NOW, UTC)


def test_a_naive_time_is_never_kept(filled: Database) -> None:
    with pytest.raises(Exception, match="no time zone"), filled.writing("acme") as session:
        addresses.close(session, Channel.EMAIL, "a@b.example", "bounced", NOW.replace(tzinfo=None))


def test_a_transaction_that_fails_leaves_nothing(filled: Database) -> None:
    with pytest.raises(RuntimeError), filled.writing("acme") as session:
        addresses.close(session, Channel.EMAIL, "a@b.example", "bounced", NOW)
        raise RuntimeError
    with filled.reading() as session:
        assert addresses.why_closed(session, Channel.EMAIL, "a@b.example") is None


# Written once --------------------------------------------------------------------------------------------


def _entry(key: str, reason: str = "r") -> Entry:
    return Entry(key=key, at=NOW, kind="test", reason=reason)


def test_the_timeline_numbers_each_invoice_and_keeps_what_was_first_said(filled: Database) -> None:
    with filled.writing("acme") as session:
        timeline.write(session, "inv-1", [_entry("a"), _entry("b"), _entry("a", "again")])
    with filled.writing("acme") as session:
        timeline.write(session, "inv-1", [_entry("b", "again"), _entry("c")])
        timeline.write(session, "inv-2", [_entry("a", "of another invoice")])
        timeline.write(session, "inv-2", [])
    with filled.reading() as session:
        told = [(number, entry.key, entry.reason) for number, entry in timeline.read(session, "inv-1")]
        assert told == [(1, "a", "r"), (2, "b", "r"), (3, "c", "r")]
        assert [number for number, _ in timeline.read(session, "inv-1", after=2)] == [3]
        assert [(number, entry.key) for number, entry in timeline.read(session, "inv-2")] == [(1, "a")]


def test_a_reason_nobody_could_print_is_kept_all_the_same(filled: Database) -> None:
    with filled.writing("acme") as session:
        timeline.write(session, "inv-1", [_entry("a", "signal\x00\x1b[2J: unknown\nü")])
    with filled.reading() as session:
        assert timeline.read(session, "inv-1")[0][1].reason == "signal[2J: unknown\nü"


def test_a_payment_counts_once_and_not_after_its_reversal(filled: Database) -> None:
    payment = PaymentReceived(payment_id="p", amount=Decimal("5.00"), currency="EUR")
    reversals = [
        Reversal(payment_id="p", key=key, amount=Decimal(amount), at=NOW + timedelta(days=1), reason="chargeback")
        for key, amount in (("r1", "2.00"), ("~rest", "3.00"))
    ]
    for _ in range(2):
        with filled.writing("acme") as session:
            payments.add_payment(session, "inv-1", payment, NOW)
            assert payments.paid(session, "inv-1") == Decimal("5.00")
    for reversal, left in zip(reversals, ("3.00", "0"), strict=True):
        for later in (0, 1):
            told = reversal.model_copy(update={"at": reversal.at + timedelta(days=later)})
            with filled.writing("acme") as session:
                payments.put_reversal(session, "inv-1", told, told.at)
                payments.put_reversal(session, "inv-1", told.model_copy(update={"payment_id": "unknown"}), told.at)
                payments.add_payment(session, "inv-1", payment, NOW)
                assert payments.paid(session, "inv-1") == Decimal(left)
    with filled.reading() as session:
        rows = payments.reversals(session, "inv-1")
        assert [(row.payment_id, row.key, row.at) for row in rows] == [("p", one.key, one.at) for one in reversals]


def test_a_task_is_raised_once_and_closed_once(filled: Database) -> None:
    def raise_it(session: Session) -> bool:
        task = TaskRow(
            task_id="t",
            invoice_id="inv-1",
            step="s",
            kind="call",
            contact_id=None,
            due_at=NOW,
            reason="r",
            script="",
        )
        return tasks.add(session, task)

    with filled.writing("acme") as session:
        assert [raise_it(session), raise_it(session)] == [True, False]
        assert tasks.close_task(session, "t", "reached", NOW)
        assert not tasks.close_task(session, "t", "no_answer", NOW)
        assert not raise_it(session)
        assert not tasks.open_tasks(session)


def test_an_address_keeps_the_first_reason_it_was_closed_for(filled: Database) -> None:
    with filled.writing("acme") as session:
        addresses.close(session, Channel.SMS, "+34600123456", "stopped", NOW)
        addresses.close(session, Channel.SMS, "+34600123456", "bounced", NOW)
        assert addresses.why_closed(session, Channel.SMS, "+34600123456") == "stopped"
        assert addresses.why_closed(session, Channel.EMAIL, "+34600123456") is None


def test_a_policys_version_never_changes(database: Database) -> None:
    policy = the_ladders()["gentle-saas"]
    with database.writing() as session:
        for _ in range(2):
            policies.register(session, policy)
        assert policies.load(session, policy.name, policy.version) == policy
    with pytest.raises(policies.PolicyChanged, match="raise its version to 3"), database.writing() as session:
        policies.register(session, policy.model_copy(update={"gap_days": 3}))
    newer = policy.model_copy(update={"gap_days": 3, "version": 3})
    with database.writing() as session:
        policies.register(session, newer)
        assert policies.load(session, policy.name, 2) == policy
        assert policies.load(session, policy.name, 3) == newer
        with pytest.raises(LookupError, match="gentle-saas@4"):
            policies.load(session, policy.name, 4)


@pytest.mark.parametrize(("kept", "offered", "wins"), [(5, 4, "kept"), (5, 5, "offered"), (5, 6, "offered")])
def test_an_older_copy_of_a_case_never_replaces_a_newer(filled: Database, kept: int, offered: int, wins: str) -> None:
    for revision, answers in ((kept, 1), (offered, 2)):
        with filled.writing("acme") as session:
            cases.put(session, a_case(revision=revision, answers=answers), rehearsal=False, now=NOW)
    with filled.reading() as session:
        case = cases.get(session, "inv-1")
        assert case is not None
        assert (case.revision, case.outstanding.answers) == ((kept, 1) if wins == "kept" else (offered, 2))


def test_a_case_comes_back_as_it_was(filled: Database) -> None:
    case = a_case(amount=Decimal("1200.10"), paid=Decimal("0.10"), payments={"p": Decimal("0.10")}, awake_since=NOW)
    with filled.writing("acme") as session:
        cases.put(session, case, rehearsal=False, now=NOW)
    with filled.reading() as session:
        assert cases.get(session, "inv-1") == case
        assert cases.get(session, "inv-2") is None


# Holds ---------------------------------------------------------------------------------------------------

Act = Callable[[Session], object]


def _place(invoice: int, level: Level) -> Act:
    return lambda session: accounts.place_hold(session, "acme", f"inv-{invoice}", level, "r", NOW)


def _release(invoice: int) -> Act:
    return lambda session: accounts.release_holds(session, "acme", f"inv-{invoice}", "paid", NOW)


@pytest.mark.parametrize(
    ("acts", "access", "changes"),
    [
        # the account has the worst of its holds; only a real change is told
        ([], Access.FULL, []),
        ([_place(1, Level.RESTRICTED)], Access.RESTRICTED, ["restricted"]),
        ([_place(1, Level.RESTRICTED)] * 2, Access.RESTRICTED, ["restricted"]),
        ([_place(1, Level.RESTRICTED), _place(2, Level.RESTRICTED)], Access.RESTRICTED, ["restricted"]),
        (
            [_place(1, Level.RESTRICTED), _place(2, Level.SUSPENDED)],
            Access.SUSPENDED,
            ["restricted", "suspended"],
        ),
        ([_place(2, Level.SUSPENDED), _place(1, Level.RESTRICTED)], Access.SUSPENDED, ["suspended"]),
        # one invoice's release never lifts another's hold
        ([_place(1, Level.RESTRICTED), _place(2, Level.RESTRICTED), _release(1)], Access.RESTRICTED, ["restricted"]),
        (
            [_place(1, Level.RESTRICTED), _place(2, Level.SUSPENDED), _release(2)],
            Access.RESTRICTED,
            ["restricted", "suspended", "restricted"],
        ),
        (
            [_place(1, Level.RESTRICTED), _place(1, Level.SUSPENDED), _release(1)],
            Access.FULL,
            ["restricted", "suspended", "full"],
        ),
        ([_place(1, Level.RESTRICTED), _release(2)], Access.RESTRICTED, ["restricted"]),
        ([_release(1)], Access.FULL, []),
        ([_place(1, Level.RESTRICTED), _release(1), _release(1)], Access.FULL, ["restricted", "full"]),
        (
            [_place(1, Level.RESTRICTED), _release(1), _place(1, Level.RESTRICTED)],
            Access.RESTRICTED,
            ["restricted", "full", "restricted"],
        ),
        # a hold on the work leaves access alone, and is told
        ([_place(1, Level.WORK)], Access.FULL, ["full, work waits"]),
        (
            [_place(1, Level.WORK), _place(2, Level.RESTRICTED), _release(2)],
            Access.FULL,
            ["full, work waits", "restricted, work waits", "full, work waits"],
        ),
    ],
)
def test_the_access_that_holds_leave(filled: Database, acts: list[Act], access: Access, changes: list[str]) -> None:
    for act in acts:
        with filled.writing("acme") as session:
            act(session)
    with filled.reading() as session:
        assert accounts.access(session, "acme") == access
        told = session.scalars(select(AccessChangeRow).order_by(AccessChangeRow.sequence)).all()
        assert [row.access + (", work waits" if row.work_on_hold else "") for row in told] == changes
        assert len({row.change_id for row in told}) == len(told)
        assert [row.change_id for row in accounts.unpublished(session, "acme")] == [row.change_id for row in told]


def test_a_change_is_told_until_it_is_marked(filled: Database) -> None:
    for act in (_place(1, Level.RESTRICTED), _release(1)):
        with filled.writing("acme") as session:
            act(session)
    with filled.writing("acme") as session:
        first, second = accounts.unpublished(session, "acme")
        accounts.mark_published(session, first.change_id, NOW)
        assert [row.change_id for row in accounts.unpublished(session, "acme")] == [second.change_id]


# Writers at the same time --------------------------------------------------------------------------------


def test_writers_on_one_customer_wait_for_each_other(filled: Database) -> None:
    """Each reads what the one before wrote: no number twice, no entry lost, nobody inside with another."""
    inside, crowd = threading.Semaphore(1), []

    def write(number: int) -> None:
        with filled.writing("acme") as session:
            if not inside.acquire(blocking=False):
                crowd.append(number)
            timeline.write(session, "inv-1", [_entry(f"k{number}")])
            accounts.place_hold(session, "acme", f"inv-{number % 2 + 1}", Level.RESTRICTED, "r", NOW)
            inside.release()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    assert not crowd
    with filled.reading() as session:
        assert [number for number, _ in timeline.read(session, "inv-1")] == list(range(1, 41))
        assert len(accounts.open_holds(session, "acme")) == 2
        assert len(accounts.unpublished(session, "acme")) == 1


def test_a_reader_waits_for_no_writer(filled: Database) -> None:
    with filled.writing("acme") as writing:
        timeline.write(writing, "inv-1", [_entry("a")])
        with filled.reading() as reading:
            assert timeline.read(reading, "inv-1") == []
    with filled.reading() as reading:
        assert len(timeline.read(reading, "inv-1")) == 1


def test_a_new_customer_and_ladder_may_come_from_many_at_once(database: Database) -> None:
    def bring(_: int) -> None:
        with database.writing() as session:
            policies.register(session, the_ladders()["gentle-saas"])
            keep_customer(session, a_customer())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bring, range(16)))
    with database.reading() as session:
        assert len(invoices.get_customer(session, "acme").contacts) == 3


def test_the_time_of_writing_is_kept_to_the_microsecond(filled: Database) -> None:
    moment = datetime(2027, 3, 10, 9, 0, 0, 123456, tzinfo=UTC)
    with filled.writing("acme") as session:
        timeline.write(session, "inv-1", [Entry(key="a", at=moment, kind="test", reason="r")])
    with filled.reading() as session:
        assert timeline.read(session, "inv-1")[0][1].at == moment


# Comparisons of database and engine ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "remembered", "back"),
    [
        (0, 0, False),
        (1, 0, False),  # the first one was kept, and its answer got lost
        (3, 3, False),
        (3, 2, False),
        (3, 5, True),  # the database forgot two
        (3, 1, True),  # the engine forgot two
    ],
)
def test_g13_a_side_that_went_back_in_time_is_noticed(
    database: Database, made: int, remembered: int, back: bool
) -> None:
    with database.writing() as session:
        for _ in range(made):
            reconciliations.add(session, Report(at=NOW, by="hourly"))
        assert reconciliations.went_back(session, remembered) is back


_HERD = """
INSERT INTO customers(customer_id, name, country, time_zone, language, "group")
SELECT 'customer-' || n, 'C', 'DE', 'Europe/Berlin', 'en', 'group-' || n / 10 FROM generate_series(1, 5000) n
"""


def test_b10_the_customers_of_a_group_are_locked_by_indexes(database: Database) -> None:
    """A scan of all customers for each step would stop a herd of thousands."""
    plans: list[str] = []

    def explain(connection: Connection, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.startswith("SELECT") and "FOR UPDATE" in statement:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plans.extend(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters))

    if database.engine.dialect.name == "postgresql":
        with database.engine.begin() as connection:  # of a handful of customers the planner reads them all
            connection.exec_driver_sql(_HERD)
            connection.exec_driver_sql("ANALYZE customers")
        event.listen(database.engine, "before_cursor_execute", explain)
        with database.writing("acme"):
            pass
        assert any("customers_of_group" in line for line in plans)
        assert not [line for line in plans if "Seq Scan" in line or "Filter" in line]
