"""One invoice being chased: what each event, and time, does to it. What it remembers is in `domain.state`.

Pure and serialisable: the workflow holds one of these, the store keeps a copy, a new run continues from it.
Every change goes through a method here, which says in plain words what it decided or raises `Refused`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Literal

from domain import events as ev
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
from domain.calls import FARTHEST_CALL_BACK
from domain.ladder import StepDone
from domain.outcomes import Said, StepOutcome
from domain.policy import PolicyRef
from domain.refusal import Refused
from domain.state import AT_REST, CaseState
from domain.terms import Level, Stage
from domain.trace import Receipt

FARTHEST_VALUE_DATE = timedelta(days=3)
"""How far ahead the date of a payment may lie: banks tell of money before its value date."""

_KEEP_QUIET = frozenset(
    {"insolvency", "insolvent", "bankruptcy", "bankrupt", "death", "dead", "died", "deceased", "duplicate"}
)
"""Words in the reason of a cancellation after which nothing is written to the customer any more."""

PUBLISHING = "@access"
"""What is stuck when the product does not hear of a change of access."""

_QUIET_AFTER_MOVE = timedelta(days=1)
"""A move never sends anything by itself: there is a day to look at what it did."""


class Case(CaseState):
    """See the module; its fields are those of `CaseState`."""

    # What happens to it ----------------------------------------------------------------------------------

    def apply(self, event: ev.Event, now: datetime) -> list[Said]:
        """Take an event from outside. Returns what was decided; raises Refused and changes nothing."""
        was_resting = self.resting
        said = self._decide(event, now)
        if said:
            self._turn(f"{type(event).__name__} {event.model_dump_json()}")
            self._keep_receipts(event, now)
        self._note_rest(was_resting, now)
        return said

    def _turn(self, what: str) -> None:
        """It is another case from now on."""
        self.revision += 1
        self.turns += 1
        self.digest = sha256(f"{self.digest}|{what}".encode()).hexdigest()[:12]

    def _keep_receipts(self, event: ev.Event, now: datetime) -> None:
        known = {receipt.payment_id for receipt in self.receipts}
        at, method, giver = now, None, None
        if isinstance(event, ev.PaymentReceived):
            at, method = event.received_at or now, event.method
        if isinstance(event, ev.CreditApplied):
            method, giver = ev.BY_CREDIT, event.from_invoice
        self.receipts += [
            Receipt(payment_id=payment_id, amount=amount, received_at=at, method=method, from_invoice=giver)
            for payment_id, amount in self.payments.items()
            if payment_id not in known
        ]
        for receipt in self.receipts:
            if receipt.payment_id in self.reversed_payments and receipt.reversed_at is None:
                receipt.reversed_at = now
                receipt.reason = event.reason if isinstance(event, ev.PaymentReversed) else None

    def _decide(self, event: ev.Event, now: datetime) -> list[Said]:  # noqa: PLR0911, PLR0912 - one an event
        match event:
            case ev.PaymentReceived():
                return self._payment_received(event, now)
            case ev.CreditApplied():
                return self._credit_applied(event)
            case ev.PaymentReversed():
                return self._payment_reversed(event)
            case ev.CallOutcome():
                return self._call_outcome(event, now)
            case ev.DeliveryReport() | ev.ContactsChanged():
                return []  # the database knows whether this is news
        if self.ended:
            raise Refused("stage", f"the case has ended ({self.ended.value}); only payments still count")
        match event:
            case ev.PromiseToPay():
                return self._promise(event, now)
            case ev.DisputeOpened():
                return self._dispute_opened(event, now)
            case ev.DisputeResolved():
                return self._dispute_resolved(event)
            case ev.PaymentPlanAgreed():
                return self._plan_agreed(event, now)
            case ev.Pause():
                return self._paused(event, now)
            case ev.Resume():
                return self._resumed(event, now)
            case ev.InvoiceAmended():
                return self._amended(event, now)
            case ev.WriteOff():
                return self._end(Stage.WRITTEN_OFF, f"written off by {event.by}: {event.reason}")
            case ev.Cancel():
                return self._cancelled(event)
            case ev.PolicyMoved():
                return self._policy_moved(event, now)

    def take_over(
        self,
        payments: Sequence[ev.PaymentReceived],
        reminded: Mapping[str, datetime],
        ladder: Sequence[str],
        now: datetime,
    ) -> list[Said]:
        """Begin where the invoice stood before it came to us: `payments` made, steps `reminded` with their moments.

        Nobody is thanked for that now, and nothing is known of whether those letters arrived. Steps of the `ladder`
        above the last one that was done are left out.
        """
        said = []
        for payment in payments:
            said += self._payment_received(payment, now)
            self._keep_receipts(payment, now)
        if payments:
            self.imported_at, self.imported_paid = now, self._whole(self.paid)
        last = max((place for place, step in enumerate(ladder) if step in reminded), default=-1)
        at = now
        for step in reversed(ladder[: last + 1]):
            at = reminded.get(step, at)
            outcome: Literal["done", "skipped"] = "done" if step in reminded else "skipped"
            self.steps.insert(0, StepDone(step=step, at=at, outcome=outcome, shift=0))
        for step, moment in reminded.items():
            said.append(Said("reminded", f"{step} was done elsewhere on {self.today(moment)}"))
        self.owed.clear()
        return said

    def _payment_received(self, event: ev.PaymentReceived, now: datetime) -> list[Said]:
        if self._is_known(event.payment_id, event.amount, event.currency):
            return []
        question = self._question(event, now)
        if question is not None:
            return question
        doubt = self._doubt(event, now)
        said = [Said("payment", f"{self._whole(event.amount)} {self.currency} received")]
        if doubt:
            self.doubted[event.payment_id] = doubt
            said.append(Said("check", f"check this payment: it {doubt}", ref=event.payment_id))
        return said + self._take_money(event.payment_id, event.amount)

    def _question(self, event: ev.PaymentReceived, now: datetime) -> list[Said] | None:
        """What is said of a payment that may have been counted before the import; None when it surely was not."""
        name, at, imported = event.payment_id, event.received_at, self.imported_at
        if event.confirm or imported is None or at is None or at >= imported:
            self.questioned.pop(name, None)
            return None
        if name in self.questioned:
            return []
        amount = self._whole(event.amount)
        self.questioned[name] = QuestionedPayment(payment_id=name, amount=amount, received_at=at, since=now)
        text = f"{amount} {self.currency} received before the import: not counted until a person confirms it"
        return [Said("check", text, ref=name)]

    def _credit_applied(self, event: ev.CreditApplied) -> list[Said]:
        if self._is_known(event.credit_id, event.amount, event.currency, "credit_id"):
            return []
        paid = f"{self._whole(event.amount)} {self.currency} paid by credit {event.credit_id}"
        text = f"{paid} of invoice {event.from_invoice}, applied by {event.by}"
        said = [Said("payment", text, ref=event.credit_id)]
        return said + self._take_money(event.credit_id, event.amount)

    def _is_known(self, payment_id: str, amount: Decimal, currency: str, field: str = "payment_id") -> bool:
        """Whether this money was counted before. Raises Refused for money that this invoice cannot take."""
        if currency != self.currency:
            raise Refused("currency", f"the invoice is in {self.currency}; convert the payment first")
        self._check_digits("amount", amount)
        if payment_id in self.reversed_payments:
            raise Refused(field, "this payment was reversed; a new payment needs a new id")
        if payment_id not in self.payments:
            return False
        if self.payments[payment_id] != amount:
            raise Refused(field, "is known already, with another amount; a new payment needs a new id")
        return True

    def _doubt(self, event: ev.PaymentReceived, now: datetime) -> str | None:
        """Why a person should look at this payment; it counts all the same."""
        if event.received_at is not None and event.received_at > now + FARTHEST_VALUE_DATE:
            return f"is dated {event.received_at:%Y-%m-%d}, which lies ahead"
        expected = self.unpaid or self._whole(self.amount)
        if event.amount > 2 * expected > 0:
            return (
                f"is more than twice the {expected} {self.currency} that {'were open' if self.unpaid else 'were due'}"
            )
        return None

    def _take_money(self, payment_id: str, amount: Decimal) -> list[Said]:
        self.payments[payment_id] = amount
        self.paid += amount
        self.awaited = None
        # What came before the message about it left is not said to be missing.
        if self.missed and self.missed.still_missing(self.paid) <= self.tolerance:
            self._no_longer_owe(self.rules.reactions.instalment_missed)
        if self.promises and self.promises[-1].still_missing(self.paid) <= self.tolerance:
            self._no_longer_owe(self.rules.reactions.promise_broken)
        said = []
        if self.ended is Stage.WRITTEN_OFF:
            said.append(Said("recovery", "it is a recovery of what was written off"))
        if self.unpaid > 0:
            return said + self._after_part()
        said += self._too_much()
        if self.ended in {None, Stage.HANDED_OVER, Stage.WRITTEN_OFF}:
            said += self._settled()
        return said

    def _too_much(self) -> list[Said]:
        if self.credit == 0:
            return []
        why = "paid for a cancelled invoice" if self.ended is Stage.CANCELLED else "paid too much"
        return [Said("credit", f"{self.credit} {self.currency} {why}; recorded as credit")]

    def _settled(self) -> list[Said]:
        said = []
        for promise in self.promises:
            if promise.state == "open":
                promise.state = "kept"
                said.append(Said("promise_kept", f"the promise for {promise.date} was kept"))
        self.plan = self.pause = self.customer_pause = self.dispute = None
        self.former_end = self.ended
        if self.waived:
            rest = f"{self.waived} {self.currency} of the rest are written off"
            said.append(Said("small_rest", f"{rest}: within the ladder's tolerance of {self._whole(self.tolerance)}"))
        said += self._end(Stage.PAID, "nothing is open any more")
        if Level.RESTRICTED in self.holds or Level.SUSPENDED in self.holds:
            self._owe(self.rules.reactions.restored)
        elif self.steps or self.former_steps:
            self._owe(self.rules.reactions.paid)
        return said

    def _after_part(self) -> list[Said]:
        """A part came in: the ladder stays where it is; a promise or an instalment may be met."""
        if self.ended:
            return []
        promise, plan = self.promise, self.plan
        if promise and promise.still_missing(self.paid) <= self.tolerance:
            promise.state = "kept"
            kept = Said("promise_kept", f"the promise for {promise.date} was kept; the rest needs a new date")
            self._owe(self.rules.reactions.part_paid)
            return [kept]
        if plan:
            return self._count_instalments(plan)
        if self.steps and not self.resting:
            self._owe(self.rules.reactions.part_paid)
        return []

    def _count_instalments(self, plan: Plan) -> list[Said]:
        """How far the plan is met. A plan met in full while something is open (the invoice grew) is over."""
        count, came = len(plan.instalments), self.paid - plan.paid_before + self.tolerance
        plan.met = next((met for met in range(count) if came < plan.owed_by(met + 1)), count)
        said = [Said("plan", f"{plan.met} of {count} instalments are met")]
        if plan.met == count:
            self.plan = None
            said.append(Said("plan", f"the plan was kept; {self.open_amount} {self.currency} need a new date"))
        return said

    def _payment_reversed(self, event: ev.PaymentReversed) -> list[Said]:
        if event.payment_id in self.reversed_payments:
            return []
        if self.questioned.pop(event.payment_id, None):
            self.reversed_payments.append(event.payment_id)
            return [Said("reversed", "taken back by the bank before a person had confirmed it", ref=event.payment_id)]
        amount = self.payments.get(event.payment_id)
        if amount is None:
            raise Refused("payment_id", "no payment of this id was received for this invoice")
        self.reversed_payments.append(event.payment_id)
        del self.payments[event.payment_id]
        self.paid -= amount
        said = [Said("reversed", f"{self._whole(amount)} {self.currency} taken back by the bank: {event.reason}")]
        for agreed in (self.promise, self.plan, self.missed):
            if agreed:
                agreed.without(event.payment_id, amount)
        if self.plan:
            said += self._count_instalments(self.plan)
        self.doubted.pop(event.payment_id, None)
        if self.ended is Stage.PAID and self.unpaid > 0:
            said.append(self._reopened())
        return said

    def _reopened(self) -> Said:
        """Not paid after all: back to where it stood before, be it the ladder or another end."""
        self.ended, self.former_end = self.former_end, None
        self.reopened += 1
        self.owed.clear()
        again = f"{self.unpaid} {self.currency} {'unpaid' if self.ended is Stage.WRITTEN_OFF else 'open'} again"
        if self.ended:
            return Said("ended", f"{self.ended.value}: {again}; it had ended so before this payment")
        self._undo_consequences()
        return Said("reopened", f"{again}; goes on where it stood")

    def _undo_consequences(self) -> None:
        """The payment freed the account; what had been done to it before is due again, warnings stand."""
        undone = [done for done in self.steps if done.step in self.consequences]
        self.steps = [done for done in self.steps if done not in undone]
        self.consequences.clear()
        if undone:
            self._call_for_again([done.step for done in undone], undone[-1].at)

    def _call_for_again(self, steps: list[str], told: datetime) -> None:
        """They are due once more; what was said of them at `told` still keeps the next letter at its distance."""
        self.redo = list(dict.fromkeys([*self.redo, *steps]))
        self.approved = [step for step in self.approved if step not in steps]
        self.last_answer_at = max(told, self.last_answer_at or told)

    def _promise(self, event: ev.PromiseToPay, now: datetime) -> list[Said]:
        rules, today = self.rules.promises, self.today(now)
        if self.plan:
            raise Refused("stage", "a payment plan runs; it holds the dates already")
        if self.dispute and self.asked == 0:
            raise Refused("stage", "the whole invoice is in dispute; resolve the dispute first")
        if event.date < today:
            raise Refused("date", "lies in the past; ask for a date from today on")
        if event.date > today + timedelta(days=rules.max_days):
            raise Refused("date", f"is too far off; the policy accepts at most {rules.max_days} days")
        amount = event.amount or self.asked
        self._check_digits("amount", amount)
        if amount > self.open_amount:
            raise Refused("amount", f"is more than the {self.open_amount} {self.currency} that are open")
        running = self.promise
        if running and (running.date, running.amount) == (event.date, amount):
            return []
        if len(self.promises) >= rules.limit:
            raise Refused(
                "promise", f"this would be promise {len(self.promises) + 1}; the policy accepts {rules.limit}"
            )
        if running:
            running.state = "replaced"
        self.promises.append(
            Promise(
                date=event.date,
                amount=amount,
                promised_by=event.promised_by,
                via=event.via,
                ref=event.ref,
                paid_before=self.paid,
                earlier=list(self.payments),
                made_at=now,
            )
        )
        self.awaited = None
        self._no_longer_owe(self.rules.reactions.promise_made)
        self.promises[-1].answer = self._owe(self.rules.reactions.promise_made)
        said = f"{amount} {self.currency} promised for {event.date} by {event.promised_by}"
        return [Said("promise", said, ref=event.ref)]

    def _dispute_opened(self, event: ev.DisputeOpened, now: datetime) -> list[Said]:
        if self.dispute:
            raise Refused("stage", "a dispute is open already; resolve it before opening another")
        if event.amount is not None:
            self._check_digits("amount", event.amount)
            if event.amount > self.open_amount:
                raise Refused("amount", f"is more than the {self.open_amount} {self.currency} that are open")
        self.dispute = Dispute(since=now, reason=event.reason, by=event.opened_by, amount=event.amount, ref=event.ref)
        if self.asked == 0:
            self.awaited = None
        self.dispute.answer = self._owe(self.rules.reactions.dispute_opened)
        what = f"{event.amount} {self.currency}" if event.amount else "the whole invoice"
        return [Said("dispute", f"{what} disputed by {event.opened_by}: {event.reason}", ref=event.ref)]

    def _dispute_resolved(self, event: ev.DisputeResolved) -> list[Said]:
        if not self.dispute:
            raise Refused("stage", "no dispute is open")
        if event.outcome == "adjusted":
            if event.new_amount is None:
                raise Refused("new_amount", "is needed when the outcome is adjusted")
            self._check_digits("new_amount", event.new_amount)
            self.amount = event.new_amount
        elif event.new_amount is not None:
            raise Refused("new_amount", f"only goes with the outcome adjusted, not with {event.outcome}")
        if event.outcome == "upheld":
            self._check_deducted_once(event)
            self.amount = max(self.amount - (self.dispute.amount or self.open_amount), Decimal(0))
        self.dispute = None
        self.credit_notes.clear()
        said = [
            Said(
                "dispute_resolved",
                f"{event.outcome} by {event.by}; the invoice is now {self.amount} {self.currency}",
            )
        ]
        self._no_longer_owe(self.rules.reactions.dispute_opened)  # the last word is the true one
        said += self._close_if_settled()
        if self.ended:
            self.owed.clear()  # the result tells more than thanks would
        self._owe(self.rules.reactions.nothing_to_pay if self.ended else self.rules.reactions.dispute_closed)
        return said

    def _check_deducted_once(self, event: ev.DisputeResolved) -> None:
        """Raises Refused when an amendment lowered the invoice already and nobody says that this comes on top."""
        if event.confirm or not self.lowered_since or self.dispute is None:
            return
        more = self._whole(self.dispute.amount or self.open_amount)
        left = self._whole(self.amount - more)
        raise Refused(
            "confirm",
            f"{self.lowered_since}; upheld takes off another {more}, which leaves {left}. If that is meant, say so "
            f"with confirm (--confirm); if that amendment was the answer, resolve it as adjusted with new_amount "
            f"{self._whole(self.amount)}",
        )

    def _close_if_settled(self) -> list[Said]:
        """After the invoice shrank: nothing open ends it, as paid when money came, else as cancelled."""
        if self.open_amount > 0:
            return []
        if self.paid > 0:
            return self._too_much() + self._settled()
        return self._end(Stage.CANCELLED, "nothing is owed any more")

    def _plan_agreed(self, event: ev.PaymentPlanAgreed, now: datetime) -> list[Said]:
        today = self.today(now)
        days = [item.date for item in event.instalments]
        if days != sorted(set(days)):
            raise Refused("instalments", "must stand in order, one a day")
        if days[0] < today:
            raise Refused("instalments.0.date", "lies in the past")
        for number, item in enumerate(event.instalments):
            self._check_digits(f"instalments.{number}.amount", item.amount)
        total = sum((item.amount for item in event.instalments), Decimal(0))
        if total != self.open_amount:
            raise Refused("instalments", f"add up to {total}, but {self.open_amount} {self.currency} are open")
        if self.promise:
            self.promise.state = "replaced"
        self.awaited = None
        self._no_longer_owe(self.rules.reactions.promise_made)
        self.plan = Plan(
            instalments=list(event.instalments),
            by=event.by,
            paid_before=self.paid,
            earlier=list(self.payments),
            made_at=now,
        )
        self.plan.answer = self._owe(self.rules.reactions.plan_agreed)
        return [Said("plan", f"{len(days)} instalments until {days[-1]} agreed by {event.by}")]

    def _paused(self, event: ev.Pause, now: datetime) -> list[Said]:
        if event.until is not None and event.until <= self.today(now):
            raise Refused("until", "must lie after today")
        pause = PauseState(reason=event.reason, by=event.by, since=now, until=event.until)
        end = f"until {event.until}" if event.until else "until somebody resumes"
        if event.scope == "customer":
            if self.customer_pause is not None and pause == self.customer_pause.model_copy(update={"since": now}):
                return []
            self.customer_pause = pause
            return [Said("paused", f"the whole customer, by {event.by} {end}: {event.reason}")]
        self.pause = pause
        return [Said("paused", f"by {event.by} {end}: {event.reason}")]

    def _resumed(self, event: ev.Resume, now: datetime) -> list[Said]:
        if event.scope == "customer":
            if self.customer_pause is None:
                raise Refused("stage", "its customer is not paused")
            self.customer_pause = None
            return [Said("resumed", f"the whole customer, by {event.by}")]
        if self.pause is None:
            whole = "its whole customer is paused: resume the customer" if self.customer_pause else "it is not paused"
            raise Refused("stage", whole)
        former, self.pause = self.pause.former, None
        said = [Said("resumed", f"by {event.by}")]
        if former is not None and (former.until is None or former.until > self.today(now)):
            self.pause = former
            said.append(Said("paused", f"by {former.by} as before: {former.reason}"))
        return said

    def interrupt(self, reason: str, now: datetime) -> list[Said]:
        """The engine was told to stop the case, or lost it: it rests until a person says how it goes on.

        `reason` is a short code. Only `resume` and an end lead out of it; money counts as always.
        """
        if self.ended or (self.pause is not None and self.pause.interrupted):
            return []
        was_resting = self.resting
        self.pause = PauseState(reason=reason, by="the engine", since=now, interrupted=True, former=self.pause)
        self._turn(f"interrupted {reason} {now.isoformat()}")
        self._note_rest(was_resting, now)
        return [Said("paused", f"{reason}: the case rests until a person says whether it ends or goes on")]

    def _amended(self, event: ev.InvoiceAmended, now: datetime) -> list[Said]:
        if event.amount is None and event.due_on is None:
            raise Refused("message", "changes nothing: give amount or due_on")
        if event.due_on is not None and event.due_on < self.issued_on:
            raise Refused("due_on", f"lies before the invoice was issued ({self.issued_on})")
        if event.amount is not None:
            self._check_digits("amount", event.amount)
            if event.amount < self.amount:
                less = self._whole(self.amount - event.amount)
                self.credit_notes.append(CreditNote(less=less, on=self.today(now), by=event.by))
            self.amount = event.amount
        self.due_on = event.due_on or self.due_on
        said = [Said("amended", f"by {event.by}: now {self.amount} {self.currency}, due on {self.due_on}")]
        if event.due_on is not None and event.due_on > self.today(now) and self.steps:
            said.append(self._begin_anew(now))
        return said + self._close_if_settled()

    def _begin_anew(self, now: datetime) -> Said:
        """Nothing is due for now: what was said and done about the old due date does not count for the new one."""
        kept = [done.model_copy(update={"shift": 0}) for done in self.steps if done.step in self.rules.by_issue]
        self.former_steps += [done for done in self.steps if done.step not in self.rules.by_issue]
        self.steps, self.round = kept, self.round + 1
        if self.promise:
            self.promise.state = "replaced"
        self.plan = self.awaited = None
        self.shift, self.awake_since = 0, None
        self.rest_since = now if self.resting else None
        self.hurry = self.legal = self.threatened = False
        self.blocked_until = self.blocked_step = None
        for told in (self.again, self.consequences, self.undecided, self.approved, self.redo, self.stuck):
            told.clear()
        # What else was to be answered speaks of money that is not due now.
        self.owed = [owed for owed in self.owed if owed.partition("~")[0] == self.rules.reactions.dispute_opened]
        return Said("round", f"the ladder begins anew (round {self.round}): earlier messages count as no warning")

    def _cancelled(self, event: ev.Cancel) -> list[Said]:
        """A threat that was written is taken back in writing, except where that would be wrong or out of place."""
        said = self._end(Stage.CANCELLED, f"cancelled by {event.by}: {event.reason}")
        if self.threatened and _KEEP_QUIET.isdisjoint(re.split(r"[^a-z]+", event.reason.lower())):
            self._owe(self.rules.reactions.nothing_to_pay)
        return said

    def _call_outcome(self, event: ev.CallOutcome, now: datetime) -> list[Said]:
        stuck = next((step for step in self.stuck if event.task_id == self.stuck_task(step)), None)
        if stuck is not None:
            return self._unstick(stuck, event, now)
        asked = next((step for step in self.undecided if event.task_id == self.approval_task(step)), None)
        if asked is not None or event.outcome in {"approved", "declined"}:
            return self._approval(asked, event, now)
        if event.outcome == "done":
            for name in [one for one in self.questioned if self.payment_task(one) == event.task_id]:
                del self.questioned[name]
            reason = f" ({event.reason_code})" if event.reason_code else ""
            return [Said("task", f"done, by {event.by}{reason}", ref=event.task_id)]
        said = [
            Said(
                "call",
                f"{event.outcome} ({event.reason_code or 'no reason given'}), by {event.by}",
                ref=event.task_id,
            )
        ]
        if event.promise:
            promise = ev.PromiseToPay(
                date=event.promise.date, amount=event.promise.amount, promised_by=event.by, via="call"
            )
            if self.ended:
                raise Refused("stage", f"the case has ended ({self.ended.value})")
            return said + self._promise(promise, now)
        if event.outcome == "promise":
            raise Refused("promise", "is needed when the outcome is promise: {date, amount?}")
        _check_call_back(event, now)
        return said if self.ended else said + self._follow_call(event, now)

    def _follow_call(self, event: ev.CallOutcome, now: datetime) -> list[Said]:
        """What the talk changes. Other calls and closed numbers are the office's business, not the case's."""
        match event.outcome:
            case "dispute" if not self.dispute:
                opened = ev.DisputeOpened(reason=event.reason_code or "said on the phone", opened_by=event.by)
                return self._dispute_opened(opened, now)
            case "paid":
                return self._said_paid(event, now)
            case "written_promise_owed" if self.stage not in AT_REST:
                self.awaited = Awaited(what="written_promise", since=now, by=event.by)
                return [Said("awaited", "their date in writing is due by the end of the next business day")]
            case "refused" if self.stage not in AT_REST:
                self.awaited = None
                return self._wake_at_once(
                    now,
                    Said("hurried", "they refuse: the next step does not wait for its day"),
                    "they refused to pay",
                )
            case _:
                return []

    def _said_paid(self, event: ev.CallOutcome, now: datetime) -> list[Said]:
        """Their word is good as often as a promise would be; the days agreed already count for more."""
        if self.stage in AT_REST:
            return []
        self.said_paid += 1
        if self.said_paid > self.rules.promises.limit:
            return [Said("call", f"they said so {self.said_paid - 1} times before: the ladder goes on meanwhile")]
        self.awaited = Awaited(what="payment", since=now, by=event.by)
        return [Said("awaited", "chasing waits some business days for the money that they say has left")]

    def _approval(self, step: str | None, event: ev.CallOutcome, now: datetime) -> list[Said]:
        """Our manager's word about a step: it goes ahead, or is left out, and the ladder goes on."""
        if self.ended:
            raise Refused("stage", f"the case has ended ({self.ended.value}); nothing waits for a decision")
        if step is None:
            raise Refused("task_id", "no step of this case waits for this decision")
        if event.outcome not in {"approved", "declined"}:
            raise Refused("outcome", "this task asks for a decision: approved or declined")
        self.undecided.remove(step)
        self.blocked_until = None
        reason = f" ({event.reason_code})" if event.reason_code else ""
        if event.outcome == "approved":
            self.approved.append(step)
            return [Said("approved", f"{step}: yes, by {event.by}{reason}", ref=event.task_id)]
        self.steps.append(StepDone(step=step, at=now, outcome="skipped", shift=self.shift))
        text = f"{step}: declined by {event.by}{reason}; left out, the ladder goes on"
        return [Said("declined", text, ref=event.task_id)]

    def _unstick(self, step: str, event: ev.CallOutcome, now: datetime) -> list[Said]:
        """A person's word about a step that cannot be carried out: it is tried again at once, or left out."""
        if event.outcome not in {"approved", "declined"}:
            raise Refused("outcome", "this task asks whether to try again: approved, or declined to leave it out")
        del self.stuck[step]
        self.blocked_until = None
        reason = f" ({event.reason_code})" if event.reason_code else ""
        if event.outcome == "approved":
            return [Said("approved", f"{step}: tried again, by {event.by}{reason}", ref=event.task_id)]
        if not self._is_behind(step):
            self.steps.append(StepDone(step=step, at=now, outcome="skipped", shift=self.shift))
        return [Said("declined", f"{step}: left out by {event.by}{reason}; the rest goes on", ref=event.task_id)]

    # Its ladder ------------------------------------------------------------------------------------------

    def fingerprint(self, move: ev.PolicyMoved) -> str:
        """Sixteen hexadecimal digits over all that decides what this move would do to this case."""
        facts = {
            "invoice": self.invoice_id,
            "revision": self.revision,
            "stage": self.stage.value,
            "steps": [[done.step, done.outcome] for done in self.steps],
            "amounts": [str(self.amount.normalize()), str(self.paid.normalize())],
            "due_on": self.due_on.isoformat(),
            "policy": [self.policy.name, self.policy.version],
            "move": move.model_dump(mode="json", exclude={"fingerprint", "by"}),
        }
        return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    def passed_over(self, ladder: Sequence[str]) -> list[str]:
        """The steps of `ladder` that would come too late: they stand above one that is behind the case.

        What a reversed payment calls for again is none of them: it is due again, wherever it stands.
        """
        behind = {done.step for done in self.steps}
        reached = max((place for place, step in enumerate(ladder) if step in behind), default=0)
        return [step for step in ladder[:reached] if step not in behind and step not in self.redo]

    def _policy_moved(self, event: ev.PolicyMoved, now: datetime) -> list[Said]:
        if event.name != self.policy.name:
            raise Refused("name", f"the case is on the ladder {self.policy.name}; only its version can change")
        if event.to_version == self.policy.version:
            raise Refused("to_version", f"the case is on version {event.to_version} already")
        if event.fingerprint != self.fingerprint(event):
            raise Refused("fingerprint", "the case has changed since the preview; look at it again")
        if self.next_action is not None and self.next_action.at <= now:
            # The step may be on its way by the old version: what it becomes must be known first.
            raise Refused("stage", f"{self.next_action.step} is being carried out; try again in a moment")
        passed, before = self.passed_over(event.steps), self.policy
        self.former.append(before)
        self.policy = PolicyRef(name=event.name, version=event.to_version)
        self.rules = self.rules.model_copy(
            update={"promises": event.promises, "reactions": event.reactions, "tolerance": event.tolerance}
        )
        self.ladder = list(event.steps)
        self._pass_over(passed)
        self.again = [step for step in self.again if self._knows(step)]
        self.undecided = [step for step in self.undecided if self._knows(step)]
        self.stuck = {step: stuck for step, stuck in self.stuck.items() if self._knows(step)}
        self.next_action = None  # made by the old version
        self.blocked_until, self.blocked_step = now + _QUIET_AFTER_MOVE, None
        text = f"from {before.name}@{before.version} to @{event.to_version} by {event.by}"
        return [Said("policy_moved", text + (f"; left out: {', '.join(passed)}" if passed else ""))]

    def _pass_over(self, steps: list[str]) -> None:
        """Put them behind the case without moving the moments from which other steps are counted."""
        if not steps:
            return
        place = max(n for n, done in enumerate(self.steps) if done.step in self.ladder)
        last = self.steps[place]
        self.steps[place:place] = [
            StepDone(step=step, at=last.at, outcome="skipped", shift=last.shift) for step in steps
        ]

    def _knows(self, step: str) -> bool:
        """Whether the ladder has this step. Answers belong to every ladder."""
        return not self.ladder or "~" in step or step in self.ladder

    # What time does to it --------------------------------------------------------------------------------

    def promise_due(self, now: datetime) -> list[Said]:
        """The promise's day and its grace are over and the money is not there."""
        promise = self.promise
        if promise is None:
            return []
        promise.state = "broken"
        missing = promise.still_missing(self.paid)
        came = "nothing came" if missing >= promise.amount else f"{missing} {self.currency} of it did not come"
        self._no_longer_owe(self.rules.reactions.promise_made)
        self._owe(self.rules.reactions.promise_broken)
        return self._wake_at_once(
            now, Said("promise_broken", f"{came} by {promise.date}; the ladder goes on at once")
        )

    def instalment_due(self, now: datetime) -> list[Said]:
        """An instalment's day and its grace are over. A missed one ends the plan."""
        if self.plan is None:
            return []
        plan, missed = self.plan, self.plan.next
        self.missed = MissedInstalment(
            date=missed.date,
            amount=missed.amount,
            missing=plan.owed_by(plan.met + 1) - (self.paid - plan.paid_before),
            paid_before=self.paid,
            earlier=list(self.payments),
        )
        missing = self.missed.still_missing(self.paid)
        part = f"{missing} {self.currency} of " if missing < missed.amount else ""
        self.plan = None
        self._no_longer_owe(self.rules.reactions.plan_agreed)
        self._owe(self.rules.reactions.instalment_missed)
        return self._wake_at_once(
            now, Said("plan_broken", f"{part}the instalment of {missed.date} did not come; the ladder goes on")
        )

    def wait_over(self, now: datetime) -> list[Said]:
        """What was announced in a talk did not come. Money may be slow; a letter not written is a broken word."""
        awaited, was_resting = self.awaited, self.resting
        if awaited is None:
            return []
        self.awaited = None
        said = f"said on {self.today(awaited.since)}"
        if awaited.what == "written_promise":
            missing = Said("promise_missing", f"no date in writing came ({said}); the ladder goes on at once")
            return self._wake_at_once(now, missing, "no date came in writing")
        self._turn(f"wait over {awaited.since}")
        self._note_rest(was_resting, now)
        return [Said("payment_missing", f"the payment they announced did not come ({said}); the ladder goes on")]

    def pause_over(self, now: datetime) -> list[Said]:
        """The day has come on which the last of its pauses ends."""
        if not self.pauses:
            return []
        was_resting, until = self.resting, self.paused_until
        self.pause = self.customer_pause = None
        self._turn(f"pause over {until}")
        # Seen late, after an outage: the days since then are lateness of the ladder and no more rest.
        self._note_rest(was_resting, min(now, self._begin_of(until)) if until else now)
        return [Said("resumed", f"the pause ended on {until}")]

    def _wake_at_once(self, now: datetime, said: "Said", why: str = "a promise was not kept") -> list[Said]:
        """Broken word: the time spent waiting is not given again, and the next letter comes at once."""
        self.hurry, self.hurry_why = True, why
        self._turn(f"{said.kind} {said.reason}")
        if not self.resting:
            self.rest_since = None
            self.awake_since = now
        return [said]

    def take(self, outcome: StepOutcome) -> list[Said]:
        """A step of the ladder, or an answer, came to something."""
        if outcome.status == "stale":
            return []
        self.revision += 1
        if outcome.status == "failed":
            return self._cannot(outcome)
        if outcome.round not in {None, self.round} and "~" not in outcome.step:
            return self._of_earlier_round(outcome)
        self.stuck.pop(outcome.step, None)
        if outcome.status in {"delayed", "blocked"}:
            self.blocked_until, self.blocked_step = outcome.until, outcome.step
            self.blocked_why = outcome.why
            if outcome.undecided and outcome.step not in self.undecided:
                self.undecided.append(outcome.step)
            return []
        self.blocked_until = None
        if outcome.step not in self.again and outcome.step in self.owed and outcome.status == "done":
            self.last_answer_at = outcome.at
        return [] if self._is_behind(outcome.step) else self._step_taken(outcome)

    def _of_earlier_round(self, outcome: StepOutcome) -> list[Said]:
        """The due date moved while the step was carried out: it is history, and its hold was released."""
        if outcome.status == "done":
            done = StepDone(step=outcome.step, at=outcome.at, outcome="done", shift=outcome.shift)
            self.former_steps.append(done)
        return []

    def _cannot(self, outcome: StepOutcome) -> list[Said]:
        """A fact is missing. A step of the ladder keeps its turn; anything else is given up, for others wait."""
        if self._is_behind(outcome.step):
            return [Said("trouble", f"{outcome.step} is left out, because it cannot be carried out: {outcome.why}")]
        self.blocked_until, self.blocked_step = outcome.until, outcome.step
        self._note_stuck(outcome.step, outcome.why, outcome.at, lasting=True)
        return [
            Said("trouble", f"{outcome.step} cannot be carried out: {outcome.why}; {_tried_again(outcome.until)}")
        ]

    def in_trouble(self, step: str, why: str, now: datetime, until: datetime) -> list[Said]:
        """The step was tried many times, and whoever it needs is away: the case rests until then and tries again."""
        self.blocked_until, self.blocked_step = until, None
        self._note_stuck(step, why, now, lasting=False)
        return [Said("trouble", f"the step could not be carried out ({why}); {_tried_again(until)}")]

    def unpublished(self, why: str, now: datetime) -> list[Said]:
        """The product did not take a change of access, for all the times it was told."""
        self._note_stuck(PUBLISHING, why, now, lasting=False)
        return [Said("trouble", f"the product does not take a change of access ({why}); it is told again")]

    def published(self) -> bool:
        """The product has heard of every change. Returns whether it had been in trouble."""
        return self.stuck.pop(PUBLISHING, None) is not None

    def _note_stuck(self, step: str, why: str, now: datetime, *, lasting: bool) -> None:
        known = self.stuck.get(step)
        since = known.since if known is not None else now
        self.stuck[step] = Stuck(why=why, since=since, lasting=lasting)

    def _is_behind(self, step: str) -> bool:
        """Take note that an answer, a reminder of an agreed day or one more try is over. False: it is none."""
        if step in self.again:
            self.again.remove(step)
        elif step in self.owed:
            self.owed.remove(step)
        elif "~" in step:
            self.reminded.append(step)  # or an answer that ceased to be owed while it left
        else:
            return False
        return True

    def _step_taken(self, outcome: StepOutcome) -> list[Said]:
        if any(earlier.step == outcome.step for earlier in self.steps):
            return []
        if outcome.placed_hold and outcome.reopened not in {None, self.reopened}:
            self._call_for_again([outcome.step], outcome.at)  # money came and went meanwhile, and the hold with it
            return []
        self.shift += outcome.shift
        kind: Literal["done", "skipped"] = "skipped" if outcome.status == "skipped" else "done"
        self.hurry = False
        self.steps.append(StepDone(step=outcome.step, at=outcome.at, outcome=kind, shift=self.shift))
        self.legal = self.legal or outcome.legal
        self.threatened = self.threatened or (kind == "done" and outcome.threat)
        if outcome.placed_hold:
            self.consequences.append(outcome.step)
        if outcome.ends and not self.ended:
            return self._end(outcome.ends, "the last step of the ladder")
        if self.ended is Stage.PAID and kind == "done" and len(self.steps) == 1:
            self._owe(self.rules.reactions.paid)  # the money came while the first letter was leaving
        return []

    def reach_further(self, step: str) -> None:
        """A message of this step did not arrive: the step looks for another channel or contact."""
        if step not in self.again and not step.startswith("@") and self._knows(step):
            self.again.append(step)

    # Helpers ---------------------------------------------------------------------------------------------

    def _end(self, stage: Stage, why: str) -> list[Said]:
        self.ended = stage
        self.awaited = None
        self.owed.clear()
        self.again.clear()
        self.undecided.clear()
        self.stuck.clear()
        return [Said("ended", f"{stage.value}: {why}")]

    def _owe(self, message: str | None) -> str | None:
        """Have it sent. Returns the step that sends it."""
        if not message:
            return None
        if self.blocked_step is None:
            self.blocked_until = None  # the quiet day after a move does not hold back an answer
        self.answers += 1
        step = f"{message}~{self.answers}"
        self.owed.append(step)
        return step

    def _no_longer_owe(self, message: str | None) -> None:
        """What has been replaced is not confirmed any more, when that was not sent yet."""
        self.owed = [owed for owed in self.owed if owed.partition("~")[0] != message]

    def _note_rest(self, was_resting: bool, now: datetime) -> None:
        """Rest does not count as time on the ladder: when it ends, what is left moves by its length."""
        if self.resting and not was_resting:
            self.rest_since = now
        elif was_resting and not self.resting:
            if self.rest_since is not None:
                self.shift += max(int((now - self.rest_since).total_seconds()), 0)
            self.rest_since = None
            self.awake_since = now


def _tried_again(until: datetime | None) -> str:
    return f"tried again at {until:%Y-%m-%d %H:%M} UTC" if until else "it waits for a person"


def _check_call_back(event: ev.CallOutcome, now: datetime) -> None:
    wanted = event.call_back_at
    if wanted is None:
        return
    if event.outcome != "call_back":
        raise Refused("call_back_at", f"only goes with the outcome call_back, not with {event.outcome}")
    if wanted <= now:
        raise Refused("call_back_at", "lies in the past; give a time to come")
    if wanted > now + FARTHEST_CALL_BACK:
        days = FARTHEST_CALL_BACK.days
        raise Refused("call_back_at", f"is too far off: at most {days} days; for a later day take a promise or pause")
