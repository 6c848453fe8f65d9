"""Writes the decisions of a dispatch into the timelines of the invoices it concerns."""

from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.channels import Channel
from dunwell.domain.keys import StepKey
from dunwell.domain.timeline import Entry
from dunwell.services.dispatch import Dispatch
from dunwell.store import outbox, timeline
from dunwell.store.tables import MessageRow


def note(
    session: Session,
    dispatch: Dispatch,
    key: str,
    kind: str,
    reason: str,
    channel: Channel | None = None,
    ref: str | None = None,
) -> None:
    """Write one decision into the timeline of the job's own case."""
    entry = Entry(
        key=f"{dispatch.execution.key}.{key}",
        at=dispatch.now,
        kind=kind,
        step=dispatch.execution.step,
        channel=channel.value if channel else None,
        reason=reason,
        ref=ref,
    )
    timeline.write(session, dispatch.case.invoice_id, [entry])


def note_message(session: Session, row: MessageRow, kind: str, said: str, now: datetime) -> str:
    """Write what became of a message into the timeline of each invoice it carries. Returns the text."""
    carried = outbox.links(session, row.message_id)
    others = f", about {len(carried)} invoices" if len(carried) > 1 else ""
    text = f"{row.message} by {row.channel} to {row.contact_id}{others}: {said}"
    for link in carried:
        entry = Entry(
            key=f"{link.step}.{row.message_id}.{row.state}",
            at=now,
            kind=kind,
            step=StepKey.parse(link.step).step,
            channel=row.channel,
            reason=text,
            ref=row.message_id,
        )
        timeline.write(session, link.invoice_id, [entry])
    return text
