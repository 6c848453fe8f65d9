"""The letters that wait to be posted, and what to do about each."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.gateways import registry
from dunwell.gateways.setting_fields import SharedSettings
from dunwell.store import cases, invoices, outbox, standstills
from dunwell.store.tables import MessageInvoiceRow, MessageRow


def letter_facts(session: Session, row: MessageRow, settings: SharedSettings) -> dict[str, Any]:
    """Return a letter that is not posted yet and what to do about it, as `letters --json` shows it."""
    links = outbox.links(session, row.message_id)
    about = sorted({link.invoice_id for link in links})
    known = [invoices.get_row(session, invoice_id) for invoice_id in about]
    folder = registry.printing(row.provider).folder
    return {
        "message_id": row.message_id,
        "since": row.sent_at or row.claimed_at,
        "invoices": about,
        "numbers": [one.number for one in known if one is not None],
        "step": row.step,
        "contact": row.contact_id,
        "to": row.address,
        "provider": row.provider,
        "file": str(folder(settings) / row.provider_id) if folder and row.provider_id else None,
        "hold_back": _hold_back(session, links, row),
    }


def _hold_back(session: Session, links: Sequence[MessageInvoiceRow], row: MessageRow) -> str | None:
    """Return why a letter must not be posted, or not now; None when it may be posted."""
    if standstills.in_force(session) is not None:
        return "do not post now: `starter.py hold` is on"
    carried = [(link.step, case) for link in links if (case := cases.get(session, link.invoice_id)) is not None]
    if not row.asks or not carried:
        return None
    kept = {case.invoice_id: case for _, case in carried}
    moved = {case.invoice_id for step, case in carried if case.is_of_former_round(step, row.claimed_at)}
    asking = [case for case in kept.values() if _still_asks(case) and case.invoice_id not in moved]
    if not asking:
        return f"do not post: {', '.join(sorted({_why_not(case, moved) for case in kept.values()}))}"
    asked = sum((case.asked for case in asking), Decimal(0))
    if asked == row.amount:
        return None
    printed, now = (f"{amount:.{asking[0].money.digits}f} {asking[0].currency}" for amount in (row.amount, asked))
    way_out = f"`starter.py settle-message {row.message_id} failed` lets the case take another way"
    return f"do not post: it asks for {printed}, and {now} may be asked for now; {way_out}"


def _why_not(case: Case, moved: Collection[str]) -> str:
    return f"due on {case.due_on} now" if case.invoice_id in moved and not case.ended else case.stage.value


def _still_asks(case: Case) -> bool:
    return case.asked > 0 and not case.resting


def to_post(session: Session) -> list[tuple[str, str]]:
    """Return message id and customer id of every letter in the print folder that may be posted."""
    return [
        (row.message_id, row.customer_id)
        for row in outbox.letters(session)
        if registry.printing(row.provider).folder is not None
        and _hold_back(session, outbox.links(session, row.message_id), row) is None
    ]
