"""When default begins: the first day for which a law gives interest."""

from datetime import date, timedelta

from dunwell.domain.claim_history import ClaimHistory
from dunwell.domain.interest_rule import InterestRule, Start, StartEvent

_ONE_DAY = timedelta(days=1)


def first_day_of_default(history: ClaimHistory, rule: InterestRule) -> date | None:
    """Return the earliest day that a start of the rule gives, and never one before the day after the due date.

    None: all of them wait for something that has not happened, such as a notice.
    """
    after_due = history.due_on + _ONE_DAY
    days = [day for start in rule.starts if (day := day_after(start, history)) is not None]
    return max(min(days), after_due) if days else None


def day_after(start: Start, history: ClaimHistory) -> date | None:
    """Return the day after that event and its days; None when the event has not happened."""
    events = {
        StartEvent.DUE: history.due_on,
        StartEvent.NOTICE: history.noticed_on,
        StartEvent.ISSUE: history.issued_on,
    }
    day = events[start.event]
    return None if day is None else day + timedelta(days=start.days + 1)
