"""What customers wrote to us: the replies that wait, and one reply with all that a clerk needs to answer it."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.invoice import Customer, is_rehearsal
from dunwell.domain.keys import StepKey
from dunwell.domain.reply_terms import ReplyKind, ReplyProposal
from dunwell.intake.sender_verdicts import judged
from dunwell.services.answers import PreviewedAnswer, sendable
from dunwell.services.replies import find
from dunwell.store import answers, cases, invoices, outbox, replies
from dunwell.store.tables import AnswerRow, ContactRow, ReplyFileRow, ReplyRow
from dunwell.views.facts import Facts
from dunwell.views.names import user_name

_START = 160
"""Characters of a reply that a list shows."""


def waiting_replies(session: Session, now: datetime) -> list[Facts]:
    """Return the replies of people that nobody has handled yet, oldest first; none of rehearsals."""
    rows = [row for row in replies.waiting(session) if not is_rehearsal(row.customer_id or "")]
    return _listed(session, rows, now)


def count_waiting(session: Session) -> int:
    """Return how many replies of people wait."""
    return sum(not is_rehearsal(row.customer_id or "") for row in replies.waiting(session))


def latest_replies(session: Session, now: datetime, first: int, most: int) -> tuple[list[Facts], int]:
    """Return a page of all replies, the latest first, also automatic ones, and how many there are."""
    query = select(ReplyRow).order_by(ReplyRow.received_at.desc(), ReplyRow.reply_id).offset(first).limit(most)
    total = session.scalar(select(func.count()).select_from(ReplyRow)) or 0
    return _listed(session, session.scalars(query).all(), now), total


def replies_of(session: Session, customer_id: str, now: datetime) -> list[Facts]:
    """Return the replies of a customer, the latest first, each with its answers."""
    rows = replies.of_customer(session, customer_id)
    given: dict[str, list[Facts]] = {}
    for answer in answers.of_replies(session, [row.reply_id for row in rows]):
        given.setdefault(answer.reply_id, []).append(_answer(session, answer))
    return [one | {"answers": given.get(one["reply_id"], [])} for one in _listed(session, rows, now)]


def one_reply(session: Session, reply_id: str, now: datetime) -> Facts:
    """Return a reply whole: text, files, what it seems to say, its cases, its answers. Raises Unknown."""
    row = find(session, reply_id)
    (facts,) = _listed(session, [row], now)
    return facts | {
        "subject": row.subject,
        "text": row.text,
        "whole": row.whole,
        "verdicts": judged(row.verdicts, row.sender),
        "message_id": row.message_id,
        "proposals": [ReplyProposal.model_validate(one).model_dump() for one in row.proposals],
        "files": [_file(one, kept=kept) for one, kept in replies.files_of(session, reply_id)],
        "invoices": [_invoice(session, one) for one in invoice_ids(session, reply_id)],
        "answers": [_answer(session, one) for one in answers.of_replies(session, [reply_id])],
    }


def invoice_ids(session: Session, reply_id: str) -> list[str]:
    """Return the ids of the invoices that a reply may be about: those of its customer. Raises Unknown."""
    row = find(session, reply_id)
    return [one.invoice_id for one in sendable(session, row)] if row.customer_id else []


def preview_facts(found: PreviewedAnswer) -> Facts:
    """Return an answer as it would leave."""
    return {
        "invoice_id": found.invoice_id,
        "contact_id": found.contact.contact_id,
        "channel": found.channel.value,
        "stopped": found.stopped.value if found.stopped else None,
        "to": found.address,
        "language": found.language,
        "subject": found.subject or None,
        "body": found.body,
        "enclosed": list(found.enclosed),
        "sms": found.parts,
        "leaves_at": found.leaves.at,
        "delayed_by": found.leaves.why,
        "waits_for": found.waits_for,
    }


def _listed(session: Session, rows: Sequence[ReplyRow], now: datetime) -> list[Facts]:
    customers = invoices.find_customers(session, sorted({row.customer_id for row in rows if row.customer_id}))
    sums, writers = _open_sums(session, list(customers)), sorted({row.contact_id for row in rows if row.contact_id})
    people = session.execute(select(ContactRow.contact_id, ContactRow.name).where(ContactRow.contact_id.in_(writers)))
    names: dict[str | None, str] = {row.contact_id: row.name for row in people}
    return [
        _summary(row, customers.get(row.customer_id or ""), names.get(row.contact_id), sums, now)
        | {"handled_by": user_name(session, row.handled_by)}
        for row in rows
    ]


def _summary(
    row: ReplyRow, customer: Customer | None, writer: str | None, open_: dict[str, dict[str, Decimal]], now: datetime
) -> Facts:
    sums = open_.get(row.customer_id or "", {})
    return {
        "reply_id": row.reply_id,
        "rehearsal": is_rehearsal(row.customer_id or ""),
        "customer_id": row.customer_id,
        "customer": customer.name if customer else None,
        "time_zone": customer.time_zone if customer else "UTC",
        "language": customer.language if customer else None,
        "contact_id": row.contact_id,
        "contact": writer,
        "sender": row.sender,
        "sender_name": row.sender_name,
        "forwarded": row.forwarded,
        "found_by": row.found_by.value if row.found_by else None,
        "channel": row.channel.value,
        "kind": row.kind.value,
        "why": row.why,
        "start": " ".join((row.text or row.subject).split())[:_START],
        "received_at": row.received_at,
        "age_days": max(0, (now - row.received_at).days),
        "open": [{"amount": amount, "currency": currency} for currency, amount in sorted(sums.items())],
        "waits": row.handled_at is None and row.kind is not ReplyKind.AUTOMATIC,
        "handled_at": row.handled_at,
        "outcome": row.outcome.value if row.outcome else None,
    }


def _open_sums(session: Session, customer_ids: Sequence[str]) -> dict[str, dict[str, Decimal]]:
    """What is open of these customers' invoices, by currency."""
    sums: dict[str, dict[str, Decimal]] = {}
    for row in cases.open_of(session, customer_ids):
        case = Case.model_validate(row.state)
        own = sums.setdefault(row.customer_id, {})
        own[case.currency] = own.get(case.currency, Decimal(0)) + case.open_amount
    return sums


def _invoice(session: Session, invoice_id: str) -> Facts:
    row, case = invoices.get_row(session, invoice_id), cases.get(session, invoice_id)
    return {
        "invoice_id": invoice_id,
        "number": row.number if row else invoice_id,
        "open": case.open_amount if case else None,
        "currency": case.currency if case else None,
        "due_on": case.due_on if case else None,
        "stage": case.stage.value if case else None,
    }


def _file(row: ReplyFileRow, *, kept: bool) -> Facts:
    return {
        "number": row.number,
        "name": row.name,
        "given_name": row.given_name,
        "media_type": row.media_type,
        "size": row.size,
        "kept": kept,
    }


def _answer(session: Session, row: AnswerRow) -> Facts:
    """An answer with the message that carried it; `state` is None until the case has claimed it."""
    step = StepKey(step=answers.answer_of(row).step)
    message = next(iter(outbox.of_invoice(session, row.invoice_id, str(step))), None)
    return {
        "answer_id": row.answer_id,
        "reply_id": row.reply_id,
        "invoice_id": row.invoice_id,
        "phrases": list(row.phrases),
        "words": row.words,
        "by": user_name(session, row.by),
        "made_at": row.made_at,
        "message_id": message.message_id if message else None,
        "state": message.state.value if message else None,
        "body": message.body if message else None,
    }
