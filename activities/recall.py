"""Takes back letters that nobody has posted yet, once nothing may be asked for any more."""

from datetime import datetime

from sqlalchemy.orm import Session
from temporalio import activity

from activities.desk import Desk
from activities.journal import note_message
from domain.case import Case
from domain.terms import Channel, MessageState
from gateways.base import DeliveryError, Recalls
from store import cases, outbox, tasks
from store.tables import MessageRow


def recall_letters(desk: Desk, case: Case, now: datetime, *, rehearsal: bool) -> None:
    """Those that ask for this invoice, which is settled, and for no other that still has to be paid.

    What cannot be taken back stays as it is: somebody may be on the way to the post with it.
    """
    gateway = desk.gateway(Channel.LETTER, rehearsal)
    if not isinstance(gateway, Recalls):
        return
    with desk.database.reading() as session:
        waiting = [row.message_id for row in outbox.of_invoice(session, case.invoice_id) if _waits(session, row)]
    for message_id in waiting:
        with desk.database.writing(case.customer_id) as session:
            row = outbox.get(session, message_id)
            if row is None or row.provider_id is None or not _waits(session, row):
                continue
            try:
                taken_back = gateway.recall(row.provider_id)
            except DeliveryError as error:
                activity.logger.warning("a letter was not taken back: %s", error.reason)
                continue
            if taken_back:
                row.state, row.reason = MessageState.WITHHELD.value, "settled before it was posted"
                row.settled_at = now
                note_message(session, row, "withheld", "taken back: settled before it was posted", now)
                tasks.close_task(session, message_id + outbox.UNPOSTED, "the letter was taken back", now)


def _waits(session: Session, row: MessageRow) -> bool:
    if row.channel != Channel.LETTER or row.state != MessageState.ACCEPTED or not row.asks:
        return False
    carried = (cases.get(session, link.invoice_id) for link in outbox.links(session, row.message_id))
    return all(case is None or case.frees_account for case in carried)
