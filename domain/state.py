"""What a run must remember of its invoice, and what follows from it. What changes it is in `domain.case`."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Self

from pydantic import Field, model_validator

from domain.agreements import (
    Awaited,
    CreditNote,
    Dispute,
    MissedInstalment,
    PauseState,
    Plan,
    Promise,
    QuestionedPayment,
    Stuck,
)
from domain.ladder import NextAction, StepDone
from domain.model import Record
from domain.policy import PolicyRef, Rules, Step, tolerated
from domain.refusal import Refused
from domain.terms import ENDS, Access, Level, Stage
from domain.trace import Mark, Receipt, Sent

AT_REST = ENDS | {Stage.PAUSED, Stage.DISPUTED, Stage.PLAN, Stage.PROMISED}
"""Stages in which the ladder stands still."""

_AWAITED = {"payment": "the payment they announced", "written_promise": "their date in writing"}


class CaseState(Record):
    """See the module. Amounts in the invoice's currency; times in case time, UTC."""

    invoice_id: str
    customer_id: str
    policy: PolicyRef
    former: list[PolicyRef] = Field(default_factory=list)  # the versions it was moved away from
    rules: Rules
    ladder: list[str] = Field(default_factory=list)  # step ids of the version it was moved to; empty: never moved
    currency: str
    digits: int
    issued_on: date
    due_on: date
    amount: Decimal
    paid: Decimal = Decimal(0)
    payments: dict[str, Decimal] = Field(default_factory=dict)
    reversed_payments: list[str] = Field(default_factory=list)
    doubted: dict[str, str] = Field(default_factory=dict)  # payments that a person should check, each with its reason
    receipts: list[Receipt] = Field(default_factory=list)  # every payment that ever came, as the database has them
    messages: list[Sent] = Field(default_factory=list)  # as far as this case has heard of them
    imported_at: datetime | None = None  # when it came to us, if something had been paid before
    imported_paid: Decimal = Decimal(0)  # and how much
    questioned: dict[str, QuestionedPayment] = Field(default_factory=dict)
    credit_notes: list[CreditNote] = Field(default_factory=list)  # since the last dispute was resolved
    given: Decimal = Decimal(0)  # credit of this invoice that was applied or returned, as the database knows it
    utc_offset_minutes: int = 0  # of the debtor's zone at the last planning; for "is this date past?" only

    ended: Stage | None = None
    former_end: Stage | None = None  # the end that a late payment turned into paid; a reversal leads back to it
    legal: bool = False
    threatened: bool = False  # a consequence was announced, or happened
    pause: PauseState | None = None
    customer_pause: PauseState | None = None  # the whole customer rests
    dispute: Dispute | None = None
    plan: Plan | None = None
    missed: MissedInstalment | None = None  # the instalment that ended the last plan
    promises: list[Promise] = Field(default_factory=list)
    awaited: Awaited | None = None
    said_paid: int = 0  # how often they said that the money had left

    steps: list[StepDone] = Field(default_factory=list)
    round: int = 1  # of the ladder, which begins anew when the due date moves into the future
    former_steps: list[StepDone] = Field(default_factory=list)  # of earlier rounds
    owed: list[str] = Field(default_factory=list)  # answers still to be sent, as "<message key>~<n>"
    reminded: list[str] = Field(default_factory=list)  # reminders of agreed days that had their turn, by step
    last_answer_at: datetime | None = None
    answers: int = 0  # how many answers were ever owed: makes each one's step id unique
    reopened: int = 0
    shift: int = 0  # seconds the ladder has rested
    rest_since: datetime | None = None
    awake_since: datetime | None = None
    hurry: bool = False  # a word was broken: the next letter does not wait for its day
    hurry_why: str = "a promise was not kept"
    blocked_until: datetime | None = None  # a step that may not happen yet is looked at again then
    blocked_why: str | None = None  # what it waits for, where that is more than a better hour
    blocked_step: str | None = None  # that step; None means whichever comes next
    stuck: dict[str, Stuck] = Field(default_factory=dict)  # steps that cannot be carried out
    again: list[str] = Field(default_factory=list)  # done steps whose message bounced: reach further
    consequences: list[str] = Field(default_factory=list)  # steps that put a hold on the account
    undecided: list[str] = Field(default_factory=list)  # steps that wait for our manager's yes
    approved: list[str] = Field(default_factory=list)  # steps that have it
    redo: list[str] = Field(default_factory=list)  # consequences a payment undid and a reversal calls for again

    access: Access = Access.FULL
    access_beside: Access = Access.FULL  # what the account may do by the holds of other invoices alone
    holds: list[Level] = Field(default_factory=list)
    next_action: NextAction | None = None
    turns: int = 0  # how many events and agreed days have changed it
    digest: str = ""  # over these turns
    revision: int = 0  # rises with every change from outside, so that an older plan is known to be stale

    @model_validator(mode="after")
    def _write_amount_as_its_currency_does(self) -> Self:
        """A database pads amounts: 1200 yen come back from it as 1200.00."""
        written = round(self.amount, self.digits)
        if written == self.amount:
            self.amount = written
        return self

    @property
    def mark(self) -> Mark:
        return Mark(revision=self.revision, turns=self.turns, digest=self.digest)

    @property
    def waived(self) -> Decimal:
        """A rest so small that nobody is asked for it: within the ladder's tolerance, once something was paid."""
        rest, paid = self._owed - self.paid, self.paid > 0
        return self._whole(rest if paid and rest <= self.tolerance else Decimal(0))

    @property
    def tolerance(self) -> Decimal:
        return tolerated(self.rules.tolerance, self.digits)

    @property
    def unpaid(self) -> Decimal:
        """What did not come in of all that is owed, but for a small rest that is waived; never below zero."""
        return self._whole(self._owed - self.paid - self.waived)

    @property
    def open_amount(self) -> Decimal:
        """What is unpaid and was not given up; never below zero."""
        return self._whole(Decimal(0)) if self.ended is Stage.WRITTEN_OFF else self.unpaid

    def with_paid(self, paid: Decimal) -> Self:
        """This case as it is once so much was paid: the database may know of money before the case does."""
        return self.model_copy(update={"paid": paid})

    @property
    def came_paid(self) -> bool:
        """Whether its record said that nothing was open any more when it came to us."""
        paid = self.imported_at is not None and self.imported_paid >= self.amount - self.tolerance
        return paid and not self.reopened

    @property
    def credit(self) -> Decimal:
        """What was paid too much, and is neither applied to another invoice nor returned.

        All that was paid, once the invoice was cancelled.
        """
        return self._whole(self.paid - self._owed - self.given)

    @property
    def uncovered(self) -> Decimal:
        """Credit that was applied or returned, and whose payment was taken back since."""
        return self._whole(self.given - self._whole(self.paid - self._owed))

    @property
    def _owed(self) -> Decimal:
        """What the customer owes of this invoice, paid or not: nothing once it was cancelled."""
        return Decimal(0) if self.ended is Stage.CANCELLED else self.amount

    @property
    def asked(self) -> Decimal:
        """What may be asked for now: open, less a part in dispute."""
        if self.dispute is None:
            return self.open_amount
        if self.dispute.amount is None:
            return self._whole(Decimal(0))
        return self._whole(self.open_amount - self.dispute.amount)

    @property
    def promise(self) -> Promise | None:
        """The promise that runs."""
        return next((p for p in self.promises if p.state == "open"), None)

    @property
    def stage(self) -> Stage:  # noqa: PLR0911 - one line a stage
        """Derived, so that overlapping facts (paused while disputed) never contradict each other."""
        if self.ended:
            return self.ended
        if self.pauses:
            return Stage.PAUSED
        if self.dispute and self.asked == 0:
            return Stage.DISPUTED
        if self.plan:
            return Stage.PLAN
        if self.promise:
            return Stage.PROMISED
        if self.legal:
            return Stage.LEGAL
        return Stage.CHASING if self.steps else Stage.SCHEDULED

    @property
    def pauses(self) -> list[PauseState]:
        """The pause of this invoice, and that of its whole customer."""
        return [pause for pause in (self.pause, self.customer_pause) if pause is not None]

    @property
    def paused_until(self) -> date | None:
        """The day on which the last of its pauses ends; None when one of them has no end, or there is none."""
        days = [pause.until for pause in self.pauses if pause.until is not None]
        return max(days) if days and len(days) == len(self.pauses) else None

    @property
    def resting(self) -> bool:
        """Whether the ladder stands still."""
        return self.stage in AT_REST or self.awaited is not None

    @property
    def stranded(self) -> bool:
        """Whether money is asked for and nothing is planned any more: only a person can go on."""
        return self.next_action is None and not self.resting and self.ended is None and self.asked > 0

    @property
    def rests_because(self) -> str:
        """Why the ladder stands still, for people."""
        if self.awaited is not None and self.stage not in AT_REST:
            return f"chasing waits for {_AWAITED[self.awaited.what]}"
        return f"the case is {self.stage.value}"

    @property
    def frees_account(self) -> bool:
        """Whether this case's holds have to go: it ended otherwise than by being handed over."""
        return self.ended is not None and self.ended is not Stage.HANDED_OVER

    @property
    def own_holds(self) -> list[Level]:
        """This invoice's holds; none once its end frees the account, whatever is still being written down."""
        return [] if self.frees_account else self.holds

    @property
    def account_access(self) -> Access:
        """What the account may do; by the other invoices' holds alone once this one's end frees it."""
        return self.access_beside if self.frees_account else self.access

    @property
    def finished(self) -> bool:
        return self.ended is not None and not self.owed

    def needs_yes(self, step: Step) -> bool:
        """Whether our manager has to approve the step before it may happen."""
        return step.approval and step.id not in self.approved

    @property
    def begins_anew(self) -> bool:
        """Whether its due date moved into the future and no step of the ladder has come since."""
        return self.round > 1 and all(done.step in self.rules.by_issue for done in self.steps)

    @property
    def _again(self) -> str:
        """What tells the tasks of a reopened case, or of a later round of its ladder, from the first ones."""
        return (str(self.reopened) if self.reopened else "") + (f".round{self.round}" if self.round > 1 else "")

    def approval_task(self, step: str) -> str:
        """The id of the task that asks for it; another one after the bank has taken a payment back."""
        return f"{self.invoice_id}.{step}.approve{self._again}"

    def stuck_task(self, step: str) -> str:
        """The id of the task that asks what to do about a step that cannot be carried out."""
        return f"{self.invoice_id}.{step.replace('@', '~')}.stuck{self._again}"

    def payment_task(self, payment_id: str) -> str:
        """The id of the task that asks whether this payment was counted before."""
        return f"{self.invoice_id}.payment.{payment_id}"[:200]

    @property
    def lowered_since(self) -> str:
        """What amendments took off since the last dispute was resolved, in words; empty when nothing."""
        if not self.credit_notes:
            return ""
        less = sum((note.less for note in self.credit_notes), Decimal(0))
        last = self.credit_notes[-1]
        return f"the invoice was lowered by {less} {self.currency} already (amended by {last.by} on {last.on})"

    def not_before(self, step: str) -> datetime | None:
        """When `step`, which could not be carried out, is looked at again."""
        return self.blocked_until if self.blocked_step in {None, step} else None

    def today(self, now: datetime) -> date:
        """The debtor's date at `now`, by the offset noted at the last planning."""
        return (now + timedelta(minutes=self.utc_offset_minutes)).date()

    def _begin_of(self, day: date) -> datetime:
        """The debtor's midnight that begins `day`, by the same offset."""
        return datetime.combine(day, time(0), tzinfo=UTC) - timedelta(minutes=self.utc_offset_minutes)

    def _whole(self, amount: Decimal) -> Decimal:
        """`amount`, not below zero, with the currency's places: "0.00" and not "0"."""
        return max(amount, Decimal(0)).quantize(Decimal(1).scaleb(-self.digits))

    def _check_digits(self, field: str, amount: Decimal) -> None:
        if amount != round(amount, self.digits):
            raise Refused(field, f"is finer than {self.currency} allows: {self.digits} digits after the point")
