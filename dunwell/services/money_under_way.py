"""Whether money of a customer is being matched, so that they are asked for nothing meanwhile.

Looked at in the transaction that claims a message or acts, under the customer's lock; what is proposed and booked is
written under the same lock. So either the message sees the proposal, or it was claimed before the money was known.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.services.decision_log import note
from dunwell.services.dispatch import Dispatch
from dunwell.services.standstill import Wait
from dunwell.store import incoming_payments
from dunwell.store.tables import IncomingPaymentRow

DAYS_TO_DECIDE = 2
"""Business days in which nothing is asked for; after that chasing goes on, for a person has not decided."""


def wait_for(session: Session, dispatch: Dispatch) -> Wait | None:
    """Return until when a request or consequence waits, and why; None when no money is in question."""
    customer_id = dispatch.case.customer_id
    for row in incoming_payments.open_for(session, customer_id):
        until = _end(dispatch, _proposed_at(row))
        if dispatch.now < until:
            why = f"payment {row.entry_id} may be this customer's: waits until a person decides"
            return Wait(until, f"{why}, until {until:%Y-%m-%d %H:%M} UTC at most", _proposed_at(row))
    for booking in incoming_payments.on_their_way(session, [customer_id]):
        until = _end(dispatch, booking.at)
        if dispatch.now < until:
            return Wait(
                until, f"payment {booking.payment_id} is on its way to invoice {booking.invoice_id}", booking.at
            )
    return None


def note_undecided(session: Session, dispatch: Dispatch) -> None:
    """Say in the timeline, once, that chasing goes on although nobody has decided about a payment."""
    for row in incoming_payments.open_for(session, dispatch.case.customer_id):
        if dispatch.now >= _end(dispatch, _proposed_at(row)):
            said = (
                f"nobody decided about payment {row.entry_id} within {DAYS_TO_DECIDE} business days: chasing goes on"
            )
            note(session, dispatch, f"undecided.{row.entry_id}", "match", said, ref=row.entry_id)


def _proposed_at(row: IncomingPaymentRow) -> datetime:
    """Return since when the payment waits with its proposals: since it came, or since a person undid a decision."""
    return row.decided_at or row.since


def _end(dispatch: Dispatch, since: datetime) -> datetime:
    """The same hour two business days later, by the customer's calendar."""
    calendar = dispatch.calendar
    day = calendar.add_business_days(calendar.local_date(since), DAYS_TO_DECIDE)
    return calendar.next_open(calendar.at(day, since.astimezone(calendar.zone).time()))
