"""Gathers what a message may speak of, at the moment it is claimed: no amount is ever older than that."""

from datetime import date, datetime

from sqlalchemy.orm import Session

from activities.errand import Errand
from activities.wording import Facts, Instalment
from domain import agenda, ladder
from domain.calendar import BusinessCalendar
from domain.case import Case
from domain.invoice import Contact, Customer
from domain.policy import Policy
from domain.terms import TAKEN_STATES
from store import invoices, outbox

MISSED = "instalment-missed"
"""The one message whose promised day is an instalment's."""


def gather(
    session: Session,
    case: Case,
    customer: Customer,
    contact: Contact,
    errand: Errand,
    policy: Policy,
    calendar: BusinessCalendar,
    now: datetime,
    sender: tuple[str, str, str | None],
) -> Facts:
    """The facts of `case` as it stands in this transaction."""
    row = invoices.get_row(session, case.invoice_id)
    if row is None:
        raise LookupError(f"invoice {case.invoice_id!r} is not in the database")
    consequence, on = _consequence(case, errand, policy, calendar, now)
    coming = _coming(case)
    promised = case.missed if errand.message == MISSED else (case.promises[-1] if case.promises else None)
    return Facts(
        contact_name=contact.name,
        company=customer.name,
        number=row.number,
        issued_on=case.issued_on,
        due_on=case.due_on,
        today=calendar.local_date(now),
        amount=case.amount,
        paid=case.paid,
        open=case.open_amount,
        asked=case.asked,
        currency=case.currency,
        digits=case.digits,
        payment_url=row.payment_url,
        earlier=_earlier(session, case, errand, calendar),
        consequence=consequence,
        consequence_on=on,
        promise_on=promised.date if promised else None,
        promise_amount=promised.amount if promised else None,
        instalments=_instalments(case),
        instalment_on=coming.on if coming else None,
        instalment_amount=coming.amount if coming else None,
        credit=case.credit,
        sender_name=sender[0],
        sender_company=sender[1],
        reply_to=sender[2],
    )


def _instalments(case: Case) -> tuple[Instalment, ...]:
    plan = case.plan
    return tuple(Instalment(on=item.date, amount=item.amount) for item in plan.instalments) if plan else ()


def _coming(case: Case) -> Instalment | None:
    """The next instalment, less the part of it that came already."""
    plan = case.plan
    if plan is None:
        return None
    part = plan.instalments[plan.met]
    missing = plan.owed_by(plan.met + 1) - (case.paid - plan.paid_before)
    return Instalment(on=part.date, amount=min(part.amount, missing))


def _earlier(session: Session, case: Case, errand: Errand, calendar: BusinessCalendar) -> tuple[date, ...]:
    """The days on which earlier warnings of this invoice left and were not returned."""
    days = {
        calendar.local_date(row.sent_at)
        for step, row in outbox.warnings(session, case.invoice_id)
        if row.sent_at and step != errand.told_as and row.state in TAKEN_STATES
    }
    return tuple(sorted(days))


def _consequence(
    case: Case, errand: Errand, policy: Policy, calendar: BusinessCalendar, now: datetime
) -> tuple[str | None, date | None]:
    """What the ladder will do, and on which day by today's plan. Nothing is said that no step does."""
    step = errand.ladder
    if step is None:
        return None, None
    if not step.announces:
        return (str(step.does), calendar.local_date(now)) if step.does else (None, None)
    announced = policy.step(step.announces[0])
    done = ladder.StepDone(step=step.id, at=now, outcome="done", shift=case.shift)
    before = agenda.standing(case)
    after = before.model_copy(update={"done": (*before.done, done)})
    for line in ladder.preview(policy, after, calendar, now):
        if line.step == announced.id:
            return str(announced.does), calendar.local_date(line.at)
    return None, None
