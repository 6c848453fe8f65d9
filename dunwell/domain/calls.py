"""The rules of calls, visits and meetings: how many attempts, the rest between them, when they are escalated."""

import re
from datetime import datetime, time, timedelta
from typing import Literal

from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.model import Value

_WAIT = re.compile(r"(?P<count>\d{1,3})\s+(?P<unit>business\s+days?|hours?)")
_MOST = {"hours": 72, "business_days": 20}

DAY_OPENS, DAY_CLOSES = time(8), time(21)
"""The hours in which people may be contacted at all; a ladder's window lies inside them."""

FARTHEST_CALL_BACK = timedelta(days=14)
"""A debtor who asks to be called later than this promises nothing."""


class Wait(Value):
    """A stretch of hours, or of business days that keeps the hour."""

    count: int
    unit: Literal["hours", "business_days"]

    @classmethod
    def read(cls, text: str) -> "Wait":
        """Read the form used in ladder files. Raises ValueError that shows the allowed forms."""
        found = _WAIT.fullmatch(text.strip())
        if found is None:
            raise ValueError(f'{text!r} is not understood: write "3 hours" or "1 business day"')
        unit: Literal["hours", "business_days"] = "hours" if found["unit"].startswith("hour") else "business_days"
        count = int(found["count"])
        if not 1 <= count <= _MOST[unit]:
            raise ValueError(f"{text!r} is no sensible wait: 1 to {_MOST[unit]} {unit.replace('_', ' ')}")
        return cls(count=count, unit=unit)

    def after(self, moment: datetime, calendar: BusinessCalendar) -> datetime:
        """The first open moment (UTC) once the wait that began at `moment` is over."""
        if self.unit == "hours":
            return calendar.next_open(moment + timedelta(hours=self.count))
        local = moment.astimezone(calendar.zone)
        return calendar.next_open(calendar.at(calendar.add_business_days(local.date(), self.count), local.time()))

    def __str__(self) -> str:
        words = self.unit.replace("_", " ")
        return f"{self.count} {words[:-1] if self.count == 1 else words}"


class CallRules(Value):
    """A ladder's rules for the people who call.

    attempts        how often one step calls somebody who does not answer
    retry           how long after such a call the next one comes
    payment_wait_days    business days that chasing waits for money which is said to have left
    rest_after_conversation_days    days without a call of the ladder after a conversation; 0 is no rest
    escalate_after_hours    open hours after which a task that nobody did goes to a manager
    """

    attempts: int = 3
    retry: Wait = Wait(count=3, unit="hours")
    payment_wait_days: int = 2
    rest_after_conversation_days: int = 7
    escalate_after_hours: int = 4
