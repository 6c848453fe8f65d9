"""Replies of the customer: the case rests until a person has handled each, and a manager hears of one that waits.

That rest is no pause: to resume a pause does not end it, and to handle a reply ends no pause.
"""

from datetime import datetime, timedelta

from dunwell.domain import events as ev
from dunwell.domain.agreements import OpenReply
from dunwell.domain.keys import TaskId
from dunwell.domain.refusal import Refused
from dunwell.domain.state import CaseState
from dunwell.domain.step_outcome import Said

AGAIN_AFTER = timedelta(days=7)
"""How soon a manager hears again of a reply that still waits."""


def received(case: CaseState, event: ev.ReplyReceived, now: datetime) -> list[Said]:
    agreements = case.agreements
    known = [*agreements.handled_replies, *(reply.reply_id for reply in agreements.replies)]
    if case.ended or event.reply_id in known:
        return []
    agreements.replies.append(OpenReply(reply_id=event.reply_id, at=min(event.at, now)))
    how = "on their page" if event.channel == "page" else f"by {event.channel.facts.label}"
    text = f"they wrote to us {how}: nothing leaves until a person has handled it"
    return [Said("reply", text, ref=event.reply_id)]


def handled(case: CaseState, event: ev.ReplyHandled, now: datetime) -> list[Said]:
    agreements = case.agreements
    if event.reply_id in agreements.handled_replies:
        return []
    left = [reply for reply in agreements.replies if reply.reply_id != event.reply_id]
    if len(left) == len(agreements.replies) and event.answer is None:
        raise Refused("reply_id", "is no reply that this case waits for; its status shows those that wait")
    agreements.replies = left
    agreements.handled_replies.append(event.reply_id)
    agreements.handled_at = now
    if event.answer is not None:
        case.outstanding.answer(event.answer)
    elif not case.ended:
        case.outstanding.last_answer_at = now  # a reminder in the hour in which somebody read it would be rude
    how = "answered" if event.answer else "handled"
    return [Said("reply_handled", f"{how} by {event.by}", ref=event.reply_id)]


def order(reply: OpenReply) -> datetime:
    """What orders replies by when a manager next hears of them."""
    return reply.at + AGAIN_AFTER * reply.escalated


def due(case: CaseState, now: datetime) -> list[Said]:
    """A manager hears of the reply that is first in `order`."""
    if not case.agreements.replies:
        return []
    reply = min(case.agreements.replies, key=order)
    reply.escalated += 1
    reply.escalated_at = now
    case.turn(f"reply escalated {reply.reply_id} {reply.escalated}")
    text = f"the reply of {case.today(reply.at)} still waits for a person: a manager is told"
    return [Said("escalated", text, ref=reply.reply_id)]


def waits_task(reply: OpenReply) -> str:
    """The id of the task that tells a manager of it: one for all cases of the customer."""
    return str(TaskId.of(reply.reply_id, "reply"))
