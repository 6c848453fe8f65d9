"""Decides that a message leaves: the row that is claimed before a provider is called.

The claim commits in the transaction that looked at the balance, under the customer's lock, so the database orders
it against every payment (G1). Its key is (invoice, step, contact, channel), so there is one for each at most (G3).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy.orm import Session
from temporalio.exceptions import ApplicationError

from activities import caps, companions, credits, enclosures, letters, standstill
from activities.composing import compose, lead_first
from activities.desk import Desk
from activities.enclosures import Enclosure
from activities.headers import mail_headers
from activities.job import Job
from activities.journal import note
from activities.wording import Composed
from domain import agenda
from domain.address import address_key
from domain.case import Case
from domain.invoice import Contact
from domain.terms import DEAD_STATES, Channel, MessageState
from gateways.base import Envelope
from gateways.numbers import costly
from store import addresses, cases, invoices, ledger, outbox, waits
from store.tables import MessageRow

CALL_PATIENCE = timedelta(seconds=90)
"""Longer than any provider call may take: before that, a begun call may still be under way."""

_COMPANION_PATIENCE = timedelta(seconds=2)
"""How soon a case looks again whether another case's call, which carries its step, was answered."""

Result = Literal["reached", "closed", "silent"]
"""reached: contacted, or nobody knows. closed: not on this channel. silent: the case wants no message any more."""


@dataclass(frozen=True)
class Claim:
    """A message that is ours to send; `begun_before` when an earlier attempt called and vanished."""

    envelope: Envelope
    begun_at: datetime
    begun_before: bool


class Claims:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def claim(self, session: Session, job: Job, contact: Contact, channel: Channel, address: str) -> Claim | Result:
        """Claim the message inside the caller's transaction, or say why there is nothing to claim.

        Raises TooOften when another case was faster to use up what this contact may get, or a standstill has begun.
        """
        key = address_key(channel, address, rehearsal=job.rehearsal)
        row = outbox.find(session, job.case.invoice_id, str(job.errand.key), contact.contact_id, channel, key)
        if row is not None and _came_back_from_elsewhere(session, job, row, contact, key):
            outbox.set_aside(session, row, job.case.invoice_id, str(job.errand.key))
            row = None
        if row is not None and row.call == "answered":
            return reported(row)
        if row is not None and row.call == "begun":
            return self._vanished(row, contact)
        case = fresh(session, job, self._desk.catalogue.traits[str(job.errand.message)].asks)
        if case is None:
            return _stay_silent(session, job, row, contact, channel)
        closed = self._why_closed(session, job, contact, channel, address)
        if closed:
            reason = f"{contact.contact_id} is not written to by {channel.value}: {closed}"
            note(session, job, f"{contact.contact_id}.{channel.value}.closed", "withheld", reason, channel)
            return "closed"
        standstill.forbid(session, job)
        wait = caps.earliest(session, self._desk, job, [contact])
        if wait is not None:
            raise caps.TooOften([contact], *wait)
        return self._write(session, replace(job, case=case), row, contact, channel, address)

    def _why_closed(self, session: Session, job: Job, contact: Contact, channel: Channel, address: str) -> str | None:
        closed = addresses.why_closed(session, channel, address, rehearsal=job.rehearsal)
        if closed:
            return f"the address {closed}"
        if channel is Channel.SMS and (expense := costly(address)):
            return f"it is {expense}"
        return letters.unfit(session, self._desk, job, contact) if channel is Channel.LETTER else None

    def _vanished(self, row: MessageRow, contact: Contact) -> Claim:
        """An earlier attempt, perhaps of another case, called the provider; is it still at it?"""
        if _may_be_under_way(row):
            raise ApplicationError(
                "an earlier call for this message may still be under way",
                type="InFlight",
                next_retry_delay=_COMPANION_PATIENCE,
            )
        return Claim(_envelope(row, contact), row.called_at or row.claimed_at, begun_before=True)

    def abandoned(self, session: Session, job: Job) -> list[Claim]:
        """The errand's messages whose call was begun and can no longer be under way.

        Not letters: one that came to light now would wait to be posted, with nobody to take it back.
        """
        everybody = invoices.get_customer(session, job.case.customer_id).contacts  # whoever left meanwhile, too
        people = {contact.contact_id: contact for contact in everybody}
        return [
            Claim(_envelope(row, people[row.contact_id]), row.called_at or row.claimed_at, begun_before=True)
            for row in outbox.of_invoice(session, job.case.invoice_id, str(job.errand.key))
            if row.call == "begun" and row.channel != Channel.LETTER and row.contact_id in people
            if not _may_be_under_way(row)
        ]

    def _write(
        self,
        session: Session,
        job: Job,
        row: MessageRow | None,
        contact: Contact,
        channel: Channel,
        address: str,
    ) -> Claim:
        """The row with its text, by the figures of this very transaction, and all the invoices it carries."""
        own_id = job.message_id(contact, channel)
        if row is None and outbox.get(session, own_id) is not None:  # it came back from an earlier address
            key = address_key(channel, address, rehearsal=job.rehearsal)
            own_id = job.message_id(contact, channel, key)
        if row is not None and row.message_id != own_id:
            # It never left. Its name stays with the invoice that claimed it, whose turn may come again.
            outbox.forget(session, row)
            row = None
        elif row is not None:
            outbox.unlink_others(session, row, job.case.invoice_id)
        others = companions.find(session, self._desk, job, contact, channel, address)
        jobs = lead_first(job, others)
        mail = self._mail(session, own_id, jobs) if channel is Channel.EMAIL else _Mail()
        lead, composed = jobs[0], compose(session, self._desk, jobs, contact, more=mail.facts)
        if row is None:
            row = MessageRow(
                message_id=own_id,
                customer_id=job.case.customer_id,
                channel=channel.value,
                contact_id=contact.contact_id,
                planned_at=job.planned_at,
            )
        row.address, row.address_key = address, address_key(channel, address, rehearsal=job.rehearsal)
        row.claimed_at = job.now
        short, on_screen = channel is Channel.SMS, channel is Channel.EMAIL
        row.step, row.message = str(lead.errand.key), str(lead.errand.message)
        row.asks = self._desk.catalogue.traits[row.message].asks and not job.errand.served
        row.subject = "" if short else composed.subject
        row.body = composed.short if short else composed.text
        row.html = composed.html if on_screen else None
        row.amount = sum((one.case.asked for one in others), job.case.asked)
        row.state, row.reason = MessageState.CLAIMED.value, None
        row.call, row.called_at = "begun", datetime.now(UTC)
        outbox.add(session, row)
        for one in (job, *others):
            outbox.link(session, row, one.case.invoice_id, str(one.errand.key), warning=one.errand.warning)
        waits.forget(session, [one.case.invoice_id for one in (job, *others)])
        envelope = self._packed(session, row, jobs, contact, composed, mail)
        return Claim(envelope, row.called_at, begun_before=False)

    def _packed(
        self, session: Session, row: MessageRow, jobs: list[Job], contact: Contact, composed: Composed, mail: "_Mail"
    ) -> Envelope:
        """The envelope with what its channel adds to the words."""
        envelope, lead = _envelope(row, contact), jobs[0]
        match Channel(row.channel):
            case Channel.EMAIL:
                headers = mail_headers(session, self._desk, row, lead.case.invoice_id)
                return replace(envelope, headers=headers, attachments=tuple(one.file for one in mail.enclosed))
            case Channel.LETTER:
                letter = letters.write(session, self._desk, jobs, contact, composed, asks=row.asks)
                company, country = lead.customer.name, lead.customer.country
                return replace(envelope, attachments=(letters.printed(letter),), company=company, country=country)
            case _:
                return envelope

    def _mail(self, session: Session, own_id: str, jobs: list[Job]) -> "_Mail":
        asks = self._desk.catalogue.traits[str(jobs[0].errand.message)].asks
        link = self._desk.opt_out.link(own_id) if self._desk.opt_out else None
        return _Mail(link, enclosures.find(session, jobs) if asks else ())


@dataclass(frozen=True)
class _Mail:
    """What an e-mail has beside its words."""

    unsubscribe_url: str | None = None
    enclosed: tuple[Enclosure, ...] = ()

    @property
    def facts(self) -> Mapping[str, object]:
        return {"unsubscribe_url": self.unsubscribe_url, "enclosed": tuple(one.number for one in self.enclosed)}


def _came_back_from_elsewhere(session: Session, job: Job, row: MessageRow, contact: Contact, key: str) -> bool:
    """Whether this contact's message came back, and the contact has an address now that never got it."""
    return (
        row.call == "answered"
        and row.state in {MessageState.BOUNCED, MessageState.FAILED}
        and row.contact_id == contact.contact_id
        and row.address_key != key
        and key not in outbox.tried(session, job.case.invoice_id, str(job.errand.key))
    )


def reported(row: MessageRow) -> Result:
    """What is known of a message already; its delivery report may be faster than the provider's answer."""
    return "closed" if row.state in DEAD_STATES else "reached"


def _may_be_under_way(row: MessageRow) -> bool:
    return row.called_at is not None and datetime.now(UTC) - row.called_at < CALL_PATIENCE


def _stay_silent(session: Session, job: Job, row: MessageRow | None, contact: Contact, channel: Channel) -> Result:
    """The money came, or the case began to rest, after the step was judged."""
    reason = f"{job.errand.message} by {channel.value} to {contact.contact_id}: nothing may be asked for now"
    if row is not None:
        row.state, row.reason = MessageState.WITHHELD.value, "nothing may be asked for now"
    note(session, job, f"{contact.contact_id}.{channel.value}.silent", "withheld", reason, channel)
    return "silent"


def fresh(session: Session, job: Job, asks: bool) -> Case | None:
    """The case as the database knows it now; None when it wants no such message any more."""
    case = cases.get(session, job.case.invoice_id) or job.case
    if case.revision < job.case.revision:
        case = job.case
    case = case.with_paid(ledger.paid(session, case.invoice_id))
    if not agenda.is_wanted(case, job.errand.step, asks=asks):
        return None
    presses = asks or job.errand.ladder is not None
    return None if presses and credits.cover(session, case) else case


def _envelope(row: MessageRow, contact: Contact) -> Envelope:
    return Envelope(
        message_id=row.message_id,
        channel=Channel(row.channel),
        to=row.address,
        to_name=contact.name,
        subject=row.subject,
        text=row.body,
        html=row.html,
    )
