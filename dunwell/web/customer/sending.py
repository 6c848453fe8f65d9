"""Carries out what a customer's form came to, once, however often it comes in."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from dunwell.client.answers import TellOutcome, TellResult
from dunwell.client.server import NoAnswer
from dunwell.domain.address import address_key
from dunwell.domain.channels import Channel
from dunwell.domain.refusal import Refused
from dunwell.domain.timeline import Entry
from dunwell.services import payers, replies
from dunwell.services.links import Link
from dunwell.services.submissions import Submission
from dunwell.store import audit, idempotency_keys, sent_files, timeline
from dunwell.store.tables import SentFileRow
from dunwell.views.lookup import find_invoice
from dunwell.web.customer import kept
from dunwell.web.customer.acts import Act, Telling
from dunwell.web.customer.opt_outs import Recipient
from dunwell.web.customer.sent_once import once
from dunwell.web.customer.typed import Fault, SentFile, Unfit
from dunwell.web.repetition import answered_once
from dunwell.web.service import Service

MOST_A_DAY = 20
"""How often a case is told something by the links of one contact."""
MOST_FILES = 20
"""How many files are kept of a customer; more come by e-mail."""


async def carry_out(service: Service, link: Link, act: Act, form: Submission, now: datetime) -> None:
    """Tell the cases, keep the file and the payer, stop the e-mails.

    Raises Unfit for what is beyond a limit, Refused for what a case refuses and for a form that was sent before with
    other words, and NoAnswer or ServerAway when nobody took it in: sent again, it is carried out once.
    """
    async with once(service, link, form, now):
        await _do(service, link, act, form.form_id, now)


async def _do(service: Service, link: Link, act: Act, form_id: str, now: datetime) -> None:
    if act.tellings:
        await asyncio.to_thread(_check_pace, service, link, act, form_id)
    file_id = await asyncio.to_thread(_keep, service, link, act, form_id, now) if act.file is not None else None
    try:
        if act.tellings:
            await service.connection.ensure()
        await tell_all(service, link, act.tellings, form_id)
    except Refused as refused:
        if file_id is not None and refused.field != "request_id":
            await asyncio.to_thread(_drop, service, link, file_id)
        raise
    if file_id is not None:
        await asyncio.to_thread(_note_file, service, link, act.tellings[0].invoice_id, file_id, now)
    if act.payer is not None:
        await asyncio.to_thread(_name_payer, service, link, act, form_id, now)
    if act.wish:
        await asyncio.to_thread(_ask, service, link, act, form_id, now)
        service.dispatcher.wake()
    if act.stops and link.message_id is not None:
        stopped = Recipient(link.message_id, Channel.EMAIL, "", stopped=False)
        await asyncio.to_thread(service.opt_outs.stop, stopped, now)
        await asyncio.to_thread(_note_stop, service, link, form_id, now)


def _check_pace(service: Service, link: Link, act: Act, form_id: str) -> None:
    """Raise Unfit when more was said about an invoice in a day than a person says. A repetition is no more."""
    by, since = link.principal.label, datetime.now(UTC) - timedelta(days=1)
    with service.database.reading() as session:
        for telling in act.tellings:
            known = idempotency_keys.get(session, by, telling.invoice_id, form_id) is not None
            if not known and idempotency_keys.count_since(session, by, telling.invoice_id, since) >= MOST_A_DAY:
                raise Unfit({"form": Fault("too_often")})


async def tell_all(service: Service, link: Link, tellings: Sequence[Telling], form_id: str) -> None:
    """Tell each case, once for each form.

    The page offered what is possible: a case that refuses it has changed since, such as by a payment. What the others
    took counts. Raises Refused when none takes it, NotAllowed, NoAnswer, ServerAway.
    """
    refusals = []
    for one in tellings:
        try:
            await _tell(service, link, one, form_id)
        except Refused as refused:
            refusals.append(refused)
    if refusals and len(refusals) == len(tellings):
        raise refusals[0]


async def _tell(service: Service, link: Link, one: Telling, form_id: str) -> None:
    async def told() -> TellResult:
        return await service.cases.tell(
            one.invoice_id, one.event, one.content, note=one.note, principal=link.principal, request_id=form_id
        )

    result = await answered_once(told)
    if result.how is TellOutcome.ACCEPTED:
        raise NoAnswer("The case has not decided about it yet: the same form again says what came of it.")


def _keep(service: Service, link: Link, act: Act, form_id: str, now: datetime) -> str:
    """Keep the file of a dispute, and return its id. Raises Unfit when there are too many."""
    file, invoice_id = act.file, act.tellings[0].invoice_id
    assert file is not None
    row = _row(link, file, invoice_id, form_id, now)
    with service.database.writing(link.customer_id) as session:
        known = sent_files.get(session, invoice_id, row.file_id) is not None
        if not known and sent_files.count_of_customer(session, link.customer_id) >= MOST_FILES:
            raise Unfit({"file": Fault("many_files")})
        sent_files.add(session, row)
    return row.file_id


def _row(link: Link, file: SentFile, invoice_id: str, form_id: str, now: datetime) -> SentFileRow:
    file_id = sha256(f"{link.link_id}.{form_id}".encode()).hexdigest()[:32]
    return SentFileRow(
        file_id=file_id,
        invoice_id=invoice_id,
        customer_id=link.customer_id,
        link_id=link.link_id,
        name=f"{invoice_id}-{file_id[:8]}.{file.kind.ending}",
        given_name=file.name,
        media_type=file.kind.value,
        size=len(file.content),
        content=file.content,
        at=now,
    )


def _drop(service: Service, link: Link, file_id: str) -> None:
    with service.database.writing(link.customer_id) as session:
        sent_files.remove(session, file_id)


def _note_file(service: Service, link: Link, invoice_id: str, file_id: str, now: datetime) -> None:
    """Write that a file came, once its dispute was taken."""
    key, by = f"file.{file_id}", link.principal
    with service.database.writing(link.customer_id) as session:
        if audit.append(session, by, f"invoice/{invoice_id}", "file_sent", now, key=key):
            reason = f"a file came with what is disputed, by {by.label}"
            entry = Entry(key=key, at=now, kind="file", reason=reason, ref=file_id)
            timeline.write(session, invoice_id, [entry])


def _note_stop(service: Service, link: Link, form_id: str, now: datetime) -> None:
    with service.database.writing(link.customer_id) as session:
        about = f"customer/{link.customer_id}"
        audit.append(session, link.principal, about, "mail_stopped", now, key=kept.stop_key(form_id))


def _ask(service: Service, link: Link, act: Act, form_id: str, now: datetime) -> None:
    """Keep a wish as a reply: every open case of the customer rests until a person has answered it."""
    with service.database.writing(link.customer_id) as session:
        subject = f"Instalments for invoice {find_invoice(session, act.about).number}"
        once = kept.wish_id(link, form_id)
        audit.append(
            session, link.principal, f"invoice/{act.about}", "instalments_asked", now, key=f"asked.{form_id}"
        )
        replies.from_page(session, once, link.customer_id, link.contact_id, subject, act.wish, now)


def _name_payer(service: Service, link: Link, act: Act, form_id: str, now: datetime) -> None:
    assert act.payer is not None
    if _is_ours(service, act.payer.email):
        raise Unfit({"email": Fault("payer_cap")})
    try:
        with service.database.writing(link.customer_id) as session:
            payers.name(session, link, form_id, act.about, act.payer, now, ask=act.done == "payer_asked")
    except payers.TooManyPayers:
        raise Unfit({"form": Fault("payer_cap")}) from None


def _is_ours(service: Service, email: str) -> bool:
    """Whether mails to this address come back to us."""
    ours = (*service.deps.reply_addresses.ours(email), service.deps.sender.reply_to or "")
    return address_key(Channel.EMAIL, email) in {address_key(Channel.EMAIL, one) for one in ours if one}
