"""The hourly sweep: unconfirmed messages, overdue tasks, pages of limited accounts, and what is old enough to go."""

from datetime import timedelta

from temporalio import activity

from activities.attempts import this_attempt
from dunwell.services import holds, told
from dunwell.services.dependencies import Dependencies
from dunwell.services.task_escalation import escalate
from dunwell.services.unconfirmed_messages import UnconfirmedMessage, UnconfirmedMessages
from dunwell.store import digests, idempotency_keys, notifications, submissions

_NOTIFICATIONS_KEPT = timedelta(days=30)


class SweepActivities:
    def __init__(self, deps: Dependencies) -> None:
        self._deps, self._messages = deps, UnconfirmedMessages(deps)

    @activity.defn(name="find_silent_messages")
    def find_unconfirmed(self) -> list[UnconfirmedMessage]:
        """Give up messages whose delivery nobody confirmed, and return them.

        Before that, escalate tasks that are long overdue, issue links to pages of limited accounts that lack one,
        and delete idempotency keys first used a month ago, forms carried out a month ago, and notifications of
        webhooks that were settled a month ago.
        """
        attempt = this_attempt()
        escalate(self._deps, attempt)
        holds.renew_pages(self._deps, attempt)
        with self._deps.database.writing() as session:
            idempotency_keys.forget(session, attempt.now - idempotency_keys.KEPT)
            digests.forget(session, attempt.now - digests.KEPT)
            submissions.forget(session, attempt.now - submissions.KEPT)
            told.forget(session, attempt.now - told.KEPT)
            notifications.forget(session, attempt.now - _NOTIFICATIONS_KEPT)
        return self._messages.give_up(attempt)
