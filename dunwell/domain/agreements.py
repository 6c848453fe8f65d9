"""What was agreed with the customer or is waited for: promises, plans, disputes, pauses, replies, announcements."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from pydantic import Field

from dunwell.domain import events as ev
from dunwell.domain.model import MutableValue
from dunwell.domain.terms import PromiseState


class _Agreed(MutableValue):
    """`paid_before` is what had been paid by the payments `earlier`: only later payments fulfil the agreement.

    `answer`: the step that confirms it.
    """

    answer: str | None = None
    paid_before: Decimal = Decimal(0)
    earlier: list[str] = Field(default_factory=list)

    def without(self, payment_id: str, amount: Decimal) -> None:
        """So much of a payment was taken back. What was never part of what was agreed is not missing from it."""
        if payment_id in self.earlier:
            self.paid_before -= amount


class Promise(_Agreed):
    """A promise to pay: an amount and a date."""

    date: date
    amount: Decimal
    promised_by: str
    via: str | None = None
    ref: str | None = None
    state: PromiseState = PromiseState.OPEN
    made_at: datetime | None = None

    def still_missing(self, paid: Decimal) -> Decimal:
        """What has not come of it, once `paid` is paid in all."""
        return max(self.amount - (paid - self.paid_before), Decimal(0))


class Plan(_Agreed):
    """Agreed instalments. `met` counts those already covered by money that came after the agreement."""

    instalments: list[ev.Instalment]
    by: str
    met: int = 0
    made_at: datetime | None = None

    @property
    def next(self) -> ev.Instalment:
        """The instalment that is waited for."""
        return self.instalments[self.met]

    def owed_by(self, count: int) -> Decimal:
        """What the first `count` instalments add up to."""
        return sum((item.amount for item in self.instalments[:count]), Decimal(0))

    def amounts(self, paid: Decimal, asked: Decimal) -> list[Decimal]:
        """What each instalment asks for, once `paid` is paid in all, of a case that asks for no more than `asked`.

        The last ones are less by what is in dispute.
        """
        amounts = [item.amount for item in self.instalments]
        rest = max(self.owed_by(len(amounts)) - (paid - self.paid_before) - asked, Decimal(0))
        for place in range(len(amounts) - 1, self.met - 1, -1):
            less = min(amounts[place], rest)
            amounts[place] -= less
            rest -= less
        return amounts

    def coming(self, paid: Decimal, asked: Decimal) -> ev.Instalment | None:
        """The instalment to be paid next, less what came of it, once `paid` is paid in all; None after the last.

        asked: as for `amounts`; nothing comes while nothing is asked for.
        """
        if asked <= 0:
            return None
        missing = self.paid_before - paid
        for place, amount in enumerate(self.amounts(paid, asked)):
            missing += amount
            due = min(amount, missing)
            if due > 0 and place >= self.met:
                return ev.Instalment(date=self.instalments[place].date, amount=due)
        return None


class MissedInstalment(_Agreed):
    """The instalment that ended a plan. `missing` is what had not come of it when the plan ended."""

    date: date
    amount: Decimal
    missing: Decimal

    def still_missing(self, paid: Decimal) -> Decimal:
        """What has not come of it yet, once `paid` is paid in all; zero when it came after all."""
        return min(max(self.missing - (paid - self.paid_before), Decimal(0)), self.amount)


class Dispute(MutableValue):
    """`answer`: the step that says it was received. `rest_paid`: all else was paid while it was open."""

    since: datetime | None = None
    answer: str | None = None
    reason: str
    by: str
    amount: Decimal | None = None  # None: the whole invoice
    ref: str | None = None
    rest_paid: bool = False


class PastDispute(MutableValue):
    """A dispute that has ended, over the part of it that was owed all the same; `amount` None: all that was open.

    rejected  a person decided that it was owed; otherwise the customer paid it
    """

    since: datetime
    until: datetime
    amount: Decimal | None = None
    rejected: bool


class ResolvedDispute(MutableValue):
    """How a person decided about a dispute. `amount`: what the invoice was over from then on."""

    at: datetime
    outcome: Literal["upheld", "rejected", "adjusted"]
    amount: Decimal


class PauseState(MutableValue):
    """`interrupted`: caused by a run that was cancelled or terminated; `former` is the pause before that."""

    reason: str
    by: str
    since: datetime | None = None
    until: date | None = None
    interrupted: bool = False
    former: "PauseState | None" = None


class OpenReply(MutableValue):
    """A reply of the customer's that no person has handled yet. `escalated`: how often a manager was told."""

    reply_id: str
    at: datetime
    escalated: int = 0
    escalated_at: datetime | None = None


class RequestedCall(MutableValue):
    """A call that the customer asked for. `at` None: as soon as the hours allow. `task`: its first attempt."""

    since: datetime
    by: str
    task: str
    at: datetime | None = None
    ref: str | None = None


class Grace(MutableValue):
    """What this invoice restricts is open until the day `until`: the `number`th time that this was granted.

    answer        the step that confirms it, and names the day
    confirmed_at  when that was sent
    free_at       when the last other rest ended during which the day may have come, such as a promise
    """

    number: int
    until: date
    by: str
    since: datetime
    answer: str | None = None
    confirmed_at: datetime | None = None
    free_at: datetime | None = None


class Awaited(MutableValue):
    """What somebody announced; the ladder rests for a few days and waits for it.

    payment          the money has left, they say
    written_promise  they will write on which day they pay
    """

    what: Literal["payment", "written_promise"]
    since: datetime
    by: str


class AnnouncedPayment(MutableValue):
    """The payment that they said last had left; no money has come since."""

    at: datetime
    amount: Decimal


class Movement(MutableValue):
    """Money that came by a payment, or went back to the payer: then `amount` is below zero."""

    payment_id: str
    amount: Decimal


class EndedByMoney(MutableValue):
    """One thing that money ended: it stands again once a person undoes the booking without which it had not ended.

    moves     what had come when it ended, as far as it counted for it, and what came and went since
    enough    how much of that was enough to end it
    owed      the step that confirms it, which had not left by then
    promise   its place among the promises
    replaced  of a promise: something else was agreed since
    """

    at: datetime
    moves: list[Movement]
    enough: Decimal
    owed: str | None = None
    promise: int | None = None
    replaced: bool = False
    plan: Plan | None = None
    dispute: Dispute | None = None
    pause: PauseState | None = None
    call: RequestedCall | None = None
    awaited: Awaited | None = None
    announced_payment: AnnouncedPayment | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it had ended also without what was undone."""
        came = Decimal(0)
        for move in self.moves:
            came += move.amount
            if came >= self.enough and came > 0:
                return True
        return False

    def came(self, payment_id: str, amount: Decimal) -> None:
        self.moves.append(Movement(payment_id=payment_id, amount=amount))

    def went_back(self, payment_id: str, amount: Decimal) -> None:
        """The bank took so much of the payment back, which had come."""
        if any(move.payment_id == payment_id for move in self.moves):
            self.came(payment_id, -amount)

    def never_came(self, payment_id: str, amount: Decimal, *, whole: bool) -> None:
        """So much of the payment was counted by mistake; `whole`: nothing is left of it."""
        if whole:
            self.moves = [move for move in self.moves if move.payment_id != payment_id]
        for move in self.moves:
            if move.payment_id == payment_id:
                move.amount -= amount
                return


class Agreements(MutableValue):
    """The agreements about one invoice."""

    pause: PauseState | None = None
    customer_pause: PauseState | None = None  # the whole customer rests
    dispute: Dispute | None = None
    past_disputes: list[PastDispute] = Field(default_factory=list)
    resolved: list[ResolvedDispute] = Field(default_factory=list)
    plan: Plan | None = None
    missed: MissedInstalment | None = None  # the instalment that ended the last plan
    promises: list[Promise] = Field(default_factory=list)
    awaited: Awaited | None = None
    announced_payment: AnnouncedPayment | None = None
    said_paid: int = 0  # how often they said that the money had left
    payments_announced: int = 0  # how often they said so themselves, on their page or in a reply
    replies: list[OpenReply] = Field(default_factory=list)
    handled_replies: list[str] = Field(default_factory=list)  # those that a person has handled
    handled_at: datetime | None = None  # the last time that one was
    call: RequestedCall | None = None
    calls_requested: int = 0
    grace: Grace | None = None
    graces: int = 0  # how often it was granted
    ended_by_money: list[EndedByMoney] = Field(default_factory=list)  # until something newer is agreed about it

    @property
    def promise(self) -> Promise | None:
        """The promise that runs."""
        return next((promise for promise in self.promises if promise.state is PromiseState.OPEN), None)

    @property
    def pauses(self) -> list[PauseState]:
        """The pause of this invoice, and that of its whole customer."""
        return [pause for pause in (self.pause, self.customer_pause) if pause is not None]

    @property
    def paused_until(self) -> date | None:
        """The day on which the last of its pauses ends; None when one of them has no end, or there is none."""
        days = [pause.until for pause in self.pauses if pause.until is not None]
        return max(days) if days and len(days) == len(self.pauses) else None

    def end_dispute(self, now: datetime, less: Decimal | None = None) -> None:
        """End the open dispute, if there is one. `less`: a person decided so, and took so much off the invoice."""
        dispute, self.dispute = self.dispute, None
        if dispute is None or dispute.since is None:
            return
        owed = None if dispute.amount is None else dispute.amount - (less or 0)
        if owed is None or owed > 0:
            ended = PastDispute(since=dispute.since, until=now, amount=owed, rejected=less is not None)
            self.past_disputes.append(ended)

    def open_dispute_again(self, dispute: Dispute) -> None:
        """The payment that had ended it never was."""
        self.dispute = dispute
        self.past_disputes = [past for past in self.past_disputes if past.rejected or past.since != dispute.since]

    def settle(self, now: datetime) -> Promise | None:
        """Everything is paid: nothing that was agreed runs any more. Returns the promise that was kept by it."""
        self.end_dispute(now)
        kept = self.promise
        if kept is not None:
            kept.state = PromiseState.KEPT
        self.plan = self.pause = self.customer_pause = self.call = self.grace = None
        return kept

    def replace_promise(self) -> None:
        """The promise that runs gives way to another agreement, or to another due date."""
        if self.promise is not None:
            self.promise.state = PromiseState.REPLACED
        for ended in self.ended_by_money:
            ended.replaced = ended.replaced or ended.promise is not None
        self.forget_ended("plan", "awaited", "announced_payment")

    def forget_ended(self, *matters: str) -> None:
        """Something newer is said about these matters, by their fields: what money had ended of them stays ended."""
        self.ended_by_money = [
            one for one in self.ended_by_money if all(getattr(one, matter) is None for matter in matters)
        ]

    def without(self, payment_id: str, amount: Decimal) -> None:
        """So much of a payment was taken back: what was agreed after it does not count it any more."""
        former = [ended.plan for ended in self.ended_by_money]
        for agreed in (*self.promises, self.plan, self.missed, *former):
            if agreed is not None:
                agreed.without(payment_id, amount)
