"""Refuses events that are likely slips of the person who sends them, though a case could take them.

Commands, the API, signals and updates are checked here first. The case itself accepts such an event and has a person
check it, because what a bank or provider reports has to be kept whatever it says.
"""

from datetime import datetime

from dunwell.domain.case import Case
from dunwell.domain.events import CreditApplied, Event, PaymentReceived, PaymentReversed
from dunwell.domain.payments import FARTHEST_VALUE_DATE
from dunwell.domain.refusal import Refused


def admit(case: Case, event: Event, now: datetime) -> None:
    """Raises Refused for money that comes or goes in the future, or went before it came, and for useless credit."""
    match event:
        case PaymentReceived(received_at=at, from_provider=False) if at and at > now + FARTHEST_VALUE_DATE:
            days = FARTHEST_VALUE_DATE.days
            raise Refused("received_at", f"lies more than {days} days ahead ({at:%Y-%m-%d}): give the day it came in")
        case PaymentReversed(reversed_at=at) if at is not None:
            _admit_value_date(case, event.payment_id, at, now)
        case CreditApplied() if event.credit_id not in case.money.payments:
            _admit_credit(case, event)


def _admit_value_date(case: Case, payment_id: str, at: datetime, now: datetime) -> None:
    if at > now + FARTHEST_VALUE_DATE:
        days = FARTHEST_VALUE_DATE.days
        raise Refused("reversed_at", f"lies more than {days} days ahead ({at:%Y-%m-%d}): give the day it went back")
    came = next((one.received_at for one in case.money.receipts if one.payment_id == payment_id), None)
    if came is not None and at.date() < came.date():
        raise Refused("reversed_at", f"lies before {came:%Y-%m-%d}, when the payment came in ({at:%Y-%m-%d})")


def _admit_credit(case: Case, event: CreditApplied) -> None:
    if event.from_invoice == case.invoice_id:
        raise Refused("from_invoice", "is this invoice itself; name another one of this customer")
    if case.open_amount == 0:
        raise Refused("amount", f"nothing is open ({case.stage.value}), so there is nothing to apply credit to")
    if event.amount > case.open_amount:
        raise Refused("amount", f"is more than the {case.open_amount} {case.currency} that are open")
