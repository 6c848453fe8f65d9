"""Records that letters were posted, and tells the cases that they are about."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.client.cases import Cases
from dunwell.domain.channels import Channel
from dunwell.domain.events import DeliveryReport
from dunwell.domain.principals import Principal
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import TAKEN_STATES, MessageState
from dunwell.gateways.events import ProviderEvent
from dunwell.services.provider_event import apply
from dunwell.store import audit, cases, outbox
from dunwell.store.database import Database


def chosen_letters(session: Session, message_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Return message id and customer id of each letter. Raises Refused for one that cannot be posted."""
    return [_known(session, one) for one in message_ids]


def note_posted(
    database: Database, letters: Sequence[tuple[str, str]], principal: Principal, now: datetime
) -> dict[str, set[str]]:
    """Record that these letters were posted. Returns, by letter, the open cases to which that must be told."""
    carried: dict[str, set[str]] = {}
    for message_id, customer_id in letters:
        with database.writing(customer_id) as session:
            carried[message_id] = _note_posted(session, message_id, now)
            audit.append(session, principal, f"message/{message_id}", "posted", now, key="posted")
    return carried


async def tell_posted(case_client: Cases, carried: dict[str, set[str]], now: datetime) -> None:
    """Tell the cases that their letters were posted. Raises ServerAway."""
    for message_id, about in carried.items():
        report = DeliveryReport(message_id=message_id, status="delivered", code=None, at=now)
        for invoice_id in sorted(about):
            content = report.model_dump(mode="json", exclude_none=True)
            with suppress(Refused):  # the case has just ended; that the database has the report is enough
                await case_client.tell(invoice_id, "delivery_report", content, wait=False)


def _known(session: Session, message_id: str) -> tuple[str, str]:
    row = outbox.get(session, message_id)
    if row is None or not Channel(row.channel).facts.posted:
        raise Refused(
            "message", f"{message_id!r} is no letter in the outbox; `starter.py letters` shows those that wait"
        )
    if row.state not in TAKEN_STATES:
        raise Refused("message", f"{message_id!r} is {row.state}; only a letter that waits can be posted")
    return row.message_id, row.customer_id


def _note_posted(session: Session, message_id: str, now: datetime) -> set[str]:
    """Record that the letter was posted. Returns the open cases it is about, to which the report must be sent.

    They are returned on a repetition too, because the first attempt may not have reached them.
    """
    row = outbox.get(session, message_id)
    if row is None:
        return set()
    provider_event = ProviderEvent(
        event_id=f"posted.{message_id}",
        kind="posted",
        channel=Channel(row.channel),
        message_id=message_id,
        state=MessageState.DELIVERED,
        at=now,
    )
    apply(session, provider_event, now)
    about = {link.invoice_id for link in outbox.links(session, message_id)}
    kept = [cases.get(session, invoice_id) for invoice_id in about]
    return {case.invoice_id for case in kept if case is not None and case.ended is None}
