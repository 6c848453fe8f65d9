"""When default begins: the first day for which a law gives interest."""

from datetime import date, timedelta

from dunwell.domain.claim_history import ClaimHistory
from dunwell.domain.interest_rule import InterestRule, Start, StartEvent
from dunwell.domain.refusal import Refused

_ONE_DAY = timedelta(days=1)


def due_day(history: ClaimHistory, rule: InterestRule) -> date:
    """Return the due date, moved to the next business day where the law says so.

    Raises Refused when it says so and the history does not tell that day.
    """
    if not rule.due_date_moves:
        return history.due_on
    if history.due_on_business_day is None:
        raise Refused("due_on", f"{rule.key} moves it to the next business day, which the history does not tell")
    return history.due_on_business_day


def first_day_of_default(history: ClaimHistory, rule: InterestRule) -> date | None:
    """Return the earliest day that a start of the rule gives, and never one before the day after the due date.

    None: all of them wait for something that has not happened, such as a notice.
    """
    after_due = due_day(history, rule) + _ONE_DAY
    days = [day for start in rule.starts if (day := day_after(start, history, rule)) is not None]
    return max(min(days), after_due) if days else None


def day_after(start: Start, history: ClaimHistory, rule: InterestRule) -> date | None:
    """Return the day after that event and its days; None when the event has not happened."""
    events = {
        StartEvent.DUE: due_day(history, rule),
        StartEvent.NOTICE: history.noticed_on,
        StartEvent.ISSUE: history.issued_on,
    }
    day = events[start.event]
    return None if day is None else day + timedelta(days=start.days + 1)
