"""What is refused at the door though a case could take it: the likely slips of whoever tells it.

Commands, the API, signals and updates ask here first. The case itself takes such news and lets a person check it,
because what a bank or provider reports has to be kept whatever it says.
"""

from datetime import datetime

from domain.case import FARTHEST_VALUE_DATE, Case
from domain.events import Event, PaymentReceived
from domain.refusal import Refused


def admit(case: Case, event: Event, now: datetime) -> None:
    """Raises Refused for a payment from the future."""
    match event:
        case PaymentReceived(received_at=at, from_provider=False) if at and at > now + FARTHEST_VALUE_DATE:
            days = FARTHEST_VALUE_DATE.days
            raise Refused("received_at", f"lies more than {days} days ahead ({at:%Y-%m-%d}): give the day it came in")
