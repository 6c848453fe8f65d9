"""The claim of a case: its history, the law that governs it, and how it is shown."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from dunwell.client.customers import Customers
from dunwell.commands.claim import claim_lines as lines_of_claim
from dunwell.commands.status import claim_lines
from dunwell.domain.claim_history import ClaimHistory
from dunwell.domain.evidence import verify
from dunwell.domain.given_up import GivenUp
from dunwell.domain.policy import Fee, Policy
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import AccessoryRule, DebtorKind
from dunwell.services.claims import claim_on, history_of
from dunwell.store import cases, invoices
from dunwell.store.database import Database
from dunwell.views.claim import claim_facts, claim_or_reason
from dunwell.views.evidence import as_text, gather
from dunwell.views.work_list import one_task, open_work
from tests.builders import a_contact, a_customer, an_invoice, at, sample_deps, the_ladders
from tests.services.conftest import ServiceHarness
from workflows.status import status_of

Open = Callable[..., ServiceHarness]


@pytest.fixture
def opened(file_database: Database) -> Open:
    def make(
        amount: str = "10000.00", due_on: str = "2026-04-30", ladder: Policy | None = None, **facts: Any
    ) -> ServiceHarness:
        owner = {name: facts.pop(name) for name in ("kind", "country", "time_zone") if name in facts}
        customer = a_customer(contacts=(a_contact(),), **({"kind": DebtorKind.BUSINESS} | owner))
        days = {"issued_on": date(2024, 1, 1), "due_on": date.fromisoformat(due_on)}
        terms = {"interest": "statutory", "lump_sum": "statutory", "jurisdiction": "DE"} | facts
        bill = an_invoice(customer=customer, amount=Decimal(amount), **days, **terms)
        harness = ServiceHarness(sample_deps(file_database))
        harness.open(bill, at("2024-01-02 09:00"), ladder)
        return harness

    return make


def claimed(harness: ServiceHarness, day: str) -> dict[str, Any]:
    with harness.deps.database.reading() as session:
        return claim_facts(session, "inv-1", date.fromisoformat(day), None)


def shown(harness: ServiceHarness, day: str) -> list[str]:
    """The lines about the claim in the status."""
    status = status_of(harness.case, [])
    return list(claim_lines(status, {"claim": claimed(harness, day), "no_claim": None}))


def heads(harness: ServiceHarness, day: str) -> tuple[str, str, str, str]:
    facts = claimed(harness, day)
    return facts["principal"], facts["interest"], facts["lump_sum"], facts["total"]


def history(harness: ServiceHarness) -> ClaimHistory:
    with harness.deps.database.reading() as session:
        customer = invoices.customer_row(session, "acme")
        policy = harness.deps.policy(session, harness.case.policy)
        return history_of(session, harness.case, policy, customer, None)


# As a new user would ------------------------------------------------------------------------------------


def test_a_german_invoice_paid_in_three_parts_across_a_rate_change(opened: Open) -> None:
    """10.27 % in the first half of 2026 and 10.52 % in the second; costs and interest come before the principal."""
    harness = opened()
    assert heads(harness, "2026-04-30") == ("10000.00", "0.00", "0.00", "10000.00")
    assert heads(harness, "2026-05-31") == ("10000.00", "87.22", "40.00", "10127.22")
    pay = {"currency": "EUR"}
    harness.record("payment_received", "2026-05-31 12:00", payment_id="p1", amount="4000.00", **pay)
    harness.record(
        "payment_received", "2026-06-30 12:00", payment_id="p2", amount="1000.00", designation="principal", **pay
    )
    harness.record("payment_received", "2026-07-31 12:00", payment_id="p3", amount="2000.00", **pay)
    facts = claimed(harness, "2026-07-31")
    assert [(one["from"], one["to"], one["days"], one["rate"], one["balance"]) for one in facts["periods"]] == [
        ("2026-05-01", "2026-05-31", 31, "10.27", "10000.00"),
        ("2026-06-01", "2026-06-30", 30, "10.27", "6127.22"),
        ("2026-07-01", "2026-07-31", 31, "10.52", "5127.22"),
    ]
    # The first payment met 40.00 and 87.22, the second only principal, the third 51.72 + 45.81.
    assert (facts["principal"], facts["interest"], facts["lump_sum"]) == ("3224.76", "0.00", "0.00")
    assert facts["total"] == "3224.76"
    assert facts["basis"]["interest"]
    assert (str(harness.case.open_amount), facts["disputed"]) == ("3000.00", "0.00")
    met = [(one["payment_id"], one["met"]["principal"], one["met"]["interest"]) for one in facts["payments"]]
    assert met == [("p1", "3872.78", "87.22"), ("p2", "1000.00", "0.00"), ("p3", "1902.47", "97.53")]
    first, second, _ = (one["by"] for one in facts["payments"])
    assert first == "§§ 366, 367 BGB: costs, lump sum, interest, principal"
    assert second == "the customer's word, then §§ 366, 367 BGB: principal, costs, lump sum, interest"
    assert shown(harness, "2026-07-31") == [
        "claim   3224.76 EUR on 2026-07-31, of it 3224.76 principal, 0.00 interest, 0.00 lump sum, 0.00 costs; "
        "confirmed",
        "        its principal is not the 3000.00 that are open, because payments met other heads first (starter.py "
        "claim inv-1); the case ends when what is open is paid",
    ]


def test_once_it_is_paid_the_payments_met_the_principal_first(opened: Open) -> None:
    harness = opened()
    paid(harness, "4000.00", payment_id="p1")
    paid(harness, "6050.00", payment_id="p2")
    one, two = claimed(harness, "2026-05-31")["payments"]
    assert (one["met"]["principal"], two["met"]["principal"], two["met"]["lump_sum"]) == (
        "4000.00",
        "6000.00",
        "40.00",
    )
    assert two["by"].startswith("the invoice is paid")


def test_a_claim_says_why_there_is_no_interest_yet(opened: Open) -> None:
    consumer = claimed(opened(kind=None), "2026-06-30")
    assert (consumer["interest"], consumer["first_day"]) == ("0.00", None)
    assert consumer["remarks"] == [
        "no interest yet: it begins with a reminder after the due date that reached the customer, and none has (the "
        "customer's kind is unknown, and counts as a private person)"
    ]


def test_a_claim_says_what_a_dispute_changes(opened: Open) -> None:
    harness = opened()
    harness.record("dispute_opened", "2026-05-11 09:00", reason="quality", opened_by="user", amount="4000.00")
    facts = claimed(harness, "2026-05-31")
    assert [one["balance"] for one in facts["periods"]] == ["10000.00", "6000.00"]
    assert facts["remarks"][0].startswith("the part in dispute bears interest for the days before the dispute")


def test_a_payment_goes_back_on_the_value_date_of_the_bank(opened: Open) -> None:
    harness = opened()
    paid(harness, "4000.00", "2026-05-10")
    back = {"payment_id": "p1", "reason": "R01", "reversed_at": "2026-05-12T00:00:00+00:00"}
    harness.record("payment_reversed", "2026-05-20 09:00", **back)
    assert history(harness).reversals[0].on == date(2026, 5, 12)


def test_a_british_invoice_due_on_15_december(opened: Open) -> None:
    harness = opened("5000.00", "2025-12-15", currency="GBP", jurisdiction="UK")
    assert claimed(harness, "2026-03-31")["interest"] == "177.88"
    assert claimed(harness, "2026-03-31")["lump_sum"] == "70.00"


def test_an_italian_invoice_half_disputed(opened: Open) -> None:
    harness = opened("10000.00", "2025-04-30", jurisdiction="IT")
    harness.record("dispute_opened", "2025-05-01 09:00", reason="quality", opened_by="user", amount="5000.00")
    facts = claimed(harness, "2025-09-30")
    assert (facts["principal"], facts["disputed"], facts["interest"]) == ("5000.00", "5000.00", "221.09")  # half
    harness.record("dispute_resolved", "2025-09-30 09:00", outcome="rejected", by="agent")
    facts = claimed(harness, "2025-09-30")
    assert (facts["principal"], facts["disputed"], facts["interest"]) == ("10000.00", "0.00", "442.18")


def test_what_a_dispute_took_off_was_never_owed(opened: Open) -> None:
    harness = opened("10000.00", "2025-04-30", jurisdiction="IT")
    harness.record("dispute_opened", "2025-06-01 09:00", reason="quality", opened_by="user", amount="6000.00")
    harness.record("dispute_resolved", "2025-07-01 09:00", outcome="adjusted", new_amount="5000.00", by="agent")
    facts = claimed(harness, "2025-09-30")
    assert (facts["principal"], facts["interest"]) == ("5000.00", "221.09")
    assert [(span.amount, span.rejected) for span in history(harness).disputes] == [(Decimal("1000.00"), True)]


def test_an_amended_amount_counts_from_its_day(opened: Open) -> None:
    harness = opened("10000.00", "2025-04-30", jurisdiction="IT")
    harness.record("invoice_amended", "2025-07-01 09:00", amount="5000.00", by="agent")
    periods = claimed(harness, "2025-09-30")["periods"]
    assert [(one["balance"], one["days"]) for one in periods] == [("10000.00", 61), ("5000.00", 92)]


def test_a_polish_lump_sum_is_shown_in_euros(opened: Open) -> None:
    harness = opened("4000.00", "2025-04-30", currency="PLN", jurisdiction="PL")
    facts = claimed(harness, "2025-06-30")
    assert (facts["lump_sum"], facts["lump_sum_apart"]) == ("0.00", {"amount": "40", "currency": "EUR"})


def test_a_consumer_and_a_customer_of_unknown_kind_owe_no_lump_sum(opened: Open) -> None:
    known = opened(kind=DebtorKind.CONSUMER)
    assert claimed(known, "2026-05-31")["lump_sum"] == "0.00"


def test_nobody_said_what_the_customer_is(opened: Open) -> None:
    harness = opened(kind=None)
    facts = claimed(harness, "2026-05-31")
    assert (facts["lump_sum"], facts["customer_kind"]) == ("0.00", None)
    assert (facts["interest"], facts["first_day"]) == ("0.00", None)  # like a consumer, once a reminder arrived
    with harness.deps.database.reading() as session:
        (asked,) = open_work(session)
        assert one_task(session, asked["task_id"])["reason"] == asked["reason"]
    assert (asked["kind"], asked["outcome_command"]) == ("decision", "starter.py customer set acme --kind KIND")
    Customers(harness.deps).set_customer("acme", {"kind": "business"}, "agent-7")
    assert claimed(harness, "2026-05-31")["lump_sum"] == "40.00"
    with harness.deps.database.reading() as session:
        assert open_work(session) == []


def test_the_evidence_has_the_claim_of_the_day_on_which_the_case_last_changed(opened: Open) -> None:
    harness = opened()
    harness.record("pause", "2026-05-31 12:00", reason="audit", by="agent")
    verified = verify(gather(harness.deps.database, "inv-1"))
    (claim,) = [record["data"]["claim"] for record in verified.records if record["kind"] == "claim"]
    assert (claim["as_of"], claim["interest"], claim["total"]) == ("2026-05-31", "87.22", "10127.22")
    assert "10127.22 EUR on 2026-05-31 by the law of DE" in as_text(verified)


def test_exactly_the_principal_ends_the_case_and_the_rest_is_accessory(opened: Open) -> None:
    harness = opened(ladder=billing())
    harness.record("payment_received", "2026-05-31 12:00", payment_id="p1", amount="10000.00", currency="EUR")
    assert harness.case.stage == "paid"
    assert claimed(harness, "2026-12-31")["total"] == claimed(harness, "2026-05-31")["total"] == "127.22"


def billing(**changes: Any) -> Policy:
    gentle = the_ladders()["gentle-saas"]
    return gentle.model_copy(update={"accessory": AccessoryRule.BILL} | changes)


def paid(harness: ServiceHarness, amount: str, day: str = "2026-05-31", payment_id: str = "p1") -> None:
    harness.record("payment_received", f"{day} 12:00", payment_id=payment_id, amount=amount, currency="EUR")


def test_what_is_left_is_waived_unless_the_ladder_says_otherwise(opened: Open) -> None:
    harness = opened()
    paid(harness, "10000.00")
    (entry,) = harness.entries("accessory")
    assert entry.reason.startswith("127.22 EUR are left beside the principal (87.22 interest, 40.00 lump sum, 0.00")
    assert "waived, by the ladder's rule" in entry.reason
    left = harness.case.accessory
    assert left is not None and (left.rule, str(left.total)) == ("waive", "127.22")
    assert (harness.tasks(), harness.case.holds, harness.case.next_action) == ([], [], None)


def test_what_is_left_is_billed_by_one_task_that_outlives_the_case(opened: Open) -> None:
    harness = opened(ladder=billing())
    paid(harness, "10000.00")
    paid(harness, "1.00", "2026-06-02", "p2")
    (task,) = harness.tasks()
    assert (str(task.amount), task.outlives_case, task.task_id) == ("126.22", True, "inv-1.accessory")
    said = [entry.reason.partition(" EUR")[0] for entry in harness.entries("accessory")]
    assert said == ["127.22", "1.00", "126.22"]


def test_what_the_customer_pays_after_all_is_not_billed(opened: Open) -> None:
    harness = opened(ladder=billing())
    paid(harness, "10000.00")
    paid(harness, "127.22", "2026-06-02", "p2")
    assert (harness.tasks(), harness.case.accessory, str(harness.case.credit)) == ([], None, "0.00")


def test_below_the_floor_nothing_is_billed(opened: Open) -> None:
    harness = opened(ladder=billing(accessory_floor=Decimal("127.23")))
    paid(harness, "10000.00")
    assert harness.tasks() == []
    assert "less than the ladder's floor of 127.23" in harness.entries("accessory")[0].reason


def test_a_payment_taken_back_makes_it_part_of_the_claim_again(opened: Open) -> None:
    harness = opened(ladder=billing())
    paid(harness, "10000.00")
    harness.record("payment_reversed", "2026-06-03 12:00", payment_id="p1", reason="R01", amount="100.00")
    assert (harness.case.stage, harness.case.accessory) == ("scheduled", None)
    assert [task for task in harness.tasks() if "accessory" in task.task_id] == []
    paid(harness, "100.00", "2026-06-05", "p2")
    (task,) = harness.tasks()
    assert task.task_id == "inv-1.accessory1"


def test_money_for_the_whole_claim_is_no_credit(opened: Open) -> None:
    harness = opened(ladder=billing())
    harness.record("pause", "2026-05-31 09:00", reason="audit", by="agent")
    paid(harness, "10130.00")
    assert (str(harness.case.credit), str(harness.case.money.beside_principal)) == ("2.78", "127.22")
    assert harness.case.accessory is None
    (task,) = harness.tasks()
    assert (task.task_id, str(task.amount)) == ("inv-1.credit", "2.78")
    verified = verify(gather(harness.deps.database, "inv-1"))
    (stands,) = [record["data"] for record in verified.records if record["kind"] == "standing"]
    assert (stands["beside_principal"], stands["credit"]) == ("127.22", "2.78")


# At the end ----------------------------------------------------------------------------------------------


def told(harness: ServiceHarness, day: str) -> list[str]:
    """The lines of `starter.py claim`."""
    return list(lines_of_claim(claimed(harness, day)))


def test_of_a_written_off_invoice_nothing_is_claimed_and_it_says_what_was_given_up(opened: Open) -> None:
    harness = opened()
    harness.record("payment_received", "2026-05-20 12:00", payment_id="p1", amount="2000.00", currency="EUR")
    harness.record("dispute_opened", "2026-05-25 09:00", reason="quality", opened_by="user", amount="1000.00")
    before = claimed(harness, "2026-05-31")
    harness.record("write_off", "2026-05-31 09:00", reason="uneconomic", by="agent")
    assert claimed(harness, "2026-05-30")["given_up"] is None and heads(harness, "2026-05-30")[3] != "0.00"
    facts = claimed(harness, "2026-12-31")
    assert (*heads(harness, "2026-12-31"), facts["disputed"]) == ("0.00",) * 5
    assert claimed(harness, "2026-05-31") == {**facts, "as_of": "2026-05-31"}
    up = facts["given_up"]
    assert (up["on"], up["why"], up["interest"]) == ("2026-05-31", "written off", before["interest"])
    assert Decimal(up["principal"]) == Decimal(before["principal"]) + 1000
    assert Decimal(up["total"]) == Decimal(before["total"]) + 1000
    assert told(harness, "2026-12-31")[0] == "inv-1: 0.00 EUR may be claimed on 2026-12-31, by the law of DE"
    (line,) = [one for one in told(harness, "2026-12-31") if "given up" in one]
    named = f"{up['principal']} principal, {up['interest']} interest"
    assert line == f"  given up   {up['total']} EUR on 2026-05-31, written off ({named})"
    (status,) = shown(harness, "2026-12-31")
    assert status.startswith(f"claim   nothing on 2026-12-31; given up: {up['total']} EUR on 2026-05-31, written off")
    kept = harness.case.last_claim
    assert kept is not None and (kept.total, kept.given_up) == (Decimal(0), GivenUp.model_validate(up))
    verified = verify(gather(harness.deps.database, "inv-1"))
    (evident,) = [record["data"]["claim"] for record in verified.records if record["kind"] == "claim"]
    assert (evident["total"], evident["given_up"]) == ("0.00", up)


@pytest.mark.parametrize("beyond", ["0.00", "87.22", "200.00"])
def test_what_comes_after_the_write_off_is_a_recovery_and_restarts_nothing(opened: Open, beyond: str) -> None:
    """Interest of the days before the write-off may be met; what is more is credit."""
    harness = opened(ladder=billing())
    harness.record("write_off", "2026-05-31 09:00", reason="uneconomic", by="agent")
    paid(harness, "10000.00", "2026-11-30")
    if Decimal(beyond):
        paid(harness, beyond, "2026-12-01", "p2")
    assert (harness.case.stage, harness.case.accessory, harness.case.next_action) == ("paid", None, None)
    assert str(harness.case.credit) == ("72.78" if beyond == "200.00" else "0.00")
    facts = claimed(harness, "2026-12-31")
    assert (facts["total"], facts["given_up"]["total"], facts["periods"][-1]["to"]) == (
        "0.00",
        "10127.22",
        "2026-05-31",
    )
    assert [task for task in harness.tasks() if "accessory" in task.task_id] == []
    harness.record("payment_reversed", "2026-12-15 12:00", payment_id="p1", reason="R01")
    assert (harness.case.stage, claimed(harness, "2026-12-31")["total"]) == ("written_off", "0.00")


def test_what_was_waived_is_not_claimed(opened: Open) -> None:
    harness = opened()
    paid(harness, "10000.00")
    assert claimed(harness, "2026-05-30")["given_up"] is None  # it was not paid then
    facts = claimed(harness, "2026-12-31")
    assert (facts["total"], facts["given_up"]["total"], facts["given_up"]["why"]) == ("0.00", "127.22", "waived")
    assert shown(harness, "2026-12-31")[0] == (
        "claim   nothing on 2026-12-31; given up: 127.22 EUR on 2026-05-31, waived (87.22 interest, 40.00 lump sum)"
    )


def test_what_a_person_bills_is_claimed_and_says_so(opened: Open) -> None:
    harness = opened(ladder=billing())
    paid(harness, "10000.00")
    facts = claimed(harness, "2026-12-31")
    assert (facts["total"], facts["given_up"]) == ("127.22", None)
    assert facts["remarks"] == ["a task asks a person to bill what is left, or to let it go"]


def test_what_was_asked_for_once_is_claimed_until_its_day_and_waived_then(opened: Open) -> None:
    harness = opened(ladder=billing(accessory=AccessoryRule.ASK_ONCE))
    paid(harness, "10000.00")
    assert claimed(harness, "2026-05-31")["remarks"] == ["what is left is asked for once"]
    harness.case.accessory_asked_on, harness.case.money.claim_until = date(2026, 6, 1), date(2026, 6, 11)
    with harness.deps.database.writing("acme") as session:
        cases.put(session, harness.case, rehearsal=False, now=at("2026-06-01 09:00"))
    assert (heads(harness, "2026-06-11")[3], claimed(harness, "2026-06-11")["remarks"]) == (
        "127.22",
        ["what is left was asked for on 2026-06-01: what does not come by 2026-06-11 is waived"],
    )
    facts = claimed(harness, "2026-06-12")
    assert (facts["total"], facts["given_up"]["total"], facts["given_up"]["on"]) == ("0.00", "127.22", "2026-06-11")


def test_a_lump_sum_in_euros_is_given_up_in_euros(opened: Open) -> None:
    harness = opened("4000.00", "2025-04-30", currency="PLN", jurisdiction="PL")
    harness.record("write_off", "2025-06-30 09:00", reason="uneconomic", by="agent")
    facts = claimed(harness, "2025-07-31")
    assert facts["lump_sum_apart"] is None and facts["given_up"]["lump_sum_apart"] == {
        "amount": "40",
        "currency": "EUR",
    }
    assert any(line.endswith(", and 40 EUR lump sum beside it") for line in told(harness, "2025-07-31"))


def test_an_invoice_that_is_not_late_says_when_it_is_due(opened: Open) -> None:
    harness = opened()
    assert "  not late   it is due on 2026-04-30" in told(harness, "2026-04-30")
    assert not any("not late" in line for line in told(harness, "2026-05-01"))


@pytest.mark.parametrize(
    ("event", "facts", "stage", "total", "remark"),
    [
        ("pause", {"reason": "audit", "by": "a"}, "paused", "10127.22", None),
        ("promise_to_pay", {"date": "2026-06-10", "promised_by": "user"}, "promised", "10127.22", None),
        ("dispute_opened", {"reason": "quality", "opened_by": "user"}, "disputed", "124.41", "the part in dispute"),
        ("cancel", {"reason": "credit-note", "by": "a"}, "cancelled", "0.00", "the invoice was cancelled: nothing"),
    ],
)
def test_each_stage_says_what_may_be_claimed(
    opened: Open, event: str, facts: dict[str, str], stage: str, total: str, remark: str | None
) -> None:
    harness = opened()
    harness.record(event, "2026-05-31 19:00", **facts)
    found = claimed(harness, "2026-05-31")
    assert (found["stage"], found["total"], found["given_up"]) == (stage, total, None)
    assert bool(found["remarks"]) == (remark is not None)
    assert remark is None or found["remarks"][0].startswith(remark)


def test_a_rate_that_is_not_known_any_more_is_provisional(opened: Open) -> None:
    harness = opened()
    assert claimed(harness, "2027-06-30")["certainty"] == "provisional"
    assert claimed(harness, "2027-06-30")["reasons"]


def test_nothing_is_claimed_unless_somebody_said_so(opened: Open) -> None:
    harness = opened(interest=None, lump_sum=None, jurisdiction=None)
    facts = claimed(harness, "2026-12-31")
    assert (facts["total"], facts["periods"], facts["jurisdiction"]) == ("10000.00", [], None)


def test_a_law_that_is_not_chosen_is_refused_and_the_status_says_so(opened: Open) -> None:
    harness = opened(jurisdiction=None)
    with pytest.raises(Refused, match="jurisdiction: no law is chosen"):
        claimed(harness, "2026-12-31")
    with harness.deps.database.reading() as session:
        shown = claim_or_reason(session, "inv-1", None)
        assert claim_on(session, "inv-1", date(2026, 5, 31), seller="DE").claim.interest == Decimal("87.22")
    assert shown["claim"] is None and "SENDER_COUNTRY" in shown["no_claim"]


# What the case keeps --------------------------------------------------------------------------------------


def test_days_are_those_of_the_customer(opened: Open) -> None:
    harness = opened(time_zone="Pacific/Auckland", country="NZ")
    harness.record("payment_received", "2026-05-30 20:00", payment_id="p1", amount="4000.00", currency="EUR")
    harness.record("payment_reversed", "2026-06-01 20:00", payment_id="p1", reason="R01", amount="1000.00")
    kept = history(harness)
    assert [(one.on, one.amount) for one in kept.payments] == [(date(2026, 5, 31), Decimal("4000.00"))]
    assert [(one.on, one.amount) for one in kept.reversals] == [(date(2026, 6, 2), Decimal("1000.00"))]


def test_a_small_rest_that_is_waived_bears_no_interest(opened: Open) -> None:
    harness = opened()
    harness.record("payment_received", "2026-04-20 12:00", payment_id="p1", amount="9999.70", currency="EUR")
    assert (harness.case.stage, claimed(harness, "2026-12-31")["total"]) == ("paid", "0.00")


def test_a_cancelled_invoice_was_never_owed(opened: Open) -> None:
    harness = opened()
    harness.record("cancel", "2026-06-30 09:00", reason="credit-note", by="agent")
    assert claimed(harness, "2026-12-31")["total"] == "0.00"


def test_the_first_reminder_that_arrived_after_the_due_date_is_the_notice(opened: Open) -> None:
    harness = opened(due_on="2026-04-29")
    harness.carry_out("first-reminder", "2026-05-04 10:00")
    harness.carry_out("second-reminder", "2026-05-18 10:00")
    assert history(harness).noticed_on == date(2026, 5, 4)


def test_the_case_keeps_the_claim_as_it_was_last_computed(opened: Open) -> None:
    harness = opened()
    harness.record("pause", "2026-05-31 12:00", reason="audit", by="agent")
    kept = harness.case.last_claim
    assert kept is not None
    assert (kept.as_of, str(kept.interest), str(kept.total)) == (date(2026, 5, 31), "87.22", "10127.22")


def test_a_fee_is_charged_once_its_message_has_left(opened: Open) -> None:
    gentle = the_ladders()["gentle-saas"]
    steps = [
        step.model_copy(update={"fee": Fee(amount=Decimal("5.00"), currency="EUR")})
        if step.id in {"first-reminder", "second-reminder"}
        else step
        for step in gentle.steps
    ]
    assert sum(step.fee is not None for step in steps) == 2, [step.id for step in gentle.steps]
    harness = opened(ladder=gentle.model_copy(update={"steps": tuple(steps), "jurisdictions": ("DE",)}))
    harness.carry_out("first-reminder", "2026-05-04 10:00")
    harness.carry_out("second-reminder", "2026-05-18 10:00")
    assert (
        claimed(harness, "2026-05-31")["costs"] == "0.76"
    )  # the first reminder is free, and no later one costs more


def test_no_claim_is_made_for_a_day_before_the_invoice(opened: Open) -> None:
    with pytest.raises(Refused, match="2023-12-31 lies before 2024-01-01, the day on which the invoice was issued"):
        claimed(opened(), "2023-12-31")
