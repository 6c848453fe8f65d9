"""Claims messages: writes the row that decides that a message is sent, before a provider is called.

The claim commits in the transaction that looked at the balance, under the customer's lock, so the database orders
it against every payment (G1). Its key is (invoice, step, contact, channel), so there is one for each at most (G3).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy.orm import Session

from dunwell.domain import next_action
from dunwell.domain.address import address_key
from dunwell.domain.case import Case
from dunwell.domain.channels import Channel, TextForm
from dunwell.domain.contact import Contact
from dunwell.domain.contact_limits import ContactRule
from dunwell.domain.terms import DEAD_STATES, MessageState, ProviderCall
from dunwell.gateways.base import ApprovesTexts, Envelope
from dunwell.gateways.phone_numbers import costly
from dunwell.services import (
    answer_address,
    asked_claims,
    attachments,
    contact_caps,
    contact_law,
    credits,
    customer_waits,
    joint_messages,
    letters,
    message_links,
    standstill,
)
from dunwell.services.asked_claims import AskedClaim
from dunwell.services.attachments import Enclosure
from dunwell.services.composing import compose, lead_first
from dunwell.services.decision_log import note
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.services.failures import CallInFlight
from dunwell.services.mail_headers import mail_headers
from dunwell.store import (
    address_waits,
    cases,
    conversations,
    invoices,
    links,
    outbox,
    payment_references,
    payments,
)
from dunwell.store.tables import MessageRow
from dunwell.texts.catalogue import Composed

CALL_PATIENCE = timedelta(seconds=90)
"""Longer than any provider call may take: before that, a begun call may still be under way."""

_TELLS_CLAIMS = frozenset({TextForm.MAIL, TextForm.PAPER})
"""A short text about an open invoice asks for that alone: there is no room for a claim with its legal basis."""

Result = Literal["reached", "closed", "silent"]
"""reached: contacted, or unknown. closed: not on this channel. silent: the case no longer wants the message."""


@dataclass(frozen=True)
class Claim:
    """A claimed message; `begun_before` when an earlier attempt called the provider and recorded no answer."""

    envelope: Envelope
    begun_at: datetime
    begun_before: bool


class Claims:
    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    def claim(
        self, session: Session, dispatch: Dispatch, contact: Contact, channel: Channel, address: str
    ) -> Claim | Result:
        """Claim the message inside the caller's transaction, or say why there is nothing to claim.

        Raises TooOften when another case has used up the contact's cap meanwhile, or a standstill has begun;
        CallInFlight while an earlier call for the message may be under way.
        """
        key = address_key(channel, address, rehearsal=dispatch.rehearsal)
        row = outbox.find(
            session, dispatch.case.invoice_id, str(dispatch.execution.key), contact.contact_id, channel, key
        )
        if row is not None and _came_back_from_elsewhere(session, dispatch, row, contact, key):
            outbox.make_room(session, row, dispatch.case.invoice_id, str(dispatch.execution.key))
            row = None
        if row is not None and row.call == ProviderCall.ANSWERED:
            return reported(row)
        if row is not None and row.call == ProviderCall.BEGUN:
            return self._vanished(session, row, contact)
        case = fresh(session, self._deps, dispatch)
        if case is None or self._nothing_is_left(session, replace(dispatch, case=case)):
            return _withhold(session, dispatch, row, contact, channel)
        closed = self._why_closed(session, dispatch, contact, channel, address)
        if closed:
            reason = f"{contact.contact_id} is not written to by {channel.value}: {closed}"
            note(session, dispatch, f"{contact.contact_id}.{channel.value}.closed", "withheld", reason, channel)
            return "closed"
        standstill.forbid(session, dispatch)
        customer_waits.forbid(session, dispatch, presses=self._deps.presses(dispatch.execution))
        wait = contact_caps.earliest(session, self._deps, dispatch, [contact])
        if wait is not None:
            raise contact_caps.TooOften([contact], *wait)
        return self._write(session, replace(dispatch, case=case), row, contact, channel, address)

    def _nothing_is_left(self, session: Session, dispatch: Dispatch) -> bool:
        """Whether the message asks for interest and costs after the payment, and they were paid as well."""
        asks = self._deps.asks_for_accessory(dispatch.execution.message)
        return asks and asked_claims.of_paid_invoice(session, self._deps, dispatch) is None

    def _why_closed(
        self, session: Session, dispatch: Dispatch, contact: Contact, channel: Channel, address: str
    ) -> str | None:
        closed = answer_address.why_closed(session, dispatch, channel, address)
        if closed:
            return f"the address {closed}"
        if unnamed := contact_law.why_unnamed(self._contact_rule(dispatch), self._deps.sender):
            return unnamed
        if channel.facts.tariffs and (expense := costly(address)):
            return f"it is {expense}"
        if channel.facts.form is TextForm.PAPER:
            return letters.unfit(session, self._deps, dispatch, contact)
        return self._not_approved(session, dispatch, contact, channel, address)

    def _not_approved(
        self, session: Session, dispatch: Dispatch, contact: Contact, channel: Channel, address: str
    ) -> str | None:
        """Why the provider would not take this text now; None when it would."""
        if not self._needs_approval(session, dispatch, channel, address):
            return None
        others = joint_messages.find(session, self._deps, dispatch, contact, channel, address)
        composed = compose(session, self._deps, lead_first(dispatch, others), contact)
        rule = self._contact_rule(dispatch)
        if contact_law.naming(rule, self._deps.sender, composed.short) != composed.short:
            return "an approved text cannot name what the law has each contact name"
        if self._approved_id(dispatch, channel, composed) is not None:
            return None
        label = channel.facts.label
        return (
            f"{composed.key} has no approved text in {composed.language} for this case, and they have not written by "
            f"{label} within a day"
        )

    def _contact_rule(self, dispatch: Dispatch) -> ContactRule | None:
        today = dispatch.calendar.local_date(dispatch.now)
        return contact_law.rule_for(self._deps.laws, dispatch.customer, today)

    def _needs_approval(self, session: Session, dispatch: Dispatch, channel: Channel, address: str) -> bool:
        key = address_key(channel, address, rehearsal=dispatch.rehearsal)
        gateway = self._deps.gateway(channel, dispatch.rehearsal)
        return isinstance(gateway, ApprovesTexts) and not conversations.is_free(session, channel, key, dispatch.now)

    def _approved_id(self, dispatch: Dispatch, channel: Channel, composed: Composed) -> str | None:
        gateway = self._deps.gateway(channel, dispatch.rehearsal)
        if not isinstance(gateway, ApprovesTexts):
            return None
        return gateway.approved_id(composed.key, composed.language, composed.numbered.words)

    def _vanished(self, session: Session, row: MessageRow, contact: Contact) -> Claim:
        """The claim of an earlier attempt, perhaps of another case, that recorded no answer of the provider."""
        if _may_be_under_way(row):
            raise CallInFlight("an earlier call for this message may still be under way")
        return Claim(self._filled(session, row, contact), row.called_at or row.claimed_at, begun_before=True)

    def abandoned(self, session: Session, dispatch: Dispatch) -> list[Claim]:
        """The messages of this dispatch whose call was begun and can no longer be under way.

        Without letters: a letter found now would wait to be posted, and nothing would take it back.
        """
        everybody = invoices.get_customer(session, dispatch.case.customer_id).contacts  # whoever left meanwhile, too
        people = {contact.contact_id: contact for contact in everybody}
        return [
            Claim(
                self._filled(session, row, people[row.contact_id]), row.called_at or row.claimed_at, begun_before=True
            )
            for row in outbox.of_invoice(session, dispatch.case.invoice_id, str(dispatch.execution.key))
            if row.call == ProviderCall.BEGUN and not row.channel.facts.posted and row.contact_id in people
            if not _may_be_under_way(row)
        ]

    def _filled(self, session: Session, row: MessageRow, contact: Contact) -> Envelope:
        """The text of an earlier claim as it was handed to the provider, with its own link."""
        own = message_links.address(session, self._deps, row.message_id)
        return message_links.filled(self._deps, _envelope(row, contact), own)

    def _write(
        self,
        session: Session,
        dispatch: Dispatch,
        row: MessageRow | None,
        contact: Contact,
        channel: Channel,
        address: str,
    ) -> Claim:
        """Write the row with its text, by the amounts of this transaction, and links to all invoices it carries."""
        own_id = dispatch.message_id(contact, channel)
        if row is None and outbox.get(session, own_id) is not None:  # it came back from an earlier address
            key = address_key(channel, address, rehearsal=dispatch.rehearsal)
            own_id = dispatch.message_id(contact, channel, key)
        if row is not None and row.message_id != own_id:
            # It was never sent. Its id stays with the invoice that claimed it, which may claim it again.
            links.forget_of_message(session, row.message_id)
            outbox.forget(session, row)
            row = None
        elif row is not None:
            outbox.unlink_others(session, row, dispatch.case.invoice_id)
        others = joint_messages.find(session, self._deps, dispatch, contact, channel, address)
        jobs = lead_first(dispatch, others)
        payment_references.issue(session, [one.case.invoice_id for one in jobs])
        mail = self._mail(session, own_id, jobs) if channel.facts.form is TextForm.MAIL else _Mail()
        lead, asked = jobs[0], asked_claims.of_message(session, self._deps, jobs)
        composed = compose(session, self._deps, jobs, contact, more=mail.facts, asked=asked)
        if row is None:
            row = MessageRow(
                message_id=own_id,
                customer_id=dispatch.case.customer_id,
                channel=channel,
                contact_id=contact.contact_id,
                planned_at=dispatch.planned_at,
            )
        row.address, row.address_key = address, address_key(channel, address, rehearsal=dispatch.rehearsal)
        row.claimed_at = dispatch.now
        row.step, row.message = str(lead.execution.key), str(lead.execution.message)
        row.asks = self._deps.asks(lead.execution) and not dispatch.execution.served
        row.subject, row.body, row.html = in_form(composed, channel.facts.form)
        if channel.facts.form is TextForm.SHORT:
            row.body = contact_law.naming(self._contact_rule(dispatch), self._deps.sender, row.body)
        approved = None
        if self._needs_approval(session, dispatch, channel, address):
            approved = self._approved_id(dispatch, channel, composed)
            row.body = composed.numbered.filled
        row.amount = sum((one.case.asked for one in others), dispatch.case.asked)
        row.state, row.reason = MessageState.CLAIMED, None
        row.call, row.called_at = ProviderCall.BEGUN, datetime.now(UTC)
        outbox.add(session, row)
        self._link(session, row, jobs, asked)
        page_url = message_links.issue(session, self._deps, dispatch, row, contact)
        address_waits.forget(session, [one.case.invoice_id for one in (dispatch, *others)])
        envelope = self._packed(session, row, jobs, contact, composed, mail, page_url)
        if approved is not None:
            envelope = replace(envelope, approved_id=approved, values=composed.numbered.values)
        return Claim(message_links.filled(self._deps, envelope, page_url), row.called_at, begun_before=False)

    def _link(
        self, session: Session, row: MessageRow, jobs: Sequence[Dispatch], asked: Sequence[AskedClaim | None]
    ) -> None:
        """Record which steps the message carries, and what it claims for each; note what it leaves out."""
        told = row.channel.facts.form in _TELLS_CLAIMS or self._deps.asks_for_accessory(row.message)
        says = told and not jobs[0].execution.served
        for job, one in zip(jobs, asked if says else [None] * len(jobs), strict=True):
            outbox.link(
                session,
                row,
                job.case.invoice_id,
                str(job.execution.key),
                warning=job.execution.warning,
                claimed=one.total if one is not None and one.claimed is not None else None,
                claim_until=one.until if one is not None else None,
            )
            for number, reason in enumerate(one.left_out if one is not None else (), start=1):
                note(session, job, f"claim.{number}", "claim", reason, row.channel)

    def _packed(
        self,
        session: Session,
        row: MessageRow,
        jobs: list[Dispatch],
        contact: Contact,
        composed: Composed,
        mail: "_Mail",
        page_url: str | None,
    ) -> Envelope:
        """The envelope with what its channel adds to the text."""
        envelope, lead = _envelope(row, contact), jobs[0]
        match envelope.channel.facts.form:
            case TextForm.MAIL:
                headers = mail_headers(session, self._deps, row, lead.case.invoice_id, lead.execution.answer)
                return replace(envelope, headers=headers, attachments=tuple(one.file for one in mail.enclosed))
            case TextForm.PAPER:
                letter = letters.write(session, self._deps, jobs, contact, composed, asks=row.asks, page_url=page_url)
                company, country = lead.customer.name, lead.customer.country
                return replace(envelope, attachments=(letters.printed(letter),), company=company, country=country)
            case TextForm.SHORT:
                return envelope
            case form:
                raise ValueError(f"nothing is sent in the form {form!r}")

    def _mail(self, session: Session, own_id: str, jobs: list[Dispatch]) -> "_Mail":
        execution = jobs[0].execution
        encloses = execution.answer.encloses if execution.answer is not None else self._deps.asks(execution)
        link = self._deps.opt_out.link(own_id) if self._deps.opt_out else None
        return _Mail(link, attachments.find(session, jobs) if encloses else ())


@dataclass(frozen=True)
class _Mail:
    """What an e-mail has beside its text."""

    unsubscribe_url: str | None = None
    enclosed: tuple[Enclosure, ...] = ()

    @property
    def facts(self) -> Mapping[str, object]:
        return {"unsubscribe_url": self.unsubscribe_url, "enclosed": tuple(one.number for one in self.enclosed)}


def in_form(composed: Composed, form: TextForm) -> tuple[str, str, str | None]:
    """Subject, text and HTML of a message. Raises ValueError for a form in which nothing is sent."""
    match form:
        case TextForm.MAIL:
            return composed.subject, composed.text, composed.html
        case TextForm.SHORT:
            return "", composed.short, None
        case TextForm.PAPER:
            return composed.subject, composed.text, None
        case _:
            raise ValueError(f"nothing is sent in the form {form!r}")


def _came_back_from_elsewhere(
    session: Session, dispatch: Dispatch, row: MessageRow, contact: Contact, key: str
) -> bool:
    """Whether this contact's message came back, and the contact has an address now that never got it."""
    return (
        row.call == ProviderCall.ANSWERED
        and row.state in {MessageState.BOUNCED, MessageState.FAILED}
        and row.contact_id == contact.contact_id
        and row.address_key != key
        and key not in outbox.returned_from(session, dispatch.case.invoice_id, str(dispatch.execution.key))
    )


def reported(row: MessageRow) -> Result:
    """What is known of a message already; its delivery report may be faster than the provider's answer."""
    return "closed" if row.state in DEAD_STATES else "reached"


def _may_be_under_way(row: MessageRow) -> bool:
    return row.called_at is not None and datetime.now(UTC) - row.called_at < CALL_PATIENCE


def _withhold(
    session: Session, dispatch: Dispatch, row: MessageRow | None, contact: Contact, channel: Channel
) -> Result:
    """Note that nothing is sent, because the money came or the case began to rest after the step was judged."""
    reason = f"{dispatch.execution.message} by {channel.value} to {contact.contact_id}: nothing may be asked for now"
    if row is not None:
        row.state, row.reason = MessageState.WITHHELD, "nothing may be asked for now"
    note(session, dispatch, f"{contact.contact_id}.{channel.value}.silent", "withheld", reason, channel)
    return "silent"


def fresh(session: Session, deps: Dependencies, dispatch: Dispatch) -> Case | None:
    """The case as the database knows it now; None when it wants no such message any more."""
    case = cases.get(session, dispatch.case.invoice_id) or dispatch.case
    if case.revision < dispatch.case.revision:
        case = dispatch.case
    case = case.with_paid(payments.paid(session, case.invoice_id))
    if not next_action.is_wanted(case, dispatch.execution.step, asks=deps.asks(dispatch.execution)):
        return None
    return None if deps.presses(dispatch.execution) and credits.cover(session, case) else case


def _envelope(row: MessageRow, contact: Contact) -> Envelope:
    return Envelope(
        message_id=row.message_id,
        channel=row.channel,
        to=row.address,
        to_name=contact.name,
        subject=row.subject,
        text=row.body,
        html=row.html,
    )
