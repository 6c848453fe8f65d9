"""Takes back unposted letters once what they ask for is settled or not due any more."""

import logging
from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.channels import POSTED, Channel
from dunwell.domain.keys import UNPOSTED, TaskId
from dunwell.domain.terms import MessageState
from dunwell.gateways.base import DeliveryError, TakesBack
from dunwell.services.decision_log import note_message
from dunwell.services.dependencies import Dependencies
from dunwell.store import cases, outbox, tasks
from dunwell.store.tables import MessageRow

_log = logging.getLogger("dunwell.services")


def take_back_letters(deps: Dependencies, case: Case, now: datetime, *, rehearsal: bool) -> None:
    """Those that ask for this invoice, which is settled or whose due date has moved, and for no other that still has
    to be paid.

    What cannot be taken back stays as it is: somebody may be on the way to the post with it.
    """
    for channel in POSTED:
        gateway = deps.gateway(channel, rehearsal)
        if isinstance(gateway, TakesBack):
            _take_back(deps, gateway, channel, case, now)


def _take_back(deps: Dependencies, gateway: TakesBack, channel: Channel, case: Case, now: datetime) -> None:
    with deps.database.reading() as session:
        waiting = [
            row.message_id for row in outbox.of_invoice(session, case.invoice_id) if _needless(session, row, channel)
        ]
    for message_id in waiting:
        with deps.database.writing(case.customer_id) as session:
            row = outbox.get(session, message_id)
            why = _needless(session, row, channel) if row is not None else None
            if row is None or row.provider_id is None or why is None:
                continue
            try:
                taken_back = gateway.take_back(row.provider_id)
            except DeliveryError as error:
                _log.warning("a letter was not taken back: %s", error.reason)
                continue
            if taken_back:
                row.state, row.reason, row.settled_at = MessageState.WITHHELD, why, now
                note_message(session, row, "withheld", f"taken back: {why}", now)
                tasks.close_task(session, str(TaskId.of(message_id, UNPOSTED)), "the letter was taken back", now)


def _needless(session: Session, row: MessageRow, channel: Channel) -> str | None:
    """Why nobody has to be asked by this letter, which waits to be posted; None for every other message."""
    if row.channel != channel or row.state != MessageState.ACCEPTED or not row.asks:
        return None
    carried = [(link.step, cases.get(session, link.invoice_id)) for link in outbox.links(session, row.message_id)]
    running = [(step, case) for step, case in carried if case is not None and not case.frees_account]
    if any(not case.is_of_former_round(step, row.claimed_at) for step, case in running):
        return None
    return "the due date moved before it was posted" if running else "settled before it was posted"
