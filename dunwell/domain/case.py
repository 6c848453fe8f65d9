"""The case of one invoice: how events and time change it. Its state is in `dunwell.domain.state`.

Pure and serialisable: the workflow holds one of these, the store keeps a copy, a new run continues from it.
Every change goes through a method here, which returns its decisions as sentences or raises `Refused`. Each kind of
event is decided in the module of its noun: payments, promises, disputes, pauses, talks, steps, versions.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from dunwell.domain import (
    announcements,
    contact_changes,
    disputes,
    grace,
    pauses,
    payments,
    policy_version,
    promises,
    replies,
    step_effects,
    task_results,
)
from dunwell.domain import events as ev
from dunwell.domain.keys import StepId
from dunwell.domain.ladder import StepDone
from dunwell.domain.refusal import Refused
from dunwell.domain.state import CaseState
from dunwell.domain.step_outcome import Said, StepOutcome
from dunwell.domain.terms import Stage

_KEEP_QUIET = frozenset(
    {"insolvency", "insolvent", "bankruptcy", "bankrupt", "death", "dead", "died", "deceased", "duplicate"}
)
"""Words in the reason of a cancellation after which nothing is written to the customer any more."""

PUBLISHING = str(StepId(name="access", agreed=True))
"""The name under which a change of access that the product does not take is noted as stuck."""


class Case(CaseState):
    """See the module; its fields are those of `CaseState`."""

    # Where it begins -------------------------------------------------------------------------------------

    def take_over(
        self,
        paid: Sequence[ev.PaymentReceived],
        reminded: Mapping[str, datetime],
        ladder: Sequence[str],
        now: datetime,
    ) -> list[Said]:
        """Apply the invoice's history from before its import: payments `paid`, steps `reminded` with their moments.

        No answer is sent for it, and whether those messages arrived is not known. Steps of the `ladder` above the
        last one that was done are left out.
        """
        said = payments.brought(self, paid, now)
        last = max((place for place, step in enumerate(ladder) if step in reminded), default=-1)
        at = now
        for step in reversed(ladder[: last + 1]):
            at = reminded.get(step, at)
            outcome: Literal["done", "skipped"] = "done" if step in reminded else "skipped"
            self.progress.steps.insert(0, StepDone(step=step, at=at, outcome=outcome, shift=0))
        for step, moment in reminded.items():
            said.append(Said("reminded", f"{step} was done elsewhere on {self.today(moment)}"))
        self.outstanding.owed.clear()
        return said

    # What happens to it ----------------------------------------------------------------------------------

    def apply(self, event: ev.Event, now: datetime) -> list[Said]:
        """Take an event from outside. Returns what was decided; raises Refused and changes nothing."""
        rested, rested_beside_grace = self.resting, self.rests_beside_grace
        said = self._decide(event, now)
        if said or (isinstance(event, ev.ContactsChanged) and event.changes):
            grace.note_rest(self, rested_beside_grace, now)
            self.turn(f"{type(event).__name__} {event.model_dump_json()}")
            self.money.keep_receipts(event, now)
        self.note_rest(rested, now)
        return said

    def _decide(self, event: ev.Event, now: datetime) -> list[Said]:  # noqa: PLR0911, PLR0912 - one an event
        match event:
            case ev.PaymentReceived():
                return payments.received(self, event, now)
            case ev.CreditApplied():
                return payments.credited(self, event, now)
            case ev.PaymentReversed():
                return payments.taken_back(self, event, now)
            case ev.CallOutcome():
                return task_results.outcome(self, event, now)
            case ev.ContactsChanged():
                self.remember_contacts(event, now)
                return []  # the database has said it in the timeline, when it changed
            case ev.DeliveryReport():
                return []  # the database knows whether this changes anything
            case ev.ReplyReceived():
                return replies.received(self, event, now)
            case ev.ReplyHandled():
                return replies.handled(self, event, now)
        if self.ended:
            raise Refused("stage", f"the case has ended ({self.ended.value}); only payments still count")
        match event:
            case ev.PromiseToPay():
                return promises.made(self, event, now)
            case ev.PaymentPlanAgreed():
                return promises.plan_agreed(self, event, now)
            case ev.DisputeOpened():
                return disputes.opened(self, event, now)
            case ev.DisputeResolved():
                return disputes.resolved(self, event, now)
            case ev.InvoiceAmended():
                return disputes.amended(self, event, now)
            case ev.Pause():
                return pauses.begun(self, event, now)
            case ev.Resume():
                return pauses.resumed(self, event, now)
            case ev.PaymentAnnounced():
                return announcements.payment(self, event, now)
            case ev.CallRequested():
                return announcements.call(self, event, now)
            case ev.GraceGranted():
                return grace.granted(self, event, now)
            case ev.PolicyMoved():
                return policy_version.moved(self, event, now)
            case ev.WriteOff():
                return self.end(Stage.WRITTEN_OFF, f"by {event.by}: {event.reason}", now)
            case ev.Cancel():
                return self._cancelled(event, now)

    def _cancelled(self, event: ev.Cancel, now: datetime) -> list[Said]:
        """A threat that was written is taken back in writing, except where that would be wrong or out of place."""
        said = self.end(Stage.CANCELLED, f"by {event.by}: {event.reason}", now)
        if self.progress.threatened and _KEEP_QUIET.isdisjoint(re.split(r"[^a-z]+", event.reason.lower())):
            self.outstanding.owe(self.rules.reactions.nothing_to_pay)
        return said

    def interrupt(self, reason: str, now: datetime) -> list[Said]:
        """The run was cancelled, terminated or lost: the case is paused until a person says how it goes on.

        `reason` is a short code. Only `resume` and an end lead out of it; money counts as always.
        """
        return pauses.interrupted(self, reason, now)

    def remember_contacts(self, event: ev.ContactsChanged, now: datetime) -> None:
        """Note what changed about contacts, for a database that may be restored from an older copy."""
        self.contact_changes = contact_changes.remembered(self.contact_changes, event, now)

    # What time does to it --------------------------------------------------------------------------------

    def promise_due(self, now: datetime) -> list[Said]:
        """The promise's day and its grace are over and the money is not there."""
        return promises.promise_due(self, now)

    def instalment_due(self, now: datetime) -> list[Said]:
        """An instalment's day and its grace are over. A missed one ends the plan."""
        return promises.instalment_due(self, now)

    def wait_over(self, now: datetime) -> list[Said]:
        """What was announced in a talk or by the customer did not come."""
        return promises.wait_over(self, now)

    def call_over(self, now: datetime) -> list[Said]:
        """The day of the call that the customer asked for is over."""
        return announcements.call_over(self, now)

    def reply_due(self, now: datetime) -> list[Said]:
        """A reply has waited for so long that a manager hears of it."""
        return replies.due(self, now)

    def pause_over(self, now: datetime) -> list[Said]:
        """The day has come on which the last of its pauses ends."""
        return pauses.over(self, now)

    # Its ladder ------------------------------------------------------------------------------------------

    def take(self, outcome: StepOutcome, *, missed: bool = False) -> list[Said]:
        """A step of the ladder, or an answer, came to something; if `missed`, a message of it failed meanwhile."""
        said, step = step_effects.taken(self, outcome), outcome.step
        still_due = step in self.outstanding.owed or not (self.progress.has(step) or StepId.parse(step).message)
        if missed and not still_due:
            self.reach_further(step)
        return said

    def in_trouble(self, step: str, why: str, now: datetime, until: datetime) -> list[Said]:
        """The step was tried many times, and whoever it needs is away: the case rests until then and tries again."""
        return step_effects.in_trouble(self, step, why, now, until)

    def reach_further(self, step: str) -> None:
        """A message of this step did not arrive: the step looks for another channel or contact.

        Of a case that has ended, only the request for what is left beside the invoice does: nobody was asked so far.
        """
        again = self.outstanding.again
        if self.ended:
            if not self.asks_elsewhere(step):
                return
            self.accessory_asked_on = None
        if step not in again and not StepId.parse(step).agreed and self.progress.knows(step):
            again.append(step)

    def fingerprint(self, move: ev.PolicyMoved) -> str:
        """Sixteen hexadecimal digits over all that decides what this move would do to this case."""
        return policy_version.fingerprint(self, move)

    # The product -----------------------------------------------------------------------------------------

    def unpublished(self, why: str, now: datetime) -> list[Said]:
        """Note that the product did not take a change of access after repeated tries."""
        self.outstanding.note_stuck(PUBLISHING, why, now, lasting=False)
        return [Said("trouble", f"the product does not take a change of access ({why}); it is told again")]

    def published(self) -> bool:
        """Note that the product took every change. Returns whether it had been noted as stuck."""
        return self.outstanding.stuck.pop(PUBLISHING, None) is not None
