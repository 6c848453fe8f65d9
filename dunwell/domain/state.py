"""The state of a case and what follows from it. How events change it is in `domain.case`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from dunwell.domain.agreements import Agreements
from dunwell.domain.checkpoint import Mark, Sent
from dunwell.domain.claim_summary import AccessoryClaim, ClaimSummary
from dunwell.domain.contact_changes import KnownChange
from dunwell.domain.keys import StepId, StepKey, TaskId, anew
from dunwell.domain.ladder import NextAction
from dunwell.domain.model import MutableValue
from dunwell.domain.money import Money
from dunwell.domain.outstanding import Outstanding
from dunwell.domain.policy import PolicyRef, Rules, Step, tolerated
from dunwell.domain.progress import Progress
from dunwell.domain.step_outcome import Said
from dunwell.domain.terms import ENDS, Access, AccessoryRule, Level, Stage

AT_REST = ENDS | {Stage.PAUSED, Stage.DISPUTED, Stage.PLAN, Stage.PROMISED}
"""Stages in which the ladder stands still."""

_AWAITED = {"payment": "the payment they announced", "written_promise": "their date in writing"}

_GROUPS: Mapping[str, type[MutableValue]] = {
    "money": Money,
    "agreements": Agreements,
    "progress": Progress,
    "outstanding": Outstanding,
}
"""Fields of a case that hold a group of facts, in memory only: as JSON, all facts stand side by side."""


def midnight(day: date, utc_offset_minutes: int) -> datetime:
    """Return the moment at which `day` begins where clocks are ahead of UTC by so many minutes."""
    return datetime.combine(day, time(0), tzinfo=UTC) - timedelta(minutes=utc_offset_minutes)


class CaseState(MutableValue):
    """See the module. Amounts in the invoice's currency; times in case time, UTC."""

    invoice_id: str
    customer_id: str
    policy: PolicyRef
    former: list[PolicyRef] = Field(default_factory=list)  # the versions it was moved away from
    rules: Rules
    issued_on: date
    due_on: date
    utc_offset_minutes: int = 0  # of the debtor's zone at the last planning; for "is this date past?" only

    begun: bool = False  # a run has taken it up: without one, an open case was interrupted
    ended: Stage | None = None
    former_end: Stage | None = None  # the end that a late payment turned into paid; a reversal leads back to it
    written_off_at: datetime | None = None  # what was open then is not claimed again, though it may be paid later
    reopened: int = 0  # how often its consequences came to be due anew

    money: Money
    agreements: Agreements = Field(default_factory=Agreements)
    progress: Progress = Field(default_factory=Progress)
    outstanding: Outstanding = Field(default_factory=Outstanding)
    messages: list[Sent] = Field(default_factory=list)  # as far as the database has reported them to the case

    contact_changes: list[KnownChange] = Field(default_factory=list)  # what people said about contacts, oldest first

    access: Access = Access.FULL
    access_beside: Access = Access.FULL  # what the account may do by the holds of other invoices alone
    holds: list[Level] = Field(default_factory=list)
    next_action: NextAction | None = None
    last_claim: ClaimSummary | None = None  # as computed when it was last written down; None: only the principal
    accessory: AccessoryClaim | None = None  # what is left beside the principal since that is paid
    accessory_asked_on: date | None = None  # the day on which a message asked for that; there is one at most
    turns: int = 0  # how many events and agreed days have changed it
    digest: str = ""  # over these turns
    revision: int = 0  # rises with every change from outside, so that an older plan is known to be stale

    @model_validator(mode="before")
    @classmethod
    def _group(cls, facts: Any) -> Any:
        """Read the facts of a group where they stand side by side with the others."""
        if not isinstance(facts, dict):
            return facts
        grouped = dict(facts)
        for name, group in _GROUPS.items():
            if name not in grouped:
                grouped[name] = {field: grouped.pop(field) for field in group.model_fields if field in grouped}
        return grouped

    @model_serializer(mode="wrap")
    def _flatten(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        facts: dict[str, Any] = write(self)
        for name in _GROUPS:
            facts |= facts.pop(name)
        return facts

    @property
    def currency(self) -> str:
        return self.money.currency

    @property
    def mark(self) -> Mark:
        return Mark(revision=self.revision, turns=self.turns, digest=self.digest)

    @property
    def waived(self) -> Decimal:
        """A rest so small that nobody is asked for it: within the ladder's tolerance, once something was paid."""
        rest, paid = self._owed - self.money.paid, self.money.paid > 0
        return self.money.whole(rest if paid and rest <= self.tolerance else Decimal(0))

    @property
    def tolerance(self) -> Decimal:
        return tolerated(self.rules.tolerance, self.money.digits)

    @property
    def unpaid(self) -> Decimal:
        """What did not come in of all that is owed, but for a small rest that is waived; never below zero."""
        return self.money.whole(self._owed - self.money.paid - self.waived)

    @property
    def open_amount(self) -> Decimal:
        """What is unpaid and was not given up; never below zero."""
        return self.money.whole(Decimal(0)) if self.ended is Stage.WRITTEN_OFF else self.unpaid

    def with_paid(self, paid: Decimal) -> Self:
        """This case as it is once so much was paid: the database may know of money before the case does."""
        return self.model_copy(update={"money": self.money.model_copy(update={"paid": paid})})

    @property
    def came_paid(self) -> bool:
        """Whether its record said that nothing was open any more when it came to us."""
        money = self.money
        paid = money.imported_at is not None and money.imported_paid >= money.amount - self.tolerance
        return paid and not self.reopened

    @property
    def credit(self) -> Decimal:
        """What was paid too much, and is neither applied to another invoice nor returned.

        All that was paid, once the invoice was cancelled.
        """
        return self.money.whole(self._above - self.money.given)

    @property
    def uncovered(self) -> Decimal:
        """Credit that was applied or returned, and whose payment was taken back since."""
        return self.money.whole(self.money.given - self.money.whole(self._above))

    @property
    def _above(self) -> Decimal:
        """What was paid beyond all that is owed, interest and costs included; below zero while something is open."""
        return self.money.paid - self._owed - self.money.beside_principal

    @property
    def _owed(self) -> Decimal:
        """What the customer owes of this invoice, paid or not: nothing once it was cancelled."""
        return Decimal(0) if self.ended is Stage.CANCELLED else self.money.amount

    @property
    def asked(self) -> Decimal:
        """What may be asked for now: open, less a part in dispute."""
        if self.agreements.dispute is None:
            return self.open_amount
        if self.agreements.dispute.amount is None:
            return self.money.whole(Decimal(0))
        return self.money.whole(self.open_amount - self.agreements.dispute.amount)

    @property
    def stage(self) -> Stage:
        """Derived, so that overlapping facts (paused while disputed) never contradict each other."""
        if self.ended:
            return self.ended
        if self.agreements.pauses or self.agreements.replies:
            return Stage.PAUSED
        return self._stage_but_for_rest

    @property
    def _stage_but_for_rest(self) -> Stage:
        """The stage of an open case without its pauses and replies."""
        if self.agreements.dispute and self.asked == 0:
            return Stage.DISPUTED
        if self.agreements.plan:
            return Stage.PLAN
        if self.agreements.promise:
            return Stage.PROMISED
        if self.progress.legal:
            return Stage.LEGAL
        return Stage.CHASING if self.progress.steps else Stage.SCHEDULED

    @property
    def resting(self) -> bool:
        """Whether the ladder stands still."""
        return self.agreements.grace is not None or self.rests_beside_grace

    @property
    def rests_beside_grace(self) -> bool:
        """Whether the ladder would stand still without grace, too."""
        agreements = self.agreements
        return self.stage in AT_REST or agreements.awaited is not None or agreements.call is not None

    @property
    def chased(self) -> bool:
        """Whether nothing was agreed that keeps the ladder at rest. A reply that waits is no agreement."""
        return self.ended is None and not self.agreements.pauses and self._stage_but_for_rest not in AT_REST

    @property
    def stranded(self) -> bool:
        """Whether money is asked for and nothing is planned any more: only a person can go on."""
        return self.next_action is None and not self.resting and self.ended is None and self.asked > 0

    @property
    def rests_because(self) -> str:
        """Why the ladder stands still, for people."""
        agreements = self.agreements
        if self.ended is None and agreements.replies and not agreements.pauses:
            return "a reply waits for a person"
        if self.stage in AT_REST:
            return f"the case is {self.stage.value}"
        if agreements.awaited is not None:
            return f"chasing waits for {_AWAITED[agreements.awaited.what]}"
        if agreements.call is not None:
            return "chasing waits for the call they asked for"
        if agreements.grace is not None:
            return f"grace was granted until {agreements.grace.until}"
        return f"the case is {self.stage.value}"

    @property
    def frees_account(self) -> bool:
        """Whether this case's holds have to go: it ended otherwise than by being handed over."""
        return self.ended is not None and self.ended is not Stage.HANDED_OVER

    @property
    def gives_access_back(self) -> bool:
        """Whether it may reduce no access for now: grace was granted, or all was paid but what is in dispute."""
        dispute = self.agreements.dispute
        return self.agreements.grace is not None or (dispute is not None and dispute.rest_paid and self.asked == 0)

    @property
    def own_holds(self) -> list[Level]:
        """This invoice's holds; those that have to go do not count, whatever is still being written down."""
        if self.frees_account:
            return []
        return [level for level in self.holds if level is Level.WORK] if self.gives_access_back else self.holds

    @property
    def reduces_access(self) -> bool:
        """Whether its own holds restrict or suspend the account."""
        return Level.RESTRICTED in self.own_holds or Level.SUSPENDED in self.own_holds

    @property
    def account_access(self) -> Access:
        """What the account may do; by the other invoices' holds alone where this one's have to go."""
        return self.access_beside if self.frees_account or self.gives_access_back else self.access

    @property
    def finished(self) -> bool:
        return self.ended is not None and not self.outstanding.owed and not self.outstanding.again

    def needs_yes(self, step: Step) -> bool:
        """Whether our manager has to approve the step before it may happen."""
        return step.approval and step.id not in self.outstanding.approved

    def is_of_former_round(self, step: str, claimed_at: datetime) -> bool:
        """Whether a message of this step, claimed then, speaks of a due date that has moved since.

        A step that hangs on the issue date is not repeated, so its messages are not made anew.
        """
        since = self.progress.round_since
        return since is not None and claimed_at < since and StepKey.parse(step).step not in self.rules.by_issue

    @property
    def begins_anew(self) -> bool:
        """Whether its due date moved into the future and no step of the ladder has come since."""
        return self.progress.round > 1 and all(done.step in self.rules.by_issue for done in self.progress.steps)

    def approval_task(self, step: str) -> str:
        """The id of the task that asks for it; another one after the bank has taken a payment back."""
        return self._task_about(step, "approve")

    def stuck_task(self, step: str) -> str:
        """The id of the task that asks what to do about a step that cannot be carried out."""
        return self._task_about(step, "stuck")

    def _task_about(self, step: str, question: str) -> str:
        return str(TaskId.of(self.invoice_id, step, question + anew(self.reopened, self.progress.round)))

    def payment_task(self, payment_id: str) -> str:
        """The id of the task that asks whether this payment was counted before."""
        return str(TaskId.of(self.invoice_id, "payment", payment_id))

    def today(self, now: datetime) -> date:
        """The debtor's date at `now`, by the offset noted at the last planning."""
        return (now + timedelta(minutes=self.utc_offset_minutes)).date()

    def begin_of(self, day: date) -> datetime:
        """The debtor's midnight that begins `day`, by the same offset."""
        return midnight(day, self.utc_offset_minutes)

    # What changes it ---------------------------------------------------------------------------------------

    def turn(self, what: str) -> None:
        """Count a change by an event or an agreed day in `turns` and `digest`."""
        self.revision += 1
        self.turns += 1
        self.digest = sha256(f"{self.digest}|{what}".encode()).hexdigest()[:12]

    def take_claim(self, claim: ClaimSummary | None, left: AccessoryClaim | None, met: Decimal) -> None:
        """Note the claim as the database computed it, and owe the message that asks for what is left, if one may.

        left: beside the principal, once that is paid. met: what of the money met interest, lump sum and costs.
        """
        self.last_claim, self.accessory, self.money.beside_principal = claim, left, met
        waiting, reactions = self.outstanding, self.rules.reactions
        if not self.may_ask_for_accessory:
            waiting.again = [step for step in waiting.again if not self.asks_for_accessory(step)]
        if not self.may_ask_for_accessory or self.accessory_asked_on is not None:
            waiting.drop(reactions.accessory_left)
        elif not waiting.owes(reactions.accessory_left):
            waiting.drop(reactions.paid)  # one message thanks and asks
            waiting.owe(reactions.accessory_left)

    @property
    def may_ask_for_accessory(self) -> bool:
        """Whether the invoice is paid, and a message may ask for what is left beside it."""
        left = self.accessory
        return (
            self.ended is Stage.PAID and self.unpaid == 0 and left is not None and left.rule is AccessoryRule.ASK_ONCE
        )

    def asks_for_accessory(self, step: str) -> bool:
        """Whether this is the answer that asks for what is left beside a paid invoice."""
        message = StepId.parse(step).message
        return message is not None and message == self.rules.reactions.accessory_left

    def asks_elsewhere(self, step: str) -> bool:
        """Whether a message of this step that did not arrive is tried elsewhere although the case has ended."""
        return self.asks_for_accessory(step) and self.may_ask_for_accessory

    def end(self, stage: Stage, why: str, now: datetime) -> list[Said]:
        self.ended = stage
        if stage is Stage.WRITTEN_OFF:
            self.written_off_at = now
        agreements = self.agreements
        agreements.awaited = agreements.announced_payment = agreements.call = agreements.grace = None
        self.outstanding.clear()
        return [Said("ended", f"{stage.value}: {why}")]

    def call_for_again(self, steps: Sequence[str], at: datetime) -> None:
        """Make the steps due once more; the minimum gap to the next message still counts from `at`."""
        self.progress.redo = list(dict.fromkeys([*self.progress.redo, *steps]))
        waiting = self.outstanding
        waiting.approved = [step for step in waiting.approved if step not in steps]
        waiting.last_answer_at = max(at, waiting.last_answer_at or at)

    def undo_consequences(self) -> None:
        """Make its consequences due again, each after another announcement (G2)."""
        self.agreements.grace = None
        self.progress.returned.clear()
        undone = self.progress.undo_consequences()
        if undone:
            self.call_for_again([done.step for done in undone], undone[-1].at)

    def note_rest(self, rested: bool, now: datetime) -> None:
        """Call after a change, with whether the ladder stood still before it."""
        self.progress.note_rest(now, rested=rested, rests=self.resting)

    def wake_at_once(self, now: datetime, said: Said, why: str = "a promise was not kept") -> list[Said]:
        """A promise was broken: the ladder counts the waiting time, and the next message comes at once."""
        self.progress.hurry, self.progress.hurry_why = True, why
        self.turn(f"{said.kind} {said.reason}")
        if not self.resting:
            self.progress.wake(now)
        return [said]
