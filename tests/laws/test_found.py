"""Lives in which a guarantee was once broken, by name: each holds for good, however few lives are drawn."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dunwell.domain import next_action
from dunwell.domain.terms import Level, Stage
from tests.builders import the_ladders
from tests.laws.life import Happening, Life, begun
from tests.laws.test_laws import BEGIN


def pays(wait: int, amount: str, payment_id: str = "a", *, in_flight: bool = False) -> Happening:
    content = {"payment_id": payment_id, "amount": amount, "currency": "EUR"}
    return Happening(wait, "payment_received", content, in_flight)


def reverses(wait: int, payment_id: str = "a", *, in_flight: bool = False) -> Happening:
    return Happening(wait, "payment_reversed", {"payment_id": payment_id, "reason": "chargeback"}, in_flight)


def says(wait: int, name: str, **content: Any) -> Happening:
    return Happening(wait, name, content)


def lived(happenings: list[Happening], ladder: str = "gentle-saas") -> Life:
    """A life on that ladder to its end, begun three weeks before its day; told in hours since then."""
    life = begun(the_ladders()[ladder], BEGIN)
    life.live_through(happenings)
    return life


def test_no_letter_is_forgotten_on_a_reversal() -> None:
    """G3: two letters had left before the money came; when the bank takes it back, neither leaves again."""
    life = lived([pays(800, "1200.00"), reverses(30)])
    letters = [one.key for one in life.sent if one.ladder]
    assert letters == ["first-reminder", "second-reminder", "restrict", "last-letter", "hand-over"]


def test_a_reversal_after_the_restriction_repeats_its_announcement_and_it() -> None:
    life = lived([pays(1100, "1200.00"), reverses(30)])
    letters = [one.key for one in life.sent if one.ladder]
    assert letters == [
        "first-reminder",
        "second-reminder",
        "restrict",
        "second-reminder.again1",
        "restrict.again1",
        "last-letter",
        "hand-over",
    ]


@pytest.mark.parametrize("in_flight", [True, False], ids=["while it is on its way", "just after it"])
def test_money_that_comes_and_goes_around_a_restriction(in_flight: bool) -> None:
    """G7: the payment frees the account of the hold just placed; it is announced anew a day later, then back."""
    due = 42 * 24 + 1
    life = lived(
        [pays(due - 5 if in_flight else due + 1, "1200.00", in_flight=in_flight), reverses(0, in_flight=in_flight)]
    )
    assert (life.case.stage, life.holds) == (Stage.HANDED_OVER, {Level.RESTRICTED})
    assert [f"{one.key} {one.at:%d.%m.}" for one in life.sent if one.step == "restrict"] == [
        "restrict 22.03.",
        "restrict.again1 29.03.",
    ]


def test_two_parts_in_one_night_are_thanked_for_once() -> None:
    """Each thanks says what is open when it leaves: two of the same morning said the same."""
    night = 23 * 24 + 14  # three weeks after the invoice, in the evening
    life = lived([pays(night, "300.00"), pays(1, "200.00", "b")])
    thanks = [one for one in life.sent if one.step.startswith("part-received")]
    assert [one.key for one in thanks] == ["part-received~2"]


def test_what_announced_a_restriction_is_not_sent_elsewhere_while_grace_runs() -> None:
    """G1: the restriction's message bounced before the one that names the end of grace; only the second is sent
    elsewhere, and nothing asks for money before grace is over.
    """
    life = begun(the_ladders()["gentle-saas"], BEGIN)
    life.deliveries = [("delivered", 1), ("delivered", 1), ("bounced", 5), ("bounced", 1)]
    life.live_through([says(42 * 24 + 6, "grace_granted", until="2027-03-25", by="user")])
    assert [f"{one.key} {one.at:%d.%m.}" for one in life.sent[2:6]] == [
        "restrict 22.03.",
        "grace-confirmed~1 22.03.",
        "grace-confirmed~1 22.03.",
        "restrict.grace1 25.03.",
    ]


@pytest.mark.parametrize(
    ("agreed", "confirmed"),
    [
        (says(24, "promise_to_pay", date="2027-03-12", promised_by="user"), "promise-confirmed"),
        (says(24, "payment_plan_agreed", instalments=[{"date": "2027-03-12", "amount": "1200"}], by="a"), "plan"),
        (says(24, "dispute_opened", reason="quality", opened_by="user"), "dispute-received"),
    ],
    ids=["promise", "plan", "dispute"],
)
def test_a_confirmation_that_did_not_arrive_is_sent_elsewhere_at_once(agreed: Happening, confirmed: str) -> None:
    """It used to wait for the end of what it confirms, and was left out then as its subject was gone."""
    life = begun(the_ladders()["gentle-saas"], BEGIN)
    life.deliveries = [("delivered", 1), ("bounced", 1)]
    life.live_through([says(22 * 24, "resume", by="a"), agreed])
    first, second = (one for one in life.sent if one.step.startswith(confirmed) and one.step.endswith("~1"))
    assert second.again and second.at - first.at == timedelta(hours=1)


@pytest.mark.parametrize(
    ("word", "ends"),
    [
        # 700.00 of the 700.00 promised came, whatever became of the 500.00 that were there before
        (says(24, "promise_to_pay", date="2027-03-10", amount="700.00", promised_by="user"), "kept"),
        (says(24, "payment_plan_agreed", instalments=[{"date": "2027-03-10", "amount": "700.00"}], by="a"), None),
    ],
    ids=["promise", "plan"],
)
def test_an_older_payment_taken_back_does_not_break_a_word(word: Happening, ends: str | None) -> None:
    life = lived([pays(560, "500.00"), word, reverses(24), pays(24, "700.00", "b")])
    assert [promise.state for promise in life.case.agreements.promises] == ([ends] if ends else [])
    assert (life.case.agreements.plan, life.case.agreements.missed, life.case.open_amount) == (
        None,
        None,
        Decimal("500.00"),
    )


def test_a_hurried_step_that_came_too_soon_waits() -> None:
    """G4: a broken promise hurries the next letter, which came too soon after another: not looked at in circles."""
    life = begun(the_ladders()["gentle-saas"], BEGIN)
    life.case.progress.hurry, life.case.outstanding.blocked_step = True, "first-reminder"
    life.case.outstanding.blocked_until = datetime(2027, 3, 2, 8, 30, tzinfo=UTC)
    action = next_action.next_action(life.case, life.policy, life.calendar, datetime(2027, 3, 2, 8, tzinfo=UTC))
    assert action is not None
    assert (action.step, action.at) == ("first-reminder", life.case.outstanding.blocked_until)


def test_a_due_date_that_moves_on_the_day_of_a_letter_brings_no_call_on_that_day() -> None:
    """G5: the call before the new due date keeps the gap after the letter of the round that is over."""
    amended = says(22 * 24 + 2, "invoice_amended", due_on="2027-03-05", by="a")  # an hour after the letter
    life = lived([amended], "gradual-pressure")
    assert [f"{one.key} {one.at:%d.%m. %H:%M}" for one in life.sent][2:5] == [
        "letter 02.03. 09:00",
        "early-call.round2 03.03. 09:00",
        "due-call.round2 05.03. 11:00",
    ]


@pytest.mark.parametrize(
    ("day", "left"),
    [(30, ["first-reminder"]), (37, ["first-reminder", "second-reminder", "nothing-to-pay~1"])],
    ids=["nothing announced yet", "a restriction announced"],
)
def test_a_cancellation_takes_back_in_writing_what_was_announced(day: int, left: list[str]) -> None:
    """The workflow did so, and the model did not: none of its steps announced anything."""
    life = lived([says(day * 24, "cancel", reason="credit-note", by="a")])
    assert [one.step for one in life.sent] == left
