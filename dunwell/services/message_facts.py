"""Gathers the facts of a message in the transaction that claims it, so that no amount is older than that."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy.orm import Session

from dunwell.domain import grace, ladder, next_action
from dunwell.domain.agreements import MissedInstalment, Promise
from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.checkpoint import Reversal
from dunwell.domain.contact import Contact
from dunwell.domain.invoice import Customer, History
from dunwell.domain.keys import StepKey
from dunwell.domain.payments import OUR_MISTAKES
from dunwell.domain.policy import Policy
from dunwell.domain.reinstatement import BOOKED_BY_MISTAKE
from dunwell.domain.terms import TAKEN_STATES, Access, DebtorKind, Level
from dunwell.services.dispatch import Dispatch
from dunwell.services.step_execution import StepExecution, restrictions
from dunwell.store import accounts, cases, invoices, outbox, payment_references
from dunwell.store.tables import HoldRow
from dunwell.texts.catalogue import Facts, Instalment, OtherInvoice

_REDUCES_ACCESS = frozenset({str(Access.RESTRICTED), str(Access.SUSPENDED)})


class Consequence(NamedTuple):
    """What a message announces or states, one of CONSEQUENCES, and its day for the customer."""

    what: str
    on: date


def gather(
    session: Session,
    case: Case,
    customer: Customer,
    contact: Contact,
    execution: StepExecution,
    policy: Policy,
    calendar: BusinessCalendar,
    now: datetime,
    sender: tuple[str, str, str | None],
) -> Facts:
    """The facts of `case` as it stands in this transaction."""
    row = invoices.get_row(session, case.invoice_id)
    if row is None:
        raise LookupError(f"invoice {case.invoice_id!r} is not in the database")
    consequence = _consequence(case, execution, policy, calendar, now)
    coming = _coming(case)
    reactions, agreements = case.rules.reactions, case.agreements
    corrects = execution.message == BOOKED_BY_MISTAKE
    promise = agreements.promise if corrects else agreements.promises[-1] if agreements.promises else None
    missed = agreements.missed if execution.message == reactions.instalment_missed else None
    promised = missed or promise
    broken = missed or (promise if execution.message == reactions.promise_broken else None)
    reversal = _last_reversal(case)
    tells_access = consequence.what in _REDUCES_ACCESS if consequence else execution.message == reactions.restored
    held = _held_by_others(session, case) if tells_access else []
    return Facts(
        contact_name=contact.name,
        company=customer.name,
        number=row.number,
        reference=payment_references.reference_of(session, [case.invoice_id]),
        issued_on=case.issued_on,
        due_on=case.due_on,
        today=calendar.local_date(now),
        amount=case.money.amount,
        paid=case.money.paid,
        open=case.open_amount,
        asked=case.asked,
        currency=case.currency,
        digits=case.money.digits,
        payment_url=row.payment_url,
        earlier=_earlier(session, case, execution, policy, calendar),
        consequence=consequence.what if consequence else None,
        consequence_on=consequence.on if consequence else None,
        promise_on=promised.date if promised else None,
        promise_amount=_promised(case, promised, missing=corrects),
        missing=broken.still_missing(case.money.paid) if broken else None,
        instalments=_instalments(case, unmet=corrects),
        instalment_on=coming.on if coming else None,
        instalment_amount=coming.amount if coming else None,
        credit=case.credit,
        holding=_bills(session, held),
        suspended=accounts.access_by(held) is Access.SUSPENDED,
        not_settled=execution.message == reactions.restored and case.ended is None,
        taken_back=reversal.amount if reversal else None,
        taken_back_on=calendar.local_date(reversal.at) if reversal else None,
        plan_ended=None if execution.message == reactions.instalment_missed else _plan_ended(case),
        consumer=customer.kind is DebtorKind.CONSUMER,
        public_body=customer.kind is DebtorKind.PUBLIC,
        sender_name=sender[0],
        sender_company=sender[1],
        reply_to=sender[2],
    )


def consequence_of(dispatch: Dispatch) -> Consequence | None:
    """The consequence that the job's message announces or states; None when it has none."""
    return _consequence(dispatch.case, dispatch.execution, dispatch.policy, dispatch.calendar, dispatch.now)


def _last_reversal(case: Case) -> Reversal | None:
    """The reversal after which no payment came; None when the last event of money is no reversal of a payment.

    A payment that we counted by mistake did not go back: the customer never heard of it, or is told so apart.
    """
    reversals = [one for one in case.money.reversals if one.reason not in OUR_MISTAKES]
    receipts = case.money.receipts
    if not reversals or any(one.received_at > reversals[-1].at for one in receipts):
        return None
    credits = {one.payment_id for one in receipts if one.from_invoice is not None}
    return None if reversals[-1].payment_id in credits else reversals[-1]


def _promised(case: Case, promised: Promise | MissedInstalment | None, *, missing: bool) -> Decimal | None:
    """How much was promised; `missing`: only what has not come of it."""
    if promised is None:
        return None
    return promised.still_missing(case.money.paid) if missing else promised.amount


def _plan_ended(case: Case) -> date | None:
    """The day of the instalment whose lack ended the last plan; None once something else is agreed."""
    agreements = case.agreements
    if agreements.missed is None or agreements.plan is not None or agreements.promise is not None:
        return None
    return agreements.missed.date


def _held_by_others(session: Session, case: Case) -> list[HoldRow]:
    """The holds that other invoices still have on the account, as far as they reduce access."""
    holds = accounts.open_holds(session, case.customer_id)
    return [hold for hold in holds if hold.invoice_id != case.invoice_id and hold.level != Level.WORK]


def _bills(session: Session, holds: Sequence[HoldRow]) -> tuple[OtherInvoice, ...]:
    """The invoices that hold the account, the longest due first."""
    found = [cases.get(session, invoice_id) for invoice_id in sorted({hold.invoice_id for hold in holds})]
    bills = [bill(session, case) for case in found if case is not None]
    return tuple(sorted(bills, key=lambda one: (one.due_on, one.number)))


def bill(session: Session, case: Case) -> OtherInvoice:
    """The invoice of `case` as one among others, with what may be asked for it now."""
    row = invoices.get_row(session, case.invoice_id)
    if row is None:
        raise LookupError(f"invoice {case.invoice_id!r} is not in the database")
    return OtherInvoice(
        number=row.number,
        issued_on=case.issued_on,
        due_on=case.due_on,
        asked=case.asked,
        currency=case.currency,
        digits=case.money.digits,
        payment_url=row.payment_url,
    )


def _instalments(case: Case, *, unmet: bool) -> tuple[Instalment, ...]:
    """The parts of the plan. `unmet`: only those to come, the next one less the part of it that came."""
    plan, coming = case.agreements.plan, _coming(case)
    if plan is None:
        return ()
    parts = [Instalment(on=item.date, amount=item.amount) for item in plan.instalments[plan.met if unmet else 0 :]]
    return (coming, *parts[1:]) if unmet and coming is not None else tuple(parts)


def _coming(case: Case) -> Instalment | None:
    """The next instalment, less the part of it that came already, or is in dispute."""
    plan = case.agreements.plan
    part = plan.coming(case.money.paid, case.asked or case.open_amount) if plan is not None else None
    return Instalment(on=part.date, amount=part.amount) if part is not None else None


def _earlier(
    session: Session, case: Case, execution: StepExecution, policy: Policy, calendar: BusinessCalendar
) -> tuple[date, ...]:
    """The days of earlier warnings of this invoice: ours that were not returned, and those from elsewhere."""
    days = {
        calendar.local_date(row.sent_at)
        for step, row in outbox.warnings(session, case.invoice_id)
        if row.sent_at and row.state in TAKEN_STATES
        if (key := StepKey.parse(step)) != execution.original_key and key.round == case.progress.round
    }
    return tuple(sorted(days.union(_elsewhere(session, case, policy))))


def _elsewhere(session: Session, case: Case, policy: Policy) -> list[date]:
    """The days on which warnings were written before the invoice came to us; none once its due date has moved on."""
    row = invoices.get_row(session, case.invoice_id)
    if row is None or row.history is None or case.progress.round > 1:
        return []
    warnings = {step.id for step in policy.steps if step.warning}
    return [one.on for one in History.model_validate(row.history).reminded if one.step in warnings]


def _consequence(
    case: Case, execution: StepExecution, policy: Policy, calendar: BusinessCalendar, now: datetime
) -> Consequence | None:
    """What the ladder will do, and on which day by today's plan. Nothing is said that no step does."""
    step, running = execution.ladder, case.agreements.grace
    if running is not None and execution.message == case.rules.reactions.grace_granted:
        lifted = restrictions(case, policy)[-1]
        return Consequence(str(lifted.does), grace.returns_on(running, calendar, now))
    if step is None:
        return None
    if not step.announces:
        return Consequence(str(step.does), calendar.local_date(now)) if step.does else None
    announced = policy.step(step.announces[0])
    done = ladder.StepDone(step=step.id, at=now, outcome="done", shift=case.progress.shift)
    before = next_action.standing(case)
    after = before.model_copy(update={"done": (*before.done, done)})
    for line in ladder.preview(policy, after, calendar, now):
        if line.step == announced.id:
            return Consequence(str(announced.does), calendar.local_date(line.at))
    return None
