"""Whether something of the customer's waits for us, so that nothing is sent and nothing done about them meanwhile.

Looked at in the transaction that claims a message or acts, under the customer's lock, under which a reply or incoming
money is written as well: either the claim sees it, or the message was claimed before.
"""

from sqlalchemy.orm import Session

from dunwell.services import money_under_way, replies
from dunwell.services.contact_caps import TooOften
from dunwell.services.dispatch import Dispatch
from dunwell.services.standstill import Wait


def wait_for(session: Session, dispatch: Dispatch, *, presses: bool) -> Wait | None:
    """Return until when the step waits, and why; None when nothing keeps it.

    presses: it asks for money, or does something because none came; only such a step waits for money in question.
    """
    found = _unhandled_reply(session, dispatch)
    return found or (money_under_way.wait_for(session, dispatch) if presses else None)


def forbid(session: Session, dispatch: Dispatch, *, presses: bool) -> None:
    """Raises TooOften while the step has to wait."""
    found = wait_for(session, dispatch, presses=presses)
    if found is not None:
        raise TooOften((), found.until, found.why)


def has_unhandled_reply(session: Session, customer_id: str) -> bool:
    """Whether a person has still to read something that this customer wrote, of whichever invoice."""
    return bool(replies.open_for(session, customer_id))


def _unhandled_reply(session: Session, dispatch: Dispatch) -> Wait | None:
    """A reply that no person has handled, also one of which the case does not know yet.

    It keeps a person's answer as well, who may not know what was written since, but not the word that the money came.
    """
    if dispatch.case.ended is not None:
        return None
    found = replies.open_for(session, dispatch.case.customer_id)
    if not found:
        return None
    since = found[0].received_at
    why = f"a reply of {dispatch.calendar.local_date(since)} waits for a person: nothing leaves until it is handled"
    # A case that is told that the reply was handled looks again at once.
    return Wait(dispatch.tomorrow, why, since)
