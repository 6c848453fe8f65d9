"""A case lived through without engine and database: the workflow's loop around the same pure model.

Every message, hold and payment is put down at the moment it happens, and each is held against the guarantees then.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal
from zoneinfo import ZoneInfo

from dunwell.domain import grace, ladder, next_action
from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.events import parse_event
from dunwell.domain.keys import StepId, StepKey
from dunwell.domain.ladder import Verdict
from dunwell.domain.policy import Policy, PolicyRef, Rules, Step
from dunwell.domain.refusal import Refused
from dunwell.domain.step_outcome import Said, StepOutcome
from dunwell.domain.terms import Late, Level, Stage
from tests.builders import the_traits
from tests.laws.owed import Owed

Fate = Literal["delivered", "bounced", "silent"]
FATES: tuple[Fate, ...] = ("delivered", "delivered", "bounced", "silent")
Delivery = tuple[Fate, int]
"""What becomes of a message, and after how many hours somebody says so."""

_LOOK_AGAIN = timedelta(days=7)
_MOST_ACTS = 60
_QUIET = timedelta(days=700)
_MOST_REACHED = 4
_AGREED = {Stage.PLAN, Stage.PROMISED}


@dataclass(frozen=True)
class Happening:
    """After `wait` hours somebody says `name`, or the machines are out for `content["hours"]`.

    in_flight: it comes while the next step is being carried out, after its messages have left.
    """

    wait: float
    name: str
    content: dict[str, Any]
    in_flight: bool = False

    def dated(self, today: date) -> "Happening":
        """The same with the day that was drawn as so many days `ahead` of the one on which it is said."""
        content = dict(self.content)
        ahead = content.pop("ahead", None)
        if ahead is None:
            return self
        return replace(self, content=content | {"until": (today + timedelta(days=ahead)).isoformat()})


@dataclass(frozen=True)
class Sent:
    """A message that left. `step` is its key, which differs from the ladder's name after a reversal.

    asks: it asks for money, in writing.
    """

    key: str
    step: str
    at: datetime
    ladder: Step | None
    again: bool
    asks: bool
    round: int = 1


@dataclass
class Life:
    """One invoice from before it is due until long after everybody went quiet."""

    policy: Policy
    calendar: BusinessCalendar
    case: Case
    now: datetime
    deliveries: list[Delivery]
    fallback: Delivery = ("delivered", 1)
    sent: list[Sent] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    arrived: dict[str, datetime] = field(default_factory=dict)
    holds: set[Level] = field(default_factory=set)
    live: dict[str, Decimal] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    earlier: set[str] = field(default_factory=set)
    """The payments that were there when the last word was given: no part of it."""
    quiet: timedelta = _QUIET
    """How long the life goes on after everybody has spoken."""
    post_from: datetime | None = None
    """The post comes once a day, counted from then; None: whenever there is some."""
    refused: int = 0
    owed: Owed | None = None
    """What its customer owes beside the principal, too; None: only the principal is claimed."""
    _reached: dict[str, int] = field(default_factory=dict)
    _mail: list[tuple[datetime, int, str, Fate, int]] = field(default_factory=list)
    _round: int = 1
    _asleep_until: datetime | None = None
    _in_flight: list[Happening] = field(default_factory=list)

    def live_through(self, happenings: list[Happening]) -> None:
        """Everything in order, then silence until nothing is left to wait for."""
        if self.policy.hold:
            self.holds.add(self.policy.hold)
        self._plan()
        for drawn in happenings:
            self._advance(self.now + timedelta(hours=drawn.wait))
            happening = drawn.dated(self.calendar.local_date(self.now))
            if happening.name == "outage":
                self._asleep_until = self.now + timedelta(hours=happening.content["hours"])
                self._sleep()
            elif happening.in_flight:
                self._in_flight.append(happening)
            else:
                self._hear(happening)
        self._advance(self.now + self.quiet)
        self._law_g4_nothing_is_lost()
        self._law_g10_claim()

    # The workflow's loop ---------------------------------------------------------------------------------

    def _sleep(self) -> None:
        """Nobody works: what falls due meanwhile is found late."""
        if self._asleep_until:
            self.now, self._asleep_until = self._asleep_until, None

    def _advance(self, to: datetime) -> None:
        acts, last = 0, self.now
        while True:
            action = self.case.next_action
            mail = self._mail[0][0] if self._mail else None
            due = min((moment for moment in (action and action.at, mail) if moment), default=None)
            if due is None or due > to:
                self.now = max(self.now, to)
                return
            self.now = max(self.now, due)
            acts, last = (acts + 1, last) if self.now == last else (0, self.now)
            assert acts < _MOST_ACTS, f"G4: goes in circles at {self.now}: {action}"
            if mail is not None and mail <= self.now:
                self._deliver()
            elif action is not None:
                self._act(action.step)

    def _plan(self) -> None:
        case = self.case
        offset = self.now.astimezone(self.calendar.zone).utcoffset() or timedelta()
        case.utc_offset_minutes = int(offset.total_seconds() // 60)
        case.holds = sorted(self.holds)
        case.next_action = next_action.next_action(case, self.policy, self.calendar, self.now)

    def _hear(self, happening: Happening) -> None:
        case = self.case
        before, promises, planned = (
            case.model_dump_json(),
            len(case.agreements.promises),
            case.agreements.plan is not None,
        )
        owed_before, over = self._owed_in_all(), case.ended is not None
        try:
            said = case.apply(parse_event(happening.name, [happening.content]), self.now)
        except Refused:
            self.refused += 1
            assert case.model_dump_json() == before, f"G12: refused, and changed by {happening}"
            said = []
        self._count_money(happening, said)
        if self.owed and said:
            self._book(self.owed, happening, owed_before, over=over)
        if len(case.agreements.promises) > promises or (case.agreements.plan and not planned):
            self.earlier = set(self.live)
        self._follow()
        self._plan()
        self._laws_of_state()

    def _count_money(self, happening: Happening, said: list[Said]) -> None:
        """A list of payments of its own beside the model's."""
        if not said:
            return
        payment = happening.content.get("payment_id", "")
        if happening.name == "payment_received":
            self.live[payment] = Decimal(happening.content["amount"])
        elif happening.name == "payment_reversed":
            self.live[payment] -= Decimal(happening.content.get("amount") or self.live[payment])
            if not self.live[payment]:
                del self.live[payment]
                self.gone.add(payment)

    def _owed_in_all(self) -> Decimal | None:
        """None where a rest is given up, whose days count again once it is not, or all of it."""
        if self.owed is None or self.owed.given_up or self.owed.written_off_on:
            return None
        return self.owed.balance(self.case, self.owed.day(self.now))

    def _book(self, owed: Owed, happening: Happening, before: Decimal | None, *, over: bool) -> None:
        paid = owed.paid
        owed.book(happening.name, happening.content, self.now, over=over)
        after = self._owed_in_all()
        if happening.name == "payment_reversed" and before is not None and after is not None:
            owed.law_g10_what_is_taken_back_is_owed_again(before, after, paid - owed.paid)

    def _follow(self) -> None:
        if (
            self.case.progress.round != self._round
        ):  # the due date moved: what was said and done before counts no more
            self._round = self.case.progress.round
            self.holds -= {Level.RESTRICTED, Level.SUSPENDED}
            self.arrived.clear()
            self._reached.clear()
        if self.case.frees_account:
            self.holds.clear()
        elif self.case.gives_access_back:
            self.holds -= {Level.RESTRICTED, Level.SUSPENDED}
        elif self.case.reopened and self.policy.hold:
            self.holds.add(self.policy.hold)

    def _act(self, step: str) -> None:
        case = self.case
        if step in next_action.DATES:
            self._law_g10_no_word_is_broken_that_was_kept(step)
            due = {
                next_action.PROMISE_DUE: case.promise_due,
                next_action.INSTALMENT_DUE: case.instalment_due,
                next_action.PAUSE_OVER: case.pause_over,
                next_action.CALL_OVER: case.call_over,
                next_action.REPLY_DUE: case.reply_due,
            }.get(step, case.wait_over)
            assert due(self.now), f"G4: {step} came and nothing was waiting for it"
        else:
            outcome = self._carry_out(step).model_copy(update={"round": case.progress.round})
            while self._in_flight:
                self._hear(self._in_flight.pop(0))
            ended = case.ended
            case.take(outcome)
            if self.owed and case.ended is Stage.WRITTEN_OFF is not ended:
                self.owed.written_off_on = self.owed.day(self.now)
            self._follow()
        self._plan()
        self._laws_of_state()

    # A step ----------------------------------------------------------------------------------------------

    def _carry_out(self, step: str) -> StepOutcome:  # noqa: PLR0911 - one a kind of step
        if not self.calendar.is_open(self.now):
            return StepOutcome(step=step, status="delayed", at=self.now, until=self.calendar.next_open(self.now))
        if step == grace.GRACE_OVER:
            return self._return()
        if StepId.parse(step).persons_answer is not None:
            self.answered.append(step)
            return StepOutcome(step=step, status="done", at=self.now)
        if step in self.case.outstanding.again:
            return self._reach_further(step)
        message = next_action.answer_message(step)
        if message is None:
            return self._step(self.policy.step(step))
        if not next_action.is_wanted(self.case, step, asks=the_traits()[message].asks):
            return StepOutcome(step=step, status="skipped", at=self.now)
        self._send(step)
        return StepOutcome(step=step, status="done", at=self.now)

    def _reach_further(self, step: str) -> StepOutcome:
        until = self._too_soon(step)
        if until is not None:
            return StepOutcome(step=step, status="delayed", at=self.now, until=until)
        self._send(step, again=True)
        return StepOutcome(step=step, status="done", at=self.now)

    def _return(self) -> StepOutcome:
        """What grace had lifted is restricted again, once its warnings still prove it."""
        restricting = [self.policy.step(one) for one in self.case.progress.consequences]
        step = [one for one in restricting if one.restricts][-1]
        until = self._proof_missing(step) or self._too_soon(step.id)
        if until is not None:
            return StepOutcome(step=grace.GRACE_OVER, status="delayed", at=self.now, until=until)
        self._law_g6_named_before(step)
        self._law_g2_proof(step)
        self._law_g1_silent(grace.GRACE_OVER)
        self.holds |= {Level(str(one.access)) for one in restricting if one.restricts}
        number = self.case.agreements.graces
        if step.message:
            self._send(step.id, step, after_grace=number)
        return StepOutcome(step=grace.GRACE_OVER, status="done", at=self.now, threat=True, returned=step.id)

    def _law_g6_named_before(self, step: Step) -> None:
        """Nothing is restricted again before the day of the grace, nor before a message has named that day."""
        running = self.case.agreements.grace
        assert running is not None, f"G6: {step.id} returns without grace"
        assert self.calendar.local_date(self.now) >= running.until, f"G6: {step.id} before {running.until}"
        assert any(one.step == running.answer for one in self.sent), (
            f"G6: {step.id} returns on a day that nobody named"
        )

    def _step(self, step: Step) -> StepOutcome:
        case, now = self.case, self.now
        judged = ladder.judge(self.policy, next_action.standing(case), self.calendar, now)
        assert judged is not None and judged.step == step.id, f"G4: agenda says {step.id}, the ladder {judged}"
        late = judged.verdict is Verdict.LATE
        if late and judged.do is Late.SKIP:
            self._law_g4_only_what_may_be_skipped(step)
            return StepOutcome(step=step.id, status="skipped", at=judged.planned)
        until = self._proof_missing(step)
        if until is not None:
            return StepOutcome(step=step.id, status="blocked", at=now, until=until)
        until = self._too_soon(step.id)
        if until is not None:
            return StepOutcome(step=step.id, status="delayed", at=now, until=until)
        self._law_g4_in_order(step)
        self._law_g2_proof(step)
        if step.access:
            self._law_g1_silent(step.id)
            self.holds.add(Level(step.access))
        if step.message:
            self._send(step.id, step)
        return StepOutcome(
            step=step.id,
            status="done",
            at=now,
            shift=judged.shift if late and judged.do is Late.SHIFT else 0,
            legal=step.stage is not None,
            threat=step.consequence or bool(step.announces),
            announces=step.announces,
            ends=step.ends,
            placed_hold=step.access is not None,
            reopened=case.reopened if step.access else None,
        )

    def _proof_missing(self, step: Step) -> datetime | None:
        """When to look again, as the proof's own activity says it."""
        if step.needs is None:
            return None
        warnings = [at for warned, at in self.arrived.items() if warned != step.id]
        wanted = max(step.needs.delivered_warnings, self.policy.warnings_before_restriction if step.restricts else 0)
        if len(warnings) < wanted:
            return self.now + _LOOK_AGAIN
        ready = max(warnings) + timedelta(days=step.needs.days)
        return ready if ready > self.now else None

    def _too_soon(self, step: str) -> datetime | None:
        """When a letter may follow the last one that asked, counted in hours as the cap counts them."""
        rung = self._rung(step)
        if rung is None or not rung.written:
            return None
        gap = timedelta(days=self.policy.gap_days)
        asked = [one.at for one in self.sent if one.asks and one.at > self.now - gap]
        return self.calendar.next_open(asked[-1] + gap) if asked else None

    def _rung(self, step: str) -> Step | None:
        return next((one for one in self.policy.steps if one.id == step), None)

    def _send(self, step: str, rung: Step | None = None, *, again: bool = False, after_grace: int = 0) -> None:
        own = rung or self._rung(step)
        again_after = self.case.reopened if step in self.case.progress.redo else 0
        round_ = self.case.progress.round if own else 1
        key = str(StepKey(step=step, round=round_, again=again_after, grace=after_grace))
        written = own is None or own.written
        says = own.message if own else next_action.answer_message(step)
        asks = written and the_traits()[str(says)].asks
        message = Sent(key, step, self.now, own, again, asks, self.case.progress.round)
        self._laws_of_message(message)
        self.sent.append(message)
        if not written:
            return
        fate, hours = self.deliveries.pop(0) if self.deliveries else self.fallback
        heapq.heappush(
            self._mail, (self.arrival(self.now, hours), len(self.sent), step, fate, self.case.progress.round)
        )

    def arrival(self, sent: datetime, hours: int) -> datetime:
        """When somebody says what became of a message."""
        at, day = sent + timedelta(hours=hours), timedelta(days=1)
        return at if self.post_from is None else self.post_from - (self.post_from - at) // day * day

    def _deliver(self) -> None:
        """A provider's word about a message, or its silence, reaches the case."""
        at, _, step, fate, round_ = heapq.heappop(self._mail)
        rung = self._rung(step)
        if rung is not None and round_ != self.case.progress.round:
            return  # of a round that is over: it proves nothing, and reaches no further
        if fate == "delivered":
            if self.owed and rung is not None and rung.warning:
                self.owed.warned_at.append(at)
            if rung is not None and rung.warning:
                self.arrived[step] = at
            self.case.outstanding.blocked_until = None
        elif self._reached.setdefault(step, 0) < _MOST_REACHED:
            self._reached[step] += 1
            self.case.reach_further(step)
        self._plan()

    # The laws --------------------------------------------------------------------------------------------

    def _laws_of_message(self, message: Sent) -> None:
        self._law_g5_window(message)
        self._law_g3_once(message)
        self._law_heard(message)
        key = message.ladder.message if message.ladder else next_action.answer_message(message.step)
        if message.ladder is not None or the_traits()[str(key)].asks:
            self._law_g1_silent(message.step)
        if message.ladder is not None and message.ladder.claims:
            self._law_g10_claim(self.policy.pay_days)
        if message.ladder is not None and not message.again and StepKey.parse(message.key).grace == 0:
            self._law_g5_gap(message)
            self._law_g4_in_its_time(message.ladder)

    def _law_heard(self, message: Sent) -> None:
        """Nothing leaves by itself while a reply waits for a person; money may be thanked for."""
        case = self.case
        assert case.ended or not case.agreements.replies, f"{message.key} although a reply waits for a person"

    def _law_g1_silent(self, step: str) -> None:
        """Nothing is asked for, and nothing taken away, once the money is there, nor while a good word runs."""
        case = self.case
        assert case.asked > 0, f"G1: {step} although {case.asked} may be asked for"
        rests = case.rests_beside_grace if step == grace.GRACE_OVER or self._returns(step) else case.resting
        assert not rests or self._reminds(step), f"G1: {step} although the case is {case.stage}"
        assert case.money.paid < case.money.amount, f"G1: {step} after {case.money.paid} of {case.money.amount}"

    def _returns(self, step: str) -> bool:
        """Whether this step is being carried out again after grace."""
        action = self.case.next_action
        return action is not None and action.step == grace.GRACE_OVER and step in self.case.progress.consequences

    def _reminds(self, step: str) -> bool:
        """Whether the step is the word before the very day that is agreed now."""
        case = self.case
        agreed = case.agreements.plan.next if case.agreements.plan else case.agreements.promise
        return agreed is not None and case.stage in _AGREED and step.endswith(f"-due~{agreed.date}")

    def _law_g2_proof(self, step: Step) -> None:
        """Counted from the messages themselves and not from what the step was allowed."""
        if not step.restricts:
            return
        told = (one for one in self.sent if one.round == self.case.progress.round)
        warnings = (one for one in told if one.ladder and one.ladder.warning and one.step != step.id)
        warned = {one.step for one in warnings if one.step in self.arrived}
        wanted = self.policy.warnings_before_restriction
        assert len(warned) >= wanted, f"G2: {step.id} after {sorted(warned)} of {wanted}"
        assert step.needs is not None
        last = max(self.arrived[one] for one in warned)
        assert self.now - last >= timedelta(days=step.needs.days), f"G2: {step.id} too soon after {last}"

    def _law_g3_once(self, message: Sent) -> None:
        if not message.again:
            assert all(one.key != message.key or one.again for one in self.sent), f"G3: {message.key} twice"

    def _law_g4_in_order(self, step: Step) -> None:
        """Every step above is behind, and no warning or announcement was left out on the way to a consequence."""
        behind = {done.step: done.outcome for done in self.case.progress.steps}
        for earlier in self.policy.steps:
            if earlier.id == step.id:
                return
            if not self.policy.applies(earlier, self.case.asked):
                continue
            assert earlier.id in behind, f"G4: {step.id} before {earlier.id}"
            if step.consequence and (earlier.warning or step.id in earlier.announces):
                assert behind[earlier.id] == "done", f"G4: {step.id} though {earlier.id} was left out"

    def _law_g4_only_what_may_be_skipped(self, step: Step) -> None:
        assert step.late is Late.SKIP, f"G4: {step.id} was left out"
        assert not step.consequence and not step.announces, f"G4: {step.id} was left out"

    def _law_g4_in_its_time(self, step: Step) -> None:
        """What speaks of a due date to come, and may be left out, is not said once that day is over."""
        if step.late is Late.SKIP and step.days_after_due is not None and not step.chasing:
            today, last = self.calendar.local_date(self.now), self.calendar.next_business_day(self.case.due_on)
            assert today <= last, f"G4: {step.id} on {today}, due on {self.case.due_on}"

    def _law_g4_nothing_is_lost(self) -> None:
        """After long silence a case has ended, or waits for a person and says for which."""
        case = self.case
        if (
            case.ended
            or case.agreements.pauses
            or case.agreements.replies
            or (case.agreements.dispute and case.asked == 0)
        ):
            waits = case.agreements.pauses or case.agreements.replies
            assert not case.outstanding.owed or waits, f"G4: {case.outstanding.owed} are still owed"
            return
        behind = {done.step for done in case.progress.steps}
        left = [one for one in self.policy.steps if one.id not in behind and self.policy.applies(one, case.asked)]
        assert not left or self._proof_missing(left[0]), f"G4: {left[0].id} never came; waits for {case.next_action}"

    def _law_g5_window(self, message: Sent) -> None:
        assert self.calendar.is_open(message.at), f"G5: {message.step} at {message.at}"

    def _law_g5_gap(self, message: Sent) -> None:
        """Calendar days in the debtor's zone between two messages of the ladder."""
        times = [one.at for one in self.sent if one.ladder and not one.again and one.ladder.contact]
        for earlier, later in pairwise([*times[-1:], message.at]):
            days = (self.calendar.local_date(later) - self.calendar.local_date(earlier)).days
            assert days >= self.policy.gap_days, f"G5: {message.step} {days} days after the last"

    def _laws_of_state(self) -> None:
        for law in self._state_laws():
            law()

    def _state_laws(self) -> Iterator[Any]:
        yield self._law_g7_back_at_once
        yield self._law_g10_exact_money
        yield self._law_g10_claim

    def _law_g7_back_at_once(self) -> None:
        case = self.case
        if case.open_amount == 0:
            assert case.frees_account, f"G7: nothing is open and the case is {case.stage}"
        if case.frees_account:
            assert not self.holds, f"G7: {self.holds} although {case.stage}"
        if case.gives_access_back:
            assert not self.holds & {Level.RESTRICTED, Level.SUSPENDED}, (
                f"G7: {self.holds} although it may hold nothing"
            )
            return
        if case.ended:
            return  # handed over: what a late payment freed is not taken again, whatever the bank does
        for step in case.progress.consequences:
            level = self.policy.step(step).access
            assert level in self.holds, f"G4: {step} counts as done, and the account has no hold"

    def _law_g10_exact_money(self) -> None:
        case = self.case
        cent = Decimal(1).scaleb(-case.money.digits)
        assert case.money.paid == sum(self.live.values()), f"G10: {case.money.paid} of {self.live}"
        assert not self.gone & set(case.money.payments), "G10: a reversed payment counts"
        owed = Decimal(0) if case.ended is Stage.CANCELLED else case.money.amount
        too_much = case.credit + case.money.given - case.uncovered
        assert owed - case.money.paid == case.unpaid + case.waived - too_much, "G10: open and credit do not add up"
        assert case.waived <= case.tolerance, f"G10: {case.waived} waived"
        assert case.open_amount == (0 if case.ended is Stage.WRITTEN_OFF else case.unpaid), "G10: given up and open"
        assert not (case.open_amount and case.credit), "G10: open and credit at once"
        assert 0 <= case.asked <= case.open_amount, f"G10: asks for {case.asked} of {case.open_amount}"
        assert case.open_amount == case.open_amount.quantize(cent), f"G10: {case.open_amount}"
        assert case.stage is not Stage.PAID or case.open_amount == 0, "G10: paid, and something is open"
        if case.agreements.plan and not case.ended:
            assert self._came < case.agreements.plan.owed_by(case.agreements.plan.met + 1), (
                "G10: an instalment that came is not counted"
            )

    def _law_g10_claim(self, days_ahead: int = 0) -> None:
        """By heads, today or so many days ahead."""
        if self.owed is not None:
            claim = self.owed.law_g10_heads(self.case, self.owed.day(self.now) + timedelta(days=days_ahead))
            self.owed.law_g10_nothing_of_interest_holds(self.case, claim)

    @property
    def _came(self) -> Decimal:
        """The money that came since the last word was given, and stayed."""
        return sum((amount for payment, amount in self.live.items() if payment not in self.earlier), Decimal(0))

    def _law_g10_no_word_is_broken_that_was_kept(self, step: str) -> None:
        promise = self.case.agreements.promise
        if step == next_action.PROMISE_DUE and promise:
            assert self._came < promise.amount, f"G10: {self._came} came of the {promise.amount} promised"


def a_case_for(policy: Policy, **changes: Any) -> Case:
    """A case that begins on that ladder."""
    facts: dict[str, Any] = {
        "invoice_id": "inv-1",
        "customer_id": "acme",
        "policy": PolicyRef(name=policy.name, version=policy.version),
        "rules": Rules.of(policy),
    }
    return Case(**facts | changes)


def begun(policy: Policy, begin: datetime) -> Life:
    """A life in Berlin, of 1200.00 EUR due on Monday 1 March 2027, from `begin` on."""
    facts = {"currency": "EUR", "digits": 2, "issued_on": date(2027, 2, 1), "due_on": date(2027, 3, 1)}
    case = a_case_for(policy, **facts, amount=Decimal("1200.00"))
    calendar = BusinessCalendar(ZoneInfo("Europe/Berlin"), opens=policy.window[0], closes=policy.window[1])
    return Life(policy, calendar, case, begin, [])
