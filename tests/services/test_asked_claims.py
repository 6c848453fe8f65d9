"""What messages claim beside the invoice: the right sums, only where law and facts allow it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from dunwell.domain.policy import Policy
from dunwell.domain.terms import DebtorKind
from dunwell.services import case_claim
from dunwell.store import outbox
from dunwell.store.database import Database
from tests.builders import a_contact, a_customer, a_ladder, an_invoice, at, sample_deps
from tests.services.conftest import ServiceHarness
from tests.services.languages import spaced

CLAIMING = a_ladder("""
name = "claiming"
version = 1
jurisdictions = ["DE"]
pay_days = 7
tolerance = 0

[[step]]
id = "notice"
when = "due + 1 business day at 10:00"
to = ["accounts_payable"]
by = ["email", "sms"]
message = "reminder-first"
interest_notice = true

[[step]]
id = "claim"
when = "notice + 29 days at 10:00"
to = ["accounts_payable"]
by = ["email", "sms"]
message = "reminder-second"
interest = "statutory"
lump_sum = true
""")
FEES = a_ladder("""
name = "fees"
version = 1
jurisdictions = ["DE"]

[[step]]
id = "notice"
when = "due + 1 business day at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "reminder-first"

[[step]]
id = "claim"
when = "notice + 29 days at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "reminder-second"
fee = "0.70 EUR"

[[step]]
id = "last"
when = "claim + 14 days at 10:00"
to = ["accounts_payable"]
by = ["email"]
message = "reminder-second"
fee = "0.60 EUR"
""")
MET = "52.49 EUR of what was paid met interest, lump sum and costs: that is no credit"
DUE = date(2026, 3, 2)
NOTICE, CLAIM = "2026-03-03 09:00", "2026-04-01 08:00"
"""The claim is counted up to 8 April: 37 days at 10.27 per cent of 1,200.00 are 12.49."""


@pytest.fixture
def harness(file_database: Database) -> Iterator[ServiceHarness]:
    deps = sample_deps(file_database)
    yield ServiceHarness(replace(deps, sender=replace(deps.sender, country="DE")))


def begin(
    harness: ServiceHarness, kind: DebtorKind | None = DebtorKind.BUSINESS, ladder: Policy = CLAIMING, **changes: Any
) -> ServiceHarness:
    facts: dict[str, Any] = {"customer": a_customer(kind=kind, contacts=(a_contact(phone="+4915112345678"),))}
    bill = an_invoice(**facts | {"issued_on": date(2026, 2, 1), "due_on": DUE} | changes)
    harness.open(bill, at("2026-02-20 12:00"), ladder)
    return harness


def claimed(harness: ServiceHarness, step: str = "claim", when: str = CLAIM) -> str:
    """The body of the step's message."""
    harness.carry_out("notice", NOTICE)
    if step == "claim":
        harness.carry_out("claim", when)
    (row,) = harness.messages(step)
    return spaced(row.body)


def test_a_notice_announces_interest_and_claims_nothing(harness: ServiceHarness) -> None:
    body = claimed(begin(harness), "notice")
    assert "Interest of 10.27% a year has been accruing on invoice" in body and "since March 3, 2026" in body
    assert "(§§ 286, 288 Abs. 2 BGB)" in body and "Total, if paid by" not in body
    assert harness.case.money.claimed == 0


def test_a_company_is_asked_for_interest_and_the_lump_sum_with_its_law(harness: ServiceHarness) -> None:
    body = claimed(begin(harness))
    assert "Interest on invoice 2027-001 since March 3, 2026, 10.27% a year · €12.49" in body
    assert "Fixed sum for late payment of invoice 2027-001 · €40.00" in body
    assert "Invoice 2027-001 · €1,200.00" in body and "Total, if paid by April 8, 2026 · €1,252.49" in body
    assert "Legal basis: §§ 286, 288 Abs. 2 BGB, § 288 Abs. 5 BGB." in body
    assert (harness.case.money.claimed, harness.case.money.claim_until) == (Decimal("52.49"), date(2026, 4, 8))


@pytest.mark.parametrize(
    ("kind", "changes", "says", "silent"),
    [
        pytest.param(DebtorKind.CONSUMER, {}, "6.27%", "Fixed sum", id="a private person owes less, and no lump sum"),
        pytest.param(None, {}, "6.27%", "Fixed sum", id="of unknown kind: the same"),
        pytest.param(
            DebtorKind.BUSINESS,
            {"interest": "none", "lump_sum": "none"},
            "",
            "Together with",
            id="the invoice says no",
        ),
        pytest.param(DebtorKind.BUSINESS, {"interest": "5"}, "5% a year", "10.27", id="a rate that was agreed"),
    ],
)
def test_who_owes_what(
    harness: ServiceHarness, kind: DebtorKind | None, changes: dict[str, Any], says: str, silent: str
) -> None:
    body = claimed(begin(harness, kind, **changes))
    assert says in body and silent not in body


def test_an_unconfirmed_figure_enters_no_message_and_the_timeline_says_why(harness: ServiceHarness) -> None:
    customer = a_customer(country="NL", kind=DebtorKind.CONSUMER, contacts=(a_contact(),))
    body = claimed(begin(harness, customer=customer))
    assert "Together with" not in body
    assert "before somebody confirms it (starter.py rates confirm)" in harness.entries("claim")[-1].reason


def test_without_a_law_the_message_leaves_without_a_claim(harness: ServiceHarness) -> None:
    harness.deps = replace(harness.deps, sender=replace(harness.deps.sender, country=None))
    body = claimed(begin(harness))
    assert "Together with" not in body and "€1,200.00" in body
    assert harness.entries("claim")[-1].reason.startswith("nothing beside the invoice is claimed: ")


def test_the_fees_of_this_step_and_of_earlier_ones_are_claimed(harness: ServiceHarness) -> None:
    body = claimed(begin(harness, ladder=FEES))
    assert "Costs of reminders for invoice 2027-001 · €0.70" in body and "€1,200.70" in body
    harness.carry_out("last", "2026-04-15 08:00")
    (row,) = harness.messages("last")
    assert "Costs of reminders for invoice 2027-001 · €1.30" in spaced(row.body)
    assert harness.case.money.claimed == Decimal("1.30")


def test_an_sms_asks_for_the_invoice_alone(harness: ServiceHarness) -> None:
    customer = a_customer(kind=DebtorKind.BUSINESS, contacts=(a_contact(email=None, phone="+4915112345678"),))
    body = claimed(begin(harness, customer=customer))
    assert "1,200.00" in body and "52" not in body and "40.00" not in body
    assert harness.case.money.claimed == 0


@pytest.mark.parametrize(
    ("amount", "credit", "left"),
    [
        pytest.param("1200.00", "0.00", ["52.16 EUR are left beside the principal"], id="the invoice alone"),
        pytest.param("1252.49", "0.00", [MET], id="the total, a day before it is due"),
        pytest.param("1260.00", "7.51", [MET], id="more than that"),
    ],
)
def test_a_total_that_a_message_named_settles_everything(
    harness: ServiceHarness, amount: str, credit: str, left: list[str]
) -> None:
    claimed(begin(harness))
    harness.pay("2026-04-07 09:00", amount)
    assert (harness.case.stage, harness.case.credit) == ("paid", Decimal(credit))
    assert [entry.reason.partition(" (")[0] for entry in harness.entries("accessory")] == left


def test_a_part_that_met_lump_sum_and_interest_by_law_does_not_make_the_total_smaller(
    harness: ServiceHarness,
) -> None:
    """Of the 200.00 the law lets 46.08 meet those; the message counts them all for the invoice, and says 1,000.00."""
    begin(harness)
    harness.carry_out("notice", NOTICE)
    harness.pay("2026-03-20 09:00", "200.00", payment_id="part")
    body = claimed(harness)
    assert "Interest on invoice 2027-001 since March 3, 2026, 10.27% a year · €11.67" in body
    assert "Fixed sum for late payment of invoice 2027-001 · €40.00" in body
    assert (
        "Invoice 2027-001, the part to pay now · €1,000.00" in body
        and "Total, if paid by April 8, 2026 · €1,051.67" in body
    )
    harness.pay("2026-04-08 09:00", "1051.67", payment_id="rest")
    assert (harness.case.stage, harness.case.credit, harness.case.accessory) == ("paid", Decimal(0), None)


def test_a_step_that_is_written_down_late_does_not_turn_the_claim_back(harness: ServiceHarness) -> None:
    """It began before a part of the payment went back: of the credit by then, some would have met no interest."""
    claimed(begin(harness))
    harness.pay("2026-04-10 09:00", "1900.00")
    harness.record("payment_reversed", "2026-04-12 09:00", payment_id="p1", reason="R01", amount="100.00")
    before = harness.case.money.beside_principal, harness.case.credit, harness.case.last_claim
    assert before[0] == Decimal("53.17") > harness.case.money.claimed
    with harness.deps.database.writing(harness.case.customer_id) as session:
        case_claim.keep(session, harness.deps, harness.case, at("2026-04-11 09:00"))
    assert (harness.case.money.beside_principal, harness.case.credit, harness.case.last_claim) == before


def test_what_was_claimed_is_known_to_the_database_for_every_invoice_of_the_message(harness: ServiceHarness) -> None:
    begin(harness)
    other = begin(ServiceHarness(harness.deps), invoice_id="inv-2", number="INV-2", amount=Decimal(600))
    for step, when in (("notice", NOTICE), ("claim", CLAIM)):
        for one in (harness, other):
            one.carry_out(step, when)
    (row,) = harness.messages("claim")
    text = spaced(row.body)
    assert "INV-2 since March 3, 2026, 10.27% a year · €6.25" in text and "April 8, 2026 · €1,898.74" in text
    with harness.deps.database.reading() as session:
        assert outbox.claimed_by(session, "inv-2", "claim") == (Decimal("46.25"), date(2026, 4, 8))
    assert (harness.case.money.claimed, other.case.money.claimed) == (Decimal("52.49"), Decimal("46.25"))


def test_of_the_messages_of_a_step_the_one_that_claims_most_counts(harness: ServiceHarness) -> None:
    people = tuple(a_contact(number=number) for number in (1, 2))
    begin(harness, customer=a_customer(kind=DebtorKind.BUSINESS, contacts=people))
    for step, when in (("notice", NOTICE), ("claim", CLAIM)):
        harness.carry_out(step, when)
    rows, until = harness.messages("claim"), date(2026, 4, 8)
    with harness.deps.database.writing(harness.case.customer_id) as session:
        for row, amount in zip(rows, ("9.00", "12.00"), strict=True):
            outbox.link(session, row, "inv-1", "claim", warning=True, claimed=Decimal(amount), claim_until=until)
        assert outbox.claimed_by(session, "inv-1", "claim") == (Decimal("12.00"), until)
