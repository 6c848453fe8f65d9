"""How a case stands, by what it says and by what the database has beyond it."""

from datetime import timedelta

import pytest

from dunwell.client.customers import Customers
from dunwell.domain.refusal import Refused
from dunwell.domain.timeline import Entry
from dunwell.store import timeline
from dunwell.store.database import Database
from dunwell.views.case_status import case_facts, stored_status, with_written
from dunwell.views.customer import customer_facts
from dunwell.views.lookup import find_customer, find_invoice
from tests.builders import sample_deps
from tests.services.conftest import REGISTERED, ServiceHarness
from workflows.status import status_of, status_of_unopened


def test_what_a_webhook_wrote_shows_before_the_case_wakes(database: Database) -> None:
    harness = ServiceHarness(sample_deps(database))
    harness.open()
    harness.record("dispute_opened", "2027-02-21 12:00", reason="price", opened_by="user")
    told = stored_status(database, "inv-1")
    stopped = Entry(key="stop", at=REGISTERED + timedelta(hours=1), kind="stopped", reason="by sms")
    with database.writing("acme") as session:
        timeline.write(session, "inv-1", [stopped])
    known = with_written(database, told)
    assert [line.kind for line in known.timeline] == ["opened", "stopped", "dispute", "task"]
    assert with_written(database, known) == known
    assert known.model_copy(update={"timeline": told.timeline}) == told


def test_what_only_the_case_knows_yet_stays(database: Database) -> None:
    harness = ServiceHarness(sample_deps(database))
    harness.open()
    told = stored_status(database, "inv-1")
    refused = told.timeline[0].model_copy(update={"kind": "refused", "reason": "unknown signal"})
    ahead = told.model_copy(update={"timeline": [*told.timeline, refused]})
    assert with_written(database, ahead) == ahead


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("inv1", "did you mean inv-1?"),
        ("INV-01", "did you mean inv-1?"),
        ("inv-2", "`starter.py list` shows those that are"),  # another number is another invoice
        ("inv-11", "`starter.py list` shows those that are"),
    ],
)
def test_e1_another_invoice_is_never_proposed_for_a_slip(database: Database, wanted: str, said: str) -> None:
    ServiceHarness(sample_deps(database)).open()
    with database.reading() as session, pytest.raises(Refused) as refused:
        find_invoice(session, wanted)
    assert said in refused.value.reason


def test_d3_people_are_named_by_role_in_the_engine_and_by_name_outside(database: Database) -> None:
    harness = ServiceHarness(sample_deps(database))
    harness.open()
    harness.carry_out("first-reminder", "2027-03-02 09:00")
    ours = status_of(harness.case, harness.entries())
    assert any("to accounts payable: delivered" in line.reason for line in ours.timeline)
    assert not any("acme.accounts_payable" in line.reason for line in ours.timeline)
    outside = with_written(database, ours)
    assert any("to Accounts_Payable Person (accounts payable): delivered" in line.reason for line in outside.timeline)
    assert len(outside.timeline) == len(ours.timeline)
    assert with_written(database, outside) == outside == stored_status(database, "inv-1")


def test_d3_the_status_has_instalments_disputed_sum_and_payments(database: Database) -> None:
    harness = ServiceHarness(sample_deps(database))
    harness.open()
    harness.pay("2027-02-21 12:00", "200.00", "bank-7")
    harness.record("dispute_opened", "2027-02-21 12:00", reason="price", opened_by="user", amount="300.00")
    told = stored_status(database, "inv-1")
    assert (str(told.disputed), [one.payment_id for one in told.payments]) == ("300.00", ["bank-7"])
    harness.record("dispute_resolved", "2027-02-21 13:00", outcome="rejected", by="agent")
    parts = [{"date": "2027-03-10", "amount": "400.00"}, {"date": "2027-04-10", "amount": "600.00"}]
    harness.record("payment_plan_agreed", "2027-02-21 14:00", instalments=parts, by="agent")
    harness.pay("2027-03-01 12:00", "400.00", "bank-8")
    told = stored_status(database, "inv-1")
    assert [(str(one.date), str(one.amount), one.met) for one in told.plan] == [
        ("2027-03-10", "400.00", True),
        ("2027-04-10", "600.00", False),
    ]
    with database.reading() as session:
        facts = case_facts(session, told, None)
    beside = ("number", "customer_id", "customer", "standstill", "credits_beside")
    assert [facts[name] for name in beside] == ["2027-001", "acme", "Acme GmbH", None, []]


def test_a_run_that_waits_for_its_invoice_is_shown_as_well(database: Database) -> None:
    with database.reading() as session:
        facts = case_facts(session, status_of_unopened("inv-1", []), None)
    beside = ("number", "customer_id", "customer", "standstill", "credits_beside")
    assert [facts[name] for name in beside] == [None, None, None, None, []]


@pytest.mark.parametrize("name", ["ac\x00me", "ac\ud800me", "acme\u200b"])
def test_a_name_that_no_database_holds_is_unknown_like_any_other(database: Database, name: str) -> None:
    with database.reading() as session:
        for look_up in (find_invoice, find_customer, customer_facts):
            with pytest.raises(Refused):
                look_up(session, name)
    people = Customers(sample_deps(database))
    for change in (people.resume, people.open_contact):
        with pytest.raises(Refused):
            change(name, "agent")
