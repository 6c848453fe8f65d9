"""One payment from all that its provider said, in any order: refunds in part, cumulative, failed; disputes."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunwell.domain.billing_events import CreditNoted, Fact, Paid, RefundedInAll, TakenBack
from dunwell.domain.events import parse_event
from dunwell.domain.money import Money
from dunwell.domain.provider_payment import Booked, News, news
from dunwell.domain.refusal import Refused
from tests.builders import at

WHEN = at("2027-03-02 09:00")


def paid(amount: str = "100.00", **more: Any) -> Paid:
    return Paid(amount=Decimal(amount), currency="EUR", at=WHEN, **more)


def refund(amount: str, item_id: str = "re_1", *, failed: bool = False) -> TakenBack:
    return TakenBack(
        item_id=item_id, reason="refund", amount=Decimal(amount), currency="EUR", at=WHEN, returned=failed
    )


def in_all(amount: str) -> RefundedInAll:
    return RefundedInAll(amount=Decimal(amount), currency="EUR", at=WHEN)


def dispute(amount: str, *, won: bool = False) -> TakenBack:
    return TakenBack(item_id="dp_1", reason="dispute", amount=Decimal(amount), currency="EUR", at=WHEN, returned=won)


def note(*refunds: tuple[str, str], void: bool = False) -> CreditNoted:
    return CreditNoted(note_id="cn_1", refunds={name: Decimal(amount) for name, amount in refunds}, void=void)


class Book:
    """What is booked, kept by the very rules of a case."""

    def __init__(self) -> None:
        self.money = Money(currency="EUR", digits=2, amount=Decimal("100.00"))
        self.told: list[News] = []

    def hear(self, facts: Sequence[Fact]) -> None:
        for one in news("pi_1", facts, self._booked()):
            event: Any = parse_event(one.name, [dict(one.content)])
            self.told.append(one)
            if one.name == "payment_received":
                assert not self.money.is_known(event.payment_id, event.amount, event.currency)
                self.money.add(event.payment_id, event.amount)
                self.money.keep_receipts(event, WHEN)
            else:
                assert self.money.take_back(event, WHEN) == event.amount

    def _booked(self) -> Mapping[str, Booked]:
        found = {one.payment_id: Booked(one.amount) for one in self.money.receipts}
        for one in self.money.reversals:
            found[one.payment_id].reversals[one.key] = (one.amount, one.reason)
        return found


def ends_at(*facts: Fact) -> Decimal:
    """What counts as paid in the end; the same for every order, told one by one and with every fact repeated."""
    ends = set()
    for order in list(permutations(facts))[:120]:
        book, known = Book(), list[Fact]()
        for one in [*order, *order]:
            known.append(one)
            try:
                book.hear(known)
            except Refused:
                assert not any(isinstance(fact, Paid) for fact in known)
        told = len(book.told)
        book.hear(known)
        assert len(book.told) == told, "told again what was told"
        ends.add(book.money.paid)
    (end,) = ends
    return end


@pytest.mark.parametrize(
    ("facts", "end"),
    [
        pytest.param([paid()], "100.00", id="paid"),
        pytest.param([paid(), refund("30.00")], "70.00", id="a refund in part"),
        pytest.param([paid(), refund("30.00"), in_all("30.00")], "70.00", id="told by refund and by charge"),
        pytest.param([paid(), in_all("30.00"), in_all("45.00")], "55.00", id="cumulative sums"),
        pytest.param([paid(), refund("30.00"), refund("15.00", "re_2"), in_all("45.00")], "55.00", id="two refunds"),
        pytest.param([paid(), refund("30.00"), refund("30.00", failed=True)], "100.00", id="a refund that failed"),
        pytest.param([paid(), refund("30.00", failed=True), in_all("30.00")], "100.00", id="failed, of a sum"),
        pytest.param(
            [paid(), refund("30.00", failed=True), refund("30.00", "re_2")], "70.00", id="failed, and again"
        ),
        pytest.param([paid(), dispute("100.00")], "0.00", id="a dispute lost"),
        pytest.param([paid(), dispute("100.00"), dispute("100.00", won=True)], "100.00", id="a dispute won back"),
        pytest.param([paid(), refund("30.00"), dispute("70.00")], "0.00", id="refund, and dispute of the rest"),
        pytest.param([paid(), refund("30.00"), note(("re_1", "30.00"))], "100.00", id="a refund that was credited"),
        pytest.param(
            [paid(), refund("30.00"), note(("re_1", "30.00")), note(("re_1", "30.00"), void=True)],
            "70.00",
            id="its credit note was void",
        ),
        pytest.param([paid(), refund("50.00"), note(("re_1", "20.00"))], "70.00", id="credited in part"),
        pytest.param([paid("100.00", rank=1), paid("90.00", rank=2)], None, id="the object nearer to the invoice"),
    ],
)
def test_every_order_ends_in_the_same_sum(facts: list[Fact], end: str | None) -> None:
    if end is None:
        book = Book()
        book.hear(facts)
        assert book.money.paid == Decimal("90.00")
        return
    assert ends_at(*facts) == Decimal(end)


def test_what_went_back_is_never_dated_before_it_came() -> None:
    early = refund("30.00").model_copy(update={"at": at("2027-02-27 09:00")})
    (_, taken) = news("pi_1", [paid(), early], {})
    assert taken.content["reversed_at"] == WHEN.isoformat()


def test_a_dispute_of_more_than_is_left_takes_what_is_left() -> None:
    book = Book()
    book.hear([paid(), refund("30.00"), dispute("100.00")])
    assert book.money.paid == 0


def test_a_reversal_before_its_payment_waits() -> None:
    with pytest.raises(Refused, match="nobody has reported that it came in"):
        news("pi_1", [refund("30.00")], {})


def test_two_amounts_of_one_payment_are_asked_about() -> None:
    with pytest.raises(Refused, match=r"differs: 100.00 EUR and 90.00 EUR"):
        news("pi_1", [paid(), paid("90.00")], {})


def test_a_dispute_that_was_won_before_it_was_heard_of_changes_nothing() -> None:
    book = Book()
    book.hear([paid(), dispute("100.00", won=True)])
    assert [one.name for one in book.told] == ["payment_received"]


def test_a_refund_recorded_by_hand_is_not_told_again() -> None:
    booked = {"pi_1": Booked(Decimal("100.00"), {"~part": (Decimal("30.00"), "refund")})}
    assert news("pi_1", [paid(), refund("30.00")], booked) == []


REFUNDS = st.lists(st.tuples(st.integers(1, 4000), st.booleans()), max_size=4)


@given(REFUNDS, st.randoms(use_true_random=False))
def test_what_is_paid_is_what_came_less_what_went(refunds: list[tuple[int, bool]], chance: Any) -> None:
    facts: list[Fact] = [paid("200.00")]
    for number, (cents, failed) in enumerate(refunds):
        amount = str(Decimal(cents).scaleb(-2))
        facts.append(refund(amount, f"re_{number}"))
        if failed:
            facts.append(refund(amount, f"re_{number}", failed=True))
    kept = sum((Decimal(cents).scaleb(-2) for cents, failed in refunds if not failed), Decimal(0))
    book, known = Book(), list[Fact]()
    chance.shuffle(facts)
    for one in facts:
        known.append(one)
        if any(isinstance(fact, Paid) for fact in known):
            book.hear(known)
    assert book.money.paid == Decimal("200.00") - kept
