"""The decision table of matching: what is booked, what is proposed, and what nobody may guess."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from dunwell.domain.matching import (
    Clues,
    IncomingPayment,
    KnownNumbers,
    Owed,
    Part,
    Proposal,
    Receipt,
    Rule,
    Settled,
    is_distinctive,
    match,
    name_key,
    number_key,
    numbers_in,
    split,
    why_stale,
)

MARCH, APRIL, MAY = date(2027, 3, 1), date(2027, 4, 1), date(2027, 5, 1)
RF = "RF96C6B80S6PQA"


def owed(invoice_id: str, amount: str, due: date = MARCH, **changes: Any) -> Owed:
    facts: dict[str, Any] = {
        "invoice_id": invoice_id,
        "number": invoice_id,
        "customer_id": "acme",
        "customer_name": "Acme GmbH",
        "currency": "EUR",
        "open": Decimal(amount),
        "due_on": due,
    }
    return Owed(**facts | changes)


A, B, C = owed("INV-1", "100.00"), owed("INV-2", "50.00", APRIL), owed("INV-3", "30.00", MAY)
TOLERANT = owed("INV-1", "1200.00", tolerance=Decimal("0.50"))
OTHERS = owed("X-1", "100.00", customer_id="beta", customer_name="Beta Ltd")


def came(amount: str, currency: str = "EUR") -> IncomingPayment:
    return IncomingPayment(amount=Decimal(amount), currency=currency)


def shares(amount: str, clues: Clues) -> tuple[Rule, dict[str, Decimal] | None]:
    found = match(came(amount), clues)
    return found.rule, {part.invoice_id: part.amount for part in found.booked.parts} if found.booked else None


TABLE = [
    # by our reference
    ("the whole sum", "100.00", Clues(references={RF: (A,)}), Rule.REFERENCE, {"INV-1": "100.00"}),
    ("a part", "40.00", Clues(references={RF: (A,)}), Rule.REFERENCE, {"INV-1": "40.00"}),
    ("one cent short", "1199.99", Clues(references={RF: (TOLERANT,)}), Rule.REFERENCE, {"INV-1": "1199.99"}),
    ("more: the rest is credit", "130.00", Clues(references={RF: (A,)}), Rule.REFERENCE, {"INV-1": "130.00"}),
    (
        "a joint reference, the longest due first",
        "120.00",
        Clues(references={RF: (C, B, A)}),
        Rule.REFERENCE,
        {"INV-1": "100.00", "INV-2": "20.00"},
    ),
    (
        "several references",
        "180.00",
        Clues(references={"RF1": (A,), "RF2": (B, C)}),
        Rule.REFERENCE,
        {"INV-1": "100.00", "INV-2": "50.00", "INV-3": "30.00"},
    ),
    (
        "a joint reference of which one is paid",
        "50.00",
        Clues(references={RF: (owed("INV-1", "0.00"), B)}),
        Rule.REFERENCE,
        {"INV-2": "50.00"},
    ),
    (
        "what is claimed beside them goes where it is claimed",
        "158.00",
        Clues(references={RF: (owed("1", "100", claimed=Decimal(5)), owed("2", "50", APRIL, claimed=Decimal(3)))}),
        Rule.REFERENCE,
        {"1": "105", "2": "53.00"},
    ),
    ("nothing is open of it any more", "50.00", Clues(references={RF: (owed("INV-1", "0.00"),)}), Rule.ALIKE, None),
    ("another currency", "100.00", Clues(references={RF: (owed("I", "100", currency="USD"),)}), Rule.NOTHING, None),
    # by whole numbers
    ("the number and its sum", "100.00", Clues(numbers=(A,)), Rule.NUMBER, {"INV-1": "100.00"}),
    (
        "two numbers and their sum",
        "150.00",
        Clues(numbers=(A, B)),
        Rule.NUMBER,
        {"INV-1": "100.00", "INV-2": "50.00"},
    ),
    ("one cent short by number", "1199.99", Clues(numbers=(TOLERANT,)), Rule.NUMBER, {"INV-1": "1199.99"}),
    ("shorter than the tolerance", "1199.49", Clues(numbers=(TOLERANT,)), Rule.ALIKE, None),
    (
        "with the interest that was claimed",
        "104.20",
        Clues(numbers=(owed("INV-1", "100.00", claimed=Decimal("4.20")),)),
        Rule.NUMBER,
        {"INV-1": "104.20"},
    ),
    ("one cent more", "100.01", Clues(numbers=(A,)), Rule.ALIKE, None),
    ("two numbers, the sum of one", "100.00", Clues(numbers=(A, B)), Rule.ALIKE, None),
    ("one number of two customers", "100.00", Clues(numbers=(A, owed("I", "100", number="INV-1"))), Rule.ALIKE, None),
    ("numbers of two customers", "200.00", Clues(numbers=(A, OTHERS)), Rule.ALIKE, None),
    ("a number that may be a year", "100.00", Clues(numbers=(owed("I", "100", number="2026"),)), Rule.ALIKE, None),
    ("paid already", "100.00", Clues(numbers=(owed("INV-1", "0.00"),)), Rule.NOTHING, None),
    # by nothing of ours
    ("a known account and one sum that fits", "50.00", Clues(payers=(A, B)), Rule.ALIKE, None),
    ("a known account and no sum that fits", "77.00", Clues(payers=(A, B)), Rule.ALIKE, None),
    ("a name and a sum", "100.00", Clues(names=(A,)), Rule.ALIKE, None),
    ("a name alone", "77.00", Clues(names=(A,)), Rule.NOTHING, None),
    ("nothing at all", "100.00", Clues(), Rule.NOTHING, None),
]


@pytest.mark.parametrize(("amount", "clues", "rule", "booked"), [pytest.param(*row[1:], id=row[0]) for row in TABLE])
def test_the_decision_table(amount: str, clues: Clues, rule: Rule, booked: dict[str, str] | None) -> None:
    expected = {one: Decimal(share) for one, share in booked.items()} if booked is not None else None
    assert shares(amount, clues) == (rule, expected)


def test_a_sum_alone_is_never_a_reason() -> None:
    """Whatever is open somewhere: without a clue nothing is even proposed."""
    assert match(came("100.00"), Clues()).proposals == ()


def test_a_proposal_says_what_speaks_for_it_and_what_does_not() -> None:
    (first,) = match(came("90.00"), Clues(numbers=(A,), payers=(A, B))).proposals[:1]
    assert {part.invoice_id: part.amount for part in first.parts} == {"INV-1": Decimal("90.00")}
    assert first.reasons == (
        "it names invoice INV-1",
        "90.00 EUR came, and 100.00 EUR are open of invoice INV-1",
        "it comes from an account that paid for customer acme before",
        "90.00 EUR came, and 150.00 EUR are open of invoices INV-1, INV-2",
    )


def test_a_payment_that_is_a_cent_short_is_not_called_exact() -> None:
    by_number = match(came("1199.99"), Clues(numbers=(TOLERANT,))).why
    assert by_number == "it names invoice INV-1; 0.01 EUR short, which is within the tolerance and is written off"
    assert match(came("1200.00"), Clues(numbers=(TOLERANT,))).why == "it names invoice INV-1, and the sum is exact"
    (by_account,) = match(came("1199.99"), Clues(payers=(TOLERANT,))).proposals
    assert "what came is what is open" not in " ".join(by_account.reasons)
    assert "1199.99 EUR came, and 1200.00 EUR are open of invoice INV-1: 0.01 EUR short" in by_account.reasons[1]


@pytest.mark.parametrize(
    ("amount", "clues", "said"),
    [
        ("99.00", Clues(numbers=(A,)), "it names invoice INV-1; 99.00 EUR came, and 100.00 EUR are open of invoice"),
        ("50.00", Clues(payers=(A, B)), "from an account that paid for customer acme before; what came is what is"),
        ("100.00", Clues(numbers=(owed("I", "100", number="2026"),)), "2026 may be something else than an invoice"),
        ("100.00", Clues(numbers=(A, owed("I", "100", number="INV-1"))), "several invoices have this number"),
        ("100.00", Clues(payers=(A, OTHERS)), "1 more may be meant: a person decides"),
    ],
)
def test_whoever_decides_reads_why(amount: str, clues: Clues, said: str) -> None:
    found = match(came(amount), clues)
    assert found.rule is Rule.ALIKE
    assert said in found.why
    assert found.why.endswith(": a person decides")


def test_the_invoice_whose_sum_fits_is_proposed_alone() -> None:
    (only,) = match(came("50.00"), Clues(payers=(A, B, C))).proposals
    assert [part.invoice_id for part in only.parts] == ["INV-2"]


@pytest.mark.parametrize("clues", [Clues(numbers=(A,)), Clues(references={RF: (A,)}), Clues(names=(A,)), Clues()])
def test_what_may_be_the_same_money_as_another_payment_is_never_booked(clues: Clues) -> None:
    found = match(came("100.00").model_copy(update={"may_repeat": "E1"}), clues)
    assert found.booked is None
    assert "the same money as E1" in found.why
    assert all("the same money as E1" in one.reasons[-1] for one in found.proposals)
    assert bool(found.proposals) is bool(clues != Clues())


PAID = Settled(
    number="INV-9",
    currency="EUR",
    how="paid",
    receipts=(Receipt(amount=Decimal("100.00"), on=date(2027, 2, 1), told="reported by Stripe"),),
)


@pytest.mark.parametrize("clues", [Clues(settled=(PAID,)), Clues(settled=(PAID,), payers=(A,))])
def test_money_that_names_a_paid_invoice_may_be_its_payment_told_once_more(clues: Clues) -> None:
    """Also where another invoice of the same sum is proposed: it would be paid with the money of this one."""
    again, other = match(came("100.00"), clues), match(came("99.00"), clues)
    known = "it names invoice INV-9, which is paid: 100.00 EUR came on 2027-02-01, reported by Stripe"
    assert f"{known}. It may be the payment of 2027-02-01, reported by Stripe, told once more" in again.why
    assert known in other.why
    assert "told once more" not in other.why
    assert all(known in one.reasons[-1] for one in again.proposals)


def test_what_is_booked_by_another_number_says_nothing_of_paid_ones() -> None:
    assert (
        match(came("100.00"), Clues(settled=(PAID,), numbers=(A,))).why
        == "it names invoice INV-1, and the sum is exact"
    )


def test_charges_are_said_beside_the_reasons() -> None:
    kept = came("100.00").model_copy(update={"charges": Decimal("2.50")})
    assert "a bank kept charges of 2.50 EUR" in match(kept, Clues(numbers=(A,))).why
    short = came("97.50").model_copy(update={"ordered": Decimal("100.00")})
    (proposal,) = match(short, Clues(numbers=(A,))).proposals
    assert proposal.reasons[-1] == "the payer ordered 100.00 EUR, and 2.50 EUR of it were kept on the way"


def test_two_customers_who_pay_from_one_account_are_both_proposed() -> None:
    found = match(came("100.00"), Clues(payers=(A, OTHERS))).proposals
    assert {part.customer_id for one in found for part in one.parts} == {"acme", "beta"}


def test_what_was_paid_twice_by_reference_is_a_person_s_decision() -> None:
    found = match(came("100.00"), Clues(references={RF: (owed("INV-1", "0.00"),)}))
    assert "nothing is open any more" in found.why
    assert "credit" in found.proposals[0].reasons[0]


@pytest.mark.parametrize("amount", ["0.01", "99.99", "100", "150", "180", "181.37", "5000"])
def test_a_split_uses_exactly_what_came(amount: str) -> None:
    assert sum(part.amount for part in split(Decimal(amount), [A, B, C])) == Decimal(amount)


def stale(amount: str, now: Owed, *reasons: str) -> str | None:
    parts = (Part(invoice_id="INV-1", customer_id="acme", amount=Decimal(amount)),)
    return why_stale(came(amount), Proposal(parts=parts, reasons=reasons), [now])


def test_credit_is_no_matter_of_names() -> None:
    assert stale("101.00", A, "it names invoice credit-17", "the payer is called like customer credit-union")
    assert (
        stale("101.00", A, "it names invoice 12345", "1.00 EUR more than is owed came: that becomes credit") is None
    )


def test_a_proposal_of_more_than_is_open_says_what_becomes_credit_and_is_stale_once_that_is_untrue() -> None:
    (proposal,) = match(came("100.01"), Clues(numbers=(A,))).proposals
    assert proposal.reasons[-1].endswith("0.01 EUR more than is owed came: that becomes credit")
    assert why_stale(came("100.01"), proposal, [A]) is None
    paid = owed("INV-1", "0.00")
    assert why_stale(came("100.01"), proposal, [paid]) == "would put 100.01 on INV-1, of which 0.00 are owed by now"
    (twice,) = match(came("100.00"), Clues(references={RF: (paid,)})).proposals
    assert why_stale(came("100.00"), twice, [paid]) is None


KNOWN = KnownNumbers.of({number_key(one): [one] for one in ("INV-1", "INV-12", "2026/0041", "12345", "RE 7", "7")})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("INV-1", ["INV-1"]),
        ("inv 1, thanks", ["INV-1"]),
        ("Rechnung INV1", ["INV-1"]),
        ("INV-12", ["INV-12"]),  # not INV-1, which begins alike
        ("INV-123", []),
        ("2026-0041 vom 1.3.", ["2026/0041"]),
        ("20260041", []),  # only figures are not joined
        ("12.345 EUR", []),
        ("no. 12345.", ["12345"]),
        ("RE 7", ["RE 7"]),  # not 7, which is a part of it
        ("INV-1 INV-12 INV-1", ["INV-1", "INV-12"]),
    ],
)
def test_whole_numbers_are_found(text: str, found: list[str]) -> None:
    assert numbers_in([text], KNOWN) == found


def test_few_figures_are_no_evidence() -> None:
    assert [is_distinctive(one) for one in ("2026", "12", "12345", "INV-1", "R7")] == [False, False, True, True, True]


def test_names_are_compared_without_their_legal_form() -> None:
    assert name_key("ACME GmbH & Co. KG") == name_key("Acme")
    assert name_key("Müller AG") == name_key("MÜLLER")
    assert name_key("AG") == name_key("Ann") == frozenset()  # too little to tell anybody by


@pytest.mark.parametrize(
    ("as_banks_write_it", "name"),
    [
        ("RUECKLAUF AG", "Rücklauf AG"),
        ("RUCKLAUF AG", "Rücklauf AG"),
        ("STRASSENBAU GROESSER", "Straßenbau Größer"),
        ("SOCIETE GENERALE", "Société Générale"),
        ("MOELLER OG SOEN APS", "Møller og Søn ApS"),
        ("LODZ SP Z OO", "Łódź sp. z o.o."),
    ],
)
def test_names_are_compared_as_banks_write_them(as_banks_write_it: str, name: str) -> None:
    assert name_key(as_banks_write_it) == name_key(name) != frozenset()
