"""Sends one message to one contact: claim, call, record. Nowhere else does a message leave.

The claim commits in the transaction that looked at the balance, under the customer's lock, so the database
orders it against every payment (G1). A claim whose call was begun and never answered is looked up, or left to a
person; it is never simply sent again (G3).
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy.orm import Session
from temporalio.exceptions import ApplicationError

from activities import facts
from activities.desk import Desk
from activities.errand import Errand
from activities.wording import Composed
from domain.case import Case
from domain.invoice import Contact, Customer
from domain.policy import Policy
from domain.terms import DEAD_STATES, Channel, MessageState
from domain.timeline import Entry
from gateways.base import DeliveryError, Envelope, MessageGateway, Receipt
from store import addresses, cases, ledger, outbox, tasks, timeline
from store.tables import MessageRow

CALL_PATIENCE = timedelta(seconds=90)
"""Longer than any provider call may take: before that, a begun call may still be under way."""

_NAMESPACE = uuid.UUID("6b2d8f3e-5f0a-4f5e-9a53-0d0a6c1e7b11")

Result = Literal["reached", "closed", "silent"]
"""reached: contacted, or nobody knows. closed: not on this channel. silent: the case wants no message any more."""


@dataclass(frozen=True)
class Job:
    """What all messages of one errand share."""

    case: Case
    customer: Customer
    policy: Policy
    errand: Errand
    now: datetime
    planned_at: datetime
    rehearsal: bool


def message_id(invoice_id: str, step: str, contact_id: str, channel: Channel) -> str:
    """The same for the same (invoice, step, contact, channel), always, and telling nothing about them."""
    return uuid.uuid5(_NAMESPACE, "/".join((invoice_id, step, contact_id, channel.value))).hex


class Sending:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def send(self, job: Job, contact: Contact, channel: Channel) -> Result:
        """Bring the errand's message to `contact` on `channel`, once.

        Raises ApplicationError when the provider surely did not take it and may do so later.
        """
        address = contact.address(channel)
        if address is None:
            return "closed"
        with self._desk.database.writing(job.case.customer_id) as session:
            claim = self._claim(session, job, contact, channel, address)
        if not isinstance(claim, Claim):
            return claim
        gateway = self._desk.gateway(channel, job.rehearsal)
        if claim.begun_before:
            return self._look_up(job, claim, gateway)
        return self._call(job, claim, gateway)

    def _claim(
        self, session: Session, job: Job, contact: Contact, channel: Channel, address: str
    ) -> "Claim | Result":
        row = outbox.find(session, job.case.invoice_id, job.errand.key, contact.contact_id, channel)
        if row is not None and row.call == "answered":
            return _reported(row)
        if row is not None and row.call == "begun":
            if row.called_at and datetime.now(UTC) - row.called_at < CALL_PATIENCE:
                raise ApplicationError(
                    "an earlier call for this message may still be under way", type="InFlight"
                )
            return Claim(
                _envelope(row, contact, self._desk), row.called_at or row.claimed_at, begun_before=True
            )
        case = _fresh(session, job, self._desk.catalogue.traits[str(job.errand.message)].asks)
        if case is None:
            return self._stay_silent(session, job, row, contact, channel)
        closed = addresses.why_closed(session, channel, address)
        if closed:
            reason = f"{contact.contact_id} is not written to by {channel.value}: the address {closed}"
            self._note(
                session, job, f"{contact.contact_id}.{channel.value}.closed", "withheld", reason, channel
            )
            return "closed"
        if row is None:
            row = self._new_row(session, job, case, contact, channel, address)
        else:
            self._compose_into(session, row, job, case, contact)
        row.state, row.reason = MessageState.CLAIMED.value, None
        row.call, row.called_at = "begun", datetime.now(UTC)
        session.flush()
        return Claim(_envelope(row, contact, self._desk), row.called_at, begun_before=False)

    def _stay_silent(
        self, session: Session, job: Job, row: MessageRow | None, contact: Contact, channel: Channel
    ) -> Result:
        """The money came, or the case began to rest, after the step was judged."""
        reason = f"{job.errand.message} by {channel.value} to {contact.contact_id}: nothing may be asked for now"
        if row is not None:
            row.state, row.reason = MessageState.WITHHELD.value, "nothing may be asked for now"
        self._note(session, job, f"{contact.contact_id}.{channel.value}.silent", "withheld", reason, channel)
        return "silent"

    def _new_row(
        self, session: Session, job: Job, case: Case, contact: Contact, channel: Channel, address: str
    ) -> MessageRow:
        key = str(job.errand.message)
        row = MessageRow(
            message_id=message_id(job.case.invoice_id, job.errand.key, contact.contact_id, channel),
            customer_id=job.case.customer_id,
            step=job.errand.key,
            message=key,
            channel=channel.value,
            contact_id=contact.contact_id,
            address=address,
            subject="",
            body="",
            html=None,
            asks=self._desk.catalogue.traits[key].asks,
            warning=job.errand.warning,
            amount=case.asked,
            state=MessageState.CLAIMED.value,
            call="begun",
            planned_at=job.planned_at,
            claimed_at=job.now,
        )
        self._compose_into(session, row, job, case, contact)
        outbox.add(session, row, job.case.invoice_id)
        return row

    def _compose_into(
        self, session: Session, row: MessageRow, job: Job, case: Case, contact: Contact
    ) -> None:
        """The text, by the figures of this very transaction."""
        composed = self.compose(session, job, case, contact)
        short = row.channel == Channel.SMS
        row.subject = "" if short else composed.subject
        row.body = composed.short if short else composed.text
        row.html = None if short else composed.html
        row.amount = case.asked

    def compose(self, session: Session, job: Job, case: Case, contact: Contact) -> Composed:
        calendar = self._desk.case_calendar(session, case, job.now)
        sender = self._desk.sender
        known = facts.gather(
            session,
            case,
            job.customer,
            contact,
            job.errand,
            job.policy,
            calendar,
            job.now,
            (sender.name, sender.company, sender.reply_to),
        )
        language = self._desk.catalogue.language_for(job.customer.language)
        return self._desk.catalogue.compose(str(job.errand.message), language, known)

    def _call(self, job: Job, claim: "Claim", gateway: MessageGateway) -> Result:
        try:
            receipt = gateway.send(claim.envelope)
        except DeliveryError as error:
            return self._failed(job, claim, error)
        return self._record(job, claim, receipt)

    def _look_up(self, job: Job, claim: "Claim", gateway: MessageGateway) -> Result:
        """A call was begun and its answer never came: ask the provider, and if it cannot say, a person."""
        if not gateway.can_find:
            return self._unknown(job, claim, "the call was begun and no answer came")
        try:
            receipt = gateway.find(claim.envelope, claim.begun_at)
        except DeliveryError as error:
            raise ApplicationError(
                f"the provider cannot be asked: {error.reason}", type="Provider"
            ) from error
        if receipt is not None:
            return self._record(job, claim, receipt)
        with self._desk.database.writing(job.case.customer_id) as session:
            self._row(session, claim).call = "refused"
        raise ApplicationError("the provider never got the message; it is claimed anew", type="Provider")

    def _failed(self, job: Job, claim: "Claim", error: DeliveryError) -> Result:
        if error.maybe_sent:
            gateway = self._desk.gateway(claim.envelope.channel, job.rehearsal)
            if gateway.can_find:
                raise ApplicationError(
                    f"no answer from {gateway.name}; it will be looked up", type="Provider"
                )
            return self._unknown(job, claim, error.reason)
        if not error.permanent:
            with self._desk.database.writing(job.case.customer_id) as session:
                self._row(session, claim).call = "refused"
            raise ApplicationError(error.reason, type="Provider") from error
        receipt = Receipt("", None, MessageState.FAILED, error.code or error.reason, error.closes_address)
        return self._record(job, claim, receipt)

    def _record(self, job: Job, claim: "Claim", receipt: Receipt) -> Result:
        with self._desk.database.writing(job.case.customer_id) as session:
            row = self._row(session, claim)
            row.call = "answered"
            row.provider, row.provider_id = receipt.provider or None, receipt.provider_id
            if row.state != MessageState.CLAIMED:
                return _reported(row)
            row.state, row.reason = receipt.state.value, receipt.code
            arrived = receipt.state in {MessageState.ACCEPTED, MessageState.DELIVERED}
            row.sent_at = job.now if arrived or receipt.provider_id else None
            row.settled_at = None if receipt.state is MessageState.ACCEPTED else job.now
            if receipt.closes_address:
                addresses.close(session, Channel(row.channel), row.address, receipt.closes_address, job.now)
            what = f"{row.message} by {row.channel} to {row.contact_id}"
            code = f" ({receipt.code})" if receipt.code else ""
            kind = "sent" if arrived else receipt.state.value
            text = f"{what}: {receipt.state.value}{code}"
            key = f"{row.message_id}.{receipt.state.value}"
            self._note(session, job, key, kind, text, Channel(row.channel), row.message_id)
        return "reached" if arrived else "closed"

    def _unknown(self, job: Job, claim: "Claim", why: str) -> Result:
        """E-mail cannot be looked up. The policy's rule: do not send again, tell a person."""
        with self._desk.database.writing(job.case.customer_id) as session:
            row = self._row(session, claim)
            if row.state != MessageState.CLAIMED:
                return _reported(row)
            row.call, row.state, row.reason = "answered", MessageState.UNKNOWN.value, why
            text = f"nobody knows whether {row.message} by {row.channel} to {row.contact_id} left: {why}"
            self._note(
                session,
                job,
                f"{row.message_id}.unknown",
                "unknown",
                text,
                Channel(row.channel),
                row.message_id,
            )
            tasks.raise_task(
                session,
                task_id=f"{row.message_id}.unknown",
                invoice_id=job.case.invoice_id,
                step=job.errand.step,
                kind="decision",
                contact_id=row.contact_id,
                due_at=job.now,
                reason=f"{text}. Look it up at the provider by message id {row.message_id}; it is not sent again.",
                script="",
            )
        return "reached"

    def _row(self, session: Session, claim: "Claim") -> MessageRow:
        row = outbox.get(session, claim.envelope.message_id)
        if row is None:
            raise LookupError(f"message {claim.envelope.message_id} vanished from the outbox")
        return row

    def _note(
        self,
        session: Session,
        job: Job,
        key: str,
        kind: str,
        reason: str,
        channel: Channel,
        ref: str | None = None,
    ) -> None:
        entry = Entry(
            key=f"{job.errand.key}.{key}",
            at=job.now,
            kind=kind,
            step=job.errand.step,
            channel=channel.value,
            reason=reason,
            ref=ref,
        )
        timeline.write(session, job.case.invoice_id, [entry])


@dataclass(frozen=True)
class Claim:
    """A message that is ours to send; `begun_before` when an earlier attempt called and vanished."""

    envelope: Envelope
    begun_at: datetime
    begun_before: bool


def _reported(row: MessageRow) -> Result:
    """What is known of a message already; its delivery report may be faster than the provider's answer."""
    return "closed" if row.state in DEAD_STATES else "reached"


def _fresh(session: Session, job: Job, asks: bool) -> Case | None:
    """The case as the database knows it now; None when it wants no such message any more."""
    case = cases.get(session, job.case.invoice_id) or job.case
    if case.revision < job.case.revision:
        case = job.case
    case = case.model_copy(update={"paid": ledger.paid(session, case.invoice_id)})
    presses = job.errand.ladder is not None or asks
    if presses and (case.asked <= 0 or case.resting):
        return None
    return case


def _envelope(row: MessageRow, contact: Contact, desk: Desk) -> Envelope:
    domain = (desk.sender.reply_to or "dunwell.invalid").rpartition("@")[2]
    headers = {"Message-ID": f"<{row.message_id}@{domain}>"}
    return Envelope(
        message_id=row.message_id,
        channel=Channel(row.channel),
        to=row.address,
        to_name=contact.name,
        subject=row.subject,
        text=row.body,
        html=row.html,
        headers=headers if row.channel == Channel.EMAIL else {},
    )
