"""Moving a case to another version of its ladder: what is left out, what is refused, what stays."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dunwell.domain import next_action
from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.events import Pause, PaymentReceived, PaymentReversed, PolicyMoved, PromiseToPay, Resume
from dunwell.domain.ladder import NextAction
from dunwell.domain.policy import Policy, PolicyRef, PromiseRules, Reactions, Rules, Step, When
from dunwell.domain.policy_move import Move, preview
from dunwell.domain.refusal import Refused
from dunwell.domain.step_outcome import StepOutcome
from dunwell.domain.terms import Level, Role, Stage
from dunwell.gateways.holidays import HolidayLibrary
from tests.builders import at

NOW = at("2027-03-10 09:00")


def a_letter(name: str, after: str, days: int = 5, **changes: Any) -> Step:
    facts: dict[str, Any] = {
        "id": name,
        "when": When(anchor=after, offset=days),
        "to": (Role.ACCOUNTS_PAYABLE,),
        "by": (Channel.EMAIL,),
        "message": "reminder-first",
        "asks": True,
        "days_after_due": days,
    }
    return Step(**facts | changes)


def a_ladder(version: int, *steps: Step, **changes: Any) -> Policy:
    return Policy(**{"name": "letters", "version": version, "title": "Letters", "steps": steps} | changes)


def letters(version: int, names: str) -> Policy:
    """ "a b c": three letters, each five days after the one above."""
    ids = names.split()
    return a_ladder(version, *(a_letter(name, after) for name, after in zip(ids, ["due", *ids], strict=False)))


ONE = letters(1, "a b c d")


def a_case(done: str = "", **changes: Any) -> Case:
    facts: dict[str, Any] = {
        "invoice_id": "inv-1",
        "customer_id": "acme",
        "policy": PolicyRef(name="letters", version=1),
        "rules": Rules(promises=PromiseRules(), reactions=Reactions()),
        "currency": "EUR",
        "digits": 2,
        "issued_on": date(2027, 2, 1),
        "due_on": date(2027, 3, 1),
        "amount": Decimal("1200.00"),
    }
    case = Case(**facts | changes)
    for number, step in enumerate(done.split()):
        case.take(StepOutcome(step=step, status="done", at=at("2027-03-02 09:00") + timedelta(days=number)))
    return case


def the_calendar() -> BusinessCalendar:
    days = (date(2027, 1, 1), date(2028, 12, 31))
    return HolidayLibrary().calendar("DE", "Europe/Berlin", ("09:00", "17:00"), *days)


def seen(case: Case, new: Policy, old: Policy = ONE) -> Move:
    return preview(case, old, new, the_calendar(), NOW, "operator")


def move(case: Case, new: Policy, old: Policy = ONE) -> list[str]:
    """Move it for good and return the reasons said."""
    found = seen(case, new, old)
    assert found.refused is None, found.refused
    return [said.reason for said in case.apply(found.event, NOW)]


def next_step(case: Case, policy: Policy) -> str | None:
    action = next_action.next_action(case, policy, the_calendar(), NOW)
    return action.step if action else None


@pytest.mark.parametrize(
    ("done", "new", "left_out", "then"),
    [
        # nothing is done yet: all of the new version comes
        ("", "x a b", [], "x"),
        # a step that is done is never repeated
        ("a b", "a b c d", [], "c"),
        # a new step below the last one done comes in its turn
        ("a", "a x b", [], "x"),
        # above it, it is left out: no earlier letter after a later one
        ("a b", "a x b c", ["x"], "c"),
        ("a b", "x y a z b c", ["x", "y", "z"], "c"),
        # what the new version does not have is kept in history and does not matter
        ("a b", "a c d", [], "c"),
        ("a b", "x y", [], "x"),
        # the last step known to the new version decides, whatever was done after it
        ("a b c", "x a y", ["x"], "y"),
        # another order: the one furthest down decides
        ("a b", "b x a c", ["x"], "c"),
        # nothing is left to do
        ("a b", "a b", [], None),
        ("a b", "x b", ["x"], None),
    ],
)
def test_what_is_left_out_and_what_comes(done: str, new: str, left_out: list[str], then: str | None) -> None:
    case, policy = a_case(done), letters(2, new)
    found = seen(case, policy)
    assert list(found.passed) == left_out
    said = move(case, policy)
    assert (left_out == []) == ("left out" not in said[0])
    assert next_step(case, policy) == then
    assert [one.step for one in case.progress.steps if one.outcome == "done"] == done.split()


names = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=6)


@given(names, names.filter(bool))
def test_law_no_step_is_repeated_and_none_stands_above_a_done_one(done: Sequence[str], new: Sequence[str]) -> None:
    case, policy = a_case(" ".join(done)), letters(2, " ".join(new))
    move(case, policy)
    to_come = [step.id for step in policy.steps if step.id not in {one.step for one in case.progress.steps}]
    assert not set(to_come) & set(done)
    reached = max((new.index(step) for step in done if step in new), default=-1)
    assert all(new.index(step) > reached for step in to_come)


def test_version_rules_and_history_follow() -> None:
    case = a_case("a")
    new = a_ladder(2, *ONE.steps, promises=PromiseRules(limit=5), reactions=Reactions(paid="thank-you"))
    before = case.revision
    case.next_action = NextAction(step="b", at=NOW + timedelta(days=1), why="a + 5 days")
    assert move(case, new) == ["from letters@1 to @2 by operator"]
    assert case.policy == PolicyRef(name="letters", version=2)
    assert case.former == [PolicyRef(name="letters", version=1)]
    assert (case.rules.promises.limit, case.rules.reactions.paid) == (5, "thank-you")
    assert case.revision == before + 1
    assert case.next_action is None  # the old version's plan is not carried out any more
    assert case.outstanding.owed == []


def test_a_move_leaves_a_day_to_look_at_it() -> None:
    """The new version's step is long overdue; it comes a day later, not at once."""
    case, new = a_case("a"), a_ladder(2, ONE.step("a"), a_letter("x", "a", 1), ONE.step("b"))
    # a step of the old version that had to wait does not matter any more
    case.take(StepOutcome(step="b", status="blocked", at=NOW, until=NOW + timedelta(days=7)))
    after = seen(case, new).after
    assert after is not None
    assert after.step == "x"
    assert NOW + timedelta(days=1) <= after.at < NOW + timedelta(days=2)


def test_an_answer_is_not_held_back_by_the_day_of_quiet() -> None:
    case, new = a_case("a"), a_ladder(2, *ONE.steps, reactions=Reactions(part_paid="part-received"))
    move(case, new)
    case.apply(CHANGES["money came"], NOW)
    answer = next_action.next_action(case, new, the_calendar(), NOW)
    assert answer is not None
    assert (answer.step, answer.at) == ("part-received~1", NOW)


def test_the_preview_names_what_vanishes_and_what_appears() -> None:
    case = a_case("a")
    case.next_action = NextAction(step="b", at=NOW + timedelta(days=1), why="a + 5 days")
    found = seen(case, letters(2, "a x b d"))
    assert (found.vanish, found.appear) == (("c",), ("x",))
    assert found.before == case.next_action
    assert case.policy.version == 1  # only a copy was moved


CHANGES: dict[str, Any] = {
    "money came": PaymentReceived.model_validate({"payment_id": "p1", "amount": "10.00", "currency": "EUR"}),
    "a promise": PromiseToPay(date=date(2027, 3, 12), promised_by="user"),
}


@pytest.mark.parametrize("change", [*CHANGES, "a step", "another version", "a pause and its end"])
def test_a_case_that_changed_since_it_was_seen_refuses(change: str) -> None:
    case = a_case("a")
    event = seen(case, letters(2, "a x b")).event
    match change:
        case "a step":
            case.take(StepOutcome(step="b", status="done", at=NOW))
        case "another version":
            move(case, letters(3, "a b"))
        case "a pause and its end":
            case.apply(Pause(reason="audit", by="agent-7"), NOW)
            case.apply(Resume(by="agent-7"), NOW)
        case _:
            case.apply(CHANGES[change], NOW)
    with pytest.raises(Refused, match="fingerprint: the case has changed"):
        case.apply(event, NOW)


@pytest.mark.parametrize(
    "edit",
    [
        {"to_version": 3},
        {"steps": ("a", "b")},
        {"digest": "0" * 16},
        {"promises": PromiseRules(limit=9)},
        {"reactions": Reactions(paid="thank-you")},
    ],
    ids=lambda edit: next(iter(edit)),
)
def test_the_fingerprint_covers_the_move_itself(edit: dict[str, Any]) -> None:
    case = a_case("a")
    event: PolicyMoved = seen(case, letters(2, "a x b")).event.model_copy(update=edit)
    with pytest.raises(Refused, match="fingerprint"):
        case.apply(event, NOW)


@pytest.mark.parametrize(
    ("new", "changes", "field"),
    [
        (letters(1, "a b"), {}, "to_version"),
        (letters(2, "a b").model_copy(update={"name": "others"}), {}, "name"),
        (letters(2, "a b"), {"ended": Stage.WRITTEN_OFF}, "stage"),
        # its step may be on its way
        (letters(2, "a b"), {"next_action": NextAction(step="b", at=NOW, why="")}, "stage"),
    ],
)
def test_a_case_that_cannot_be_moved_says_why(new: Policy, changes: dict[str, Any], field: str) -> None:
    case = a_case("a", **changes)
    before = case.model_dump()
    assert str(seen(case, new).refused).startswith(f"{field}: ")
    assert case.model_dump() == before


# Consequences --------------------------------------------------------------------------------------------

RESTRICT = a_letter("restrict", "b", access=Level.RESTRICTED, asks=False)
ON_X = RESTRICT.model_copy(update={"when": When(anchor="x", offset=9)})
WARNING = a_letter("b", "a", announces=("restrict",))
OLD = a_ladder(1, a_letter("a", "due"), WARNING, RESTRICT)


@pytest.mark.parametrize(
    ("done", "new", "refused"),
    [
        # the announcement is still to come
        ("a", a_ladder(2, a_letter("a", "due"), a_letter("x", "a", announces=("restrict",)), ON_X), False),
        # it was made under the old version, for the same consequence
        ("a b", a_ladder(2, a_letter("a", "due"), a_letter("x", "a"), WARNING, RESTRICT), False),
        (
            "a b",
            a_ladder(2, a_letter("b", "due"), RESTRICT.model_copy(update={"id": "limit"})),
            False,
        ),
        # it would be left out, and nobody was ever told
        (
            "a",
            a_ladder(2, a_letter("x", "due", announces=("restrict",)), a_letter("a", "x"), ON_X),
            True,
        ),
        # what was announced is something else
        (
            "a b",
            a_ladder(
                2,
                a_letter("x", "due", announces=("court",)),
                a_letter("b", "x"),
                a_letter("court", "b", stage=Stage.LEGAL, asks=False),
            ),
            True,
        ),
    ],
)
def test_no_consequence_comes_unannounced(done: str, new: Policy, refused: bool) -> None:
    found = seen(a_case(done), new, OLD)
    assert (found.refused is not None and "unannounced" in found.refused) is refused


def test_what_a_reversal_calls_for_again_is_not_left_out() -> None:
    """Restricted, then a later letter, then paid, then taken back: the restriction is due again."""
    old = a_ladder(1, *OLD.steps, a_letter("last", "restrict"))
    case = a_case("a b")
    case.take(StepOutcome(step="restrict", status="done", at=NOW, placed_hold=True))
    case.take(StepOutcome(step="last", status="done", at=NOW))
    case.apply(CHANGES["money came"].model_copy(update={"amount": Decimal("1200.00")}), NOW)
    case.apply(PaymentReversed(payment_id="p1", reason="R01"), NOW)
    new = a_ladder(2, *old.steps, a_letter("more", "last"))
    move(case, new, old)
    assert next_step(case, new) == "restrict"


# Bounces -------------------------------------------------------------------------------------------------


def test_a_bounce_of_a_step_that_is_gone_is_not_followed() -> None:
    case = a_case("a b")
    case.reach_further("a")
    case.reach_further("b")
    move(case, letters(2, "b c"))
    assert case.outstanding.again == ["b"]
    case.reach_further("a")  # its bounce comes only now
    case.reach_further("thank-you~1")  # an answer belongs to no ladder
    assert case.outstanding.again == ["b", "thank-you~1"]


def test_d4_every_step_that_changes_is_shown_not_only_the_next() -> None:
    later = a_letter("c", "b", 9).model_copy(update={"message": "final-warning", "by": (Channel.SMS,)})
    new = a_ladder(2, ONE.step("a"), ONE.step("b"), later, ONE.step("d"), gap_days=4)
    found = seen(a_case("a"), new)
    changes = {one.step: one.what for one in found.changes}
    assert list(changes) == ["b", "c", "d"]  # b waits for the quiet day after a move, and d moves along with c
    assert changes["c"][0].startswith("when: 2027-03-")
    assert set(changes["c"][1:]) >= {f"message: {ONE.step('c').message} -> final-warning", "by: email -> sms"}
    assert [what.partition(":")[0] for what in changes["d"]] == ["when"]
    assert found.rules == ("gap_days: 1 -> 4",)


def test_d4_a_version_that_says_the_same_changes_times_only() -> None:
    found = seen(a_case("a"), letters(2, "a b c d"))
    assert [one.step for one in found.changes] == ["b", "c"]  # they wait for the quiet day after a move
    assert all(what.startswith("when: ") for one in found.changes for what in one.what)
    assert (found.rules, found.vanish, found.appear) == ((), (), ())
