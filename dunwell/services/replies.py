"""Keeps what customers write to us, and says which cases rest because of it.

A reply is written under the locks of the customers whom it concerns, in the transaction that takes it in. A message
is claimed under the same lock: so either the claim sees the reply, or it was made before the reply came.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from dunwell.domain.address import address_key
from dunwell.domain.cleaning import one_line
from dunwell.domain.received_mail import ReceivedFile
from dunwell.domain.refusal import Unknown
from dunwell.domain.reply_terms import FoundBy, ReplyChannel, ReplyKind, ReplyLine, ReplyOutcome, reply_id_of
from dunwell.gateways.events import ProviderEvent
from dunwell.intake.file_kinds import MOST_BYTES, kind_of
from dunwell.intake.reply_lines import Reader, proposals_in
from dunwell.services.applied_event import CaseEvent, keep_for_cases
from dunwell.services.reply_owner import Owner
from dunwell.store import cases, invoices, provider_events, replies
from dunwell.store.tables import ReplyCaseRow, ReplyFileRow, ReplyRow

MOST_A_DAY = 20
"""Replies from one address; more come from a program that answers our answers."""

_MOST_NAME = 200


class Received(NamedTuple):
    """A reply that was kept, and the invoices whose cases are to be told of it."""

    reply_id: str
    tell: tuple[str, ...]


def find(session: Session, reply_id: str) -> ReplyRow:
    """Return a reply. Raises Unknown."""
    row = replies.get(session, reply_id)
    if row is None:
        raise Unknown("reply", f"{reply_id[:80]!r} is not known; `starter.py replies` shows those that wait")
    return row


def open_for(session: Session, customer_id: str) -> Sequence[ReplyRow]:
    """Return the replies about this customer that nobody has handled yet, oldest first.

    Call it in the transaction that claims a message or acts, under the customer's lock.
    """
    return replies.open_for(session, customer_id)


def receive(session: Session, event: ProviderEvent, owner: Owner | None, now: datetime) -> Received:
    """Keep what somebody wrote. Call with the locks of the owner's customers; the same again changes nothing."""
    reply_id = reply_id_of(event.event_id)
    if replies.get(session, reply_id) is not None:
        return Received(reply_id, ())
    kind, why = _kind(session, event, owner, now)
    concerned = open_cases(session, reply_id, owner.customers) if owner and kind is ReplyKind.PERSON else []
    row = _row(reply_id, event, owner, kind, why, now)
    row.proposals = _proposals(session, row, [one.invoice_id for one in concerned], now)
    replies.add(session, row, _files(reply_id, event), concerned)
    return Received(reply_id, () if row.handled_at else tuple(one.invoice_id for one in concerned))


def is_kept_from_page(session: Session, form_id: str) -> bool:
    """Whether what somebody typed into this form of the customer's own page is kept."""
    return replies.get(session, _id_from_page(form_id)) is not None


def _id_from_page(form_id: str) -> str:
    return reply_id_of(f"page/{form_id}")


def from_page(
    session: Session, form_id: str, customer_id: str, contact_id: str | None, subject: str, text: str, now: datetime
) -> Received:
    """Keep what somebody typed on the customer's own page, for a person to answer. Call with the customer's lock.

    form_id  of the form, which is one request however often it is sent
    """
    reply_id, owner = _id_from_page(form_id), Owner((customer_id,), contact_id, FoundBy.TOKEN)
    if replies.get(session, reply_id) is not None:
        return Received(reply_id, ())
    concerned = open_cases(session, reply_id, owner.customers)
    row = ReplyRow(
        reply_id=reply_id,
        customer_id=customer_id,
        contact_id=contact_id,
        found_by=FoundBy.TOKEN,
        forwarded=False,
        channel=ReplyChannel.PAGE,
        kind=ReplyKind.PERSON,
        why="it was typed on the customer's page",
        sender="",
        sender_key="",
        sender_name="",
        subject=subject,
        text=text,
        whole=text,
        verdicts={},
        received_at=now,
    )
    row.proposals = _proposals(session, row, [one.invoice_id for one in concerned], now)
    replies.add(session, row, (), concerned)
    tell = tuple(one.invoice_id for one in concerned)
    if tell:
        event = CaseEvent.of_reply(reply_id, ReplyChannel.PAGE, now, tell)
        keep_for_cases(session, "page", reply_id, [event], now)
    return Received(reply_id, tell)


def read_again(session: Session, row: ReplyRow, invoice_ids: Sequence[str]) -> None:
    """Read what a reply says once more, as its customer writes and owes: it has become known whose it is."""
    row.proposals = _proposals(session, row, invoice_ids, row.received_at)


def _kind(session: Session, event: ProviderEvent, owner: Owner | None, now: datetime) -> tuple[ReplyKind, str]:
    mail = event.mail
    if mail is not None and mail.automatic is not None:
        return ReplyKind.AUTOMATIC, mail.automatic
    since = now - timedelta(days=1)
    if event.address and replies.count_from(session, _key(event), since) >= MOST_A_DAY:
        return ReplyKind.AUTOMATIC, f"more than {MOST_A_DAY} a day come from its address"
    if owner is None:
        return ReplyKind.UNKNOWN, "no customer is known at its address"
    return ReplyKind.PERSON, _FOUND[owner.found_by]


_FOUND = {
    FoundBy.TOKEN: "it was sent to the reply address of a message",
    FoundBy.THREAD: "it answers a message",
    FoundBy.ADDRESS: "its address is a contact's",
    FoundBy.PERSON: "a person said whose it is",
}


def _row(
    reply_id: str, event: ProviderEvent, owner: Owner | None, kind: ReplyKind, why: str, now: datetime
) -> ReplyRow:
    mail, text = event.mail, event.text or ""
    stopped = mail is not None and mail.only_stop
    return ReplyRow(
        reply_id=reply_id,
        customer_id=owner.customers[0] if owner else None,
        contact_id=owner.contact_id if owner else None,
        found_by=owner.found_by if owner else None,
        forwarded=owner.forwarded if owner else False,
        channel=ReplyChannel(event.channel),
        kind=kind,
        why=why,
        sender=event.address or "",
        sender_key=_key(event),
        sender_name=(mail.sender_name if mail else "")[:_MOST_NAME],
        subject=mail.subject if mail else "",
        text=text,
        whole=mail.whole if mail else text,
        mail_id=mail.mail_id if mail else None,
        mail_references=mail.references if mail else None,
        message_id=owner.message_id if owner else None,
        verdicts=mail.verdicts if mail else {},
        received_at=now,
        handled_at=now if stopped else None,
        handled_by="dunwell" if stopped else None,
        outcome=ReplyOutcome.STOPPED if stopped else None,
    )


def _proposals(session: Session, row: ReplyRow, invoice_ids: Sequence[str], now: datetime) -> list[dict[str, Any]]:
    """What it seems to say. Of a program's mail only until when somebody is away."""
    customer = invoices.customer_row(session, row.customer_id) if row.customer_id else None
    open_cases = [case for one in invoice_ids if (case := cases.get(session, one)) is not None]
    reader = Reader(
        language=customer.language if customer else "en",
        country=customer.country if customer else "",
        today=now.astimezone(ZoneInfo(customer.time_zone) if customer else UTC).date(),
        currency=open_cases[0].currency if open_cases else None,
        sums=frozenset(case.asked for case in open_cases),
    )
    found = proposals_in(f"{row.subject}\n\n{row.text}" if row.kind is ReplyKind.AUTOMATIC else row.text, reader)
    wanted = [one for one in found if row.kind is not ReplyKind.AUTOMATIC or one.line is ReplyLine.OUT_OF_OFFICE]
    return [one.model_dump(mode="json", exclude_none=True) for one in wanted]


def open_cases(session: Session, reply_id: str, customers: Collection[str]) -> list[ReplyCaseRow]:
    """Return the open cases of these customers, the newest invoice first, as rows of the reply, not yet stored."""
    return [
        ReplyCaseRow(reply_id=reply_id, invoice_id=one.invoice_id, customer_id=one.customer_id)
        for one in provider_events.cases_of(session, customers)
        if not cases.has_ended(one)
    ]


def _files(reply_id: str, event: ProviderEvent) -> list[ReplyFileRow]:
    files = event.mail.files if event.mail else ()
    return [_file(reply_id, number, file) for number, file in enumerate(files, 1)]


def _file(reply_id: str, number: int, file: ReceivedFile) -> ReplyFileRow:
    """A file under a name of ours. What is none of the kinds that people are asked for is a mere row of bytes."""
    kind = kind_of(file.content)
    return ReplyFileRow(
        reply_id=reply_id,
        number=number,
        name=f"{reply_id}-{number}.{kind.ending if kind else 'bin'}",
        given_name=one_line(file.name)[:_MOST_NAME],
        media_type=kind.value if kind else "application/octet-stream",
        size=len(file.content),
        content=file.content if len(file.content) <= MOST_BYTES else None,
    )


def _key(event: ProviderEvent) -> str:
    return address_key(event.channel, event.address) if event.address else ""
