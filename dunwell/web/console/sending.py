"""Sends what a form says to its case, once, and shows the form again where it was refused."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from fastapi import Request

from dunwell.client.answers import TellResult
from dunwell.client.typed_events import check_typed
from dunwell.domain.principals import Principal
from dunwell.domain.refusal import Refused
from dunwell.domain.timeline import Entry
from dunwell.intake.currencies import Currency
from dunwell.store import idempotency_keys, invoices, timeline
from dunwell.views.lookup import find_invoice
from dunwell.web.console.forms import SEEN, Filled, Form, content_of, note_of
from dunwell.web.posted_form import FORM_ID
from dunwell.web.repetition import answered_once
from dunwell.web.service import Service, service_of

_BY_PEOPLE = frozenset(
    {
        "accessory",
        "amended",
        "announced",
        "approved",
        "call",
        "credit",
        "declined",
        "dispute",
        "dispute_resolved",
        "ended",
        "grace",
        "paused",
        "payment",
        "plan",
        "policy_moved",
        "promise",
        "recovery",
        "reopened",
        "reply",
        "reply_handled",
        "resumed",
        "reversed",
    }
)
"""Timeline entries that change what another person would decide. Messages and reports of delivery do not."""


class Overtaken(Exception):
    """Somebody did something about this case after the form's page was made. `filled` is the form with the news."""

    def __init__(self, filled: Filled) -> None:
        super().__init__("the case has changed")
        self.filled = filled


async def send(
    request: Request,
    principal: Principal,
    invoice_id: str,
    form: Form,
    typed: Mapping[str, str],
    fixed: Mapping[str, Any] | None = None,
) -> TellResult | Filled:
    """Tell the case what the form says. Returns its answer, or the form with what was refused.

    fixed  fields that the page sets, in place of what was typed

    The form id makes it one request: a second sending is answered as the first. Raises Overtaken when the case
    changed by other hands since the page was made, NoAnswer and ServerAway.
    """
    service = service_of(request)
    filled = Filled(form, dict(typed), form_id=typed.get(FORM_ID, "") or uuid4().hex, seen=_seen(typed))
    known = await asyncio.to_thread(_known, service, principal, invoice_id, filled)
    if known.news and not known.repeated:
        raise Overtaken(replace(filled, news=known.news, seen=known.last))
    try:
        content = content_of(form, typed, known.zone, known.currency) | dict(fixed or {})
        if form.by:
            content[form.by] = principal.label
        if form.name == "payment_received":
            content["currency"] = known.currency.code
        check_typed(form.name, content)
        return await _told(service, principal, invoice_id, form, content, note_of(typed), filled.form_id)
    except Refused as refused:
        if refused.field == "invoice":
            raise
        if refused.field == "request_id":
            reason = "This form was sent before with other values; nothing was done now. Check it, and send it again."
            return replace(filled, errors={"form": reason}, form_id=uuid4().hex)
        return filled.refused(refused)


async def _told(
    service: Service,
    principal: Principal,
    invoice_id: str,
    form: Form,
    content: Mapping[str, Any],
    note: str | None,
    form_id: str,
) -> TellResult:
    """Raises ServerAway, with the advice to send the form again: it is carried out once."""
    await service.connection.ensure()
    return await answered_once(
        lambda: service.cases.tell(invoice_id, form.name, content, note=note, principal=principal, request_id=form_id)
    )


@dataclass(frozen=True)
class _Known:
    """What the database knows of a case when a form about it comes in.

    news      what people did since the form's page was made; last: the number of the last timeline entry
    repeated  whether this very form came in before
    """

    currency: Currency
    zone: str
    news: Sequence[Entry]
    last: int
    repeated: bool


def _known(service: Service, principal: Principal, invoice_id: str, filled: Filled) -> _Known:
    """Raises Refused when nobody registered the invoice."""
    with service.database.reading() as session:
        row = find_invoice(session, invoice_id)
        written = timeline.read(session, invoice_id, after=filled.seen) if filled.seen else []
        news = [entry for _, entry in written if entry.kind in _BY_PEOPLE]
        repeated = idempotency_keys.get(session, principal.label, invoice_id, filled.form_id) is not None
        zone = invoices.customer_row(session, row.customer_id).time_zone
        last = max((number for number, _ in written), default=filled.seen)
        return _Known(Currency(row.currency, row.digits), zone, news, last, repeated)


def _seen(typed: Mapping[str, str]) -> int:
    text = typed.get(SEEN, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
