"""Clerks' answers to replies: which case sends one, whether it can leave, and how it will read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.address import address_key
from dunwell.domain.case import Case
from dunwell.domain.channels import Channel, TextForm
from dunwell.domain.clerk_answer import ClerkAnswer, Phrase
from dunwell.domain.closed_addresses import STOPPED
from dunwell.domain.contact import Contact
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.refusal import Refused
from dunwell.domain.reply_terms import ReplyChannel
from dunwell.gateways.base import ApprovesTexts
from dunwell.services import answer_address, attachments, composing, contact_caps, customer_requests
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.services.message_claims import in_form
from dunwell.services.random_ids import random_id
from dunwell.services.step_execution import execution_of_answer
from dunwell.store import (
    addresses,
    answers,
    cases,
    contacts,
    conversations,
    invoice_documents,
    invoices,
    outbox,
    provider_events,
    replies,
)
from dunwell.store.tables import CaseRow, ReplyRow
from dunwell.texts.sms import sms_parts

MOST_WORDS = 4_000
"""Characters of a clerk's own words."""
MOST_SMS = 6
"""Parts of an answer by SMS."""
_LOOKS = 10
"""How often it is looked whether another cap delays an answer once the first is over."""
_NOTHING_ASKED = "nothing of this invoice is asked for"


@dataclass(frozen=True)
class Draft:
    """What a clerk chose and typed. `invoice_id`: of which invoice it speaks; None: that which the reply is about."""

    phrases: tuple[Phrase, ...] = ()
    words: str = ""
    invoice_id: str | None = None

    @classmethod
    def of(cls, phrases: Sequence[str], words: str, invoice_id: str | None = None) -> "Draft":
        """Raises Refused for a phrase that does not exist, for two that contradict, and for words too long."""
        unknown = next((one for one in phrases if one not in set(Phrase)), None)
        if unknown is not None:
            raise Refused("phrase", f"{unknown[:40]!r} is no phrase; there are {', '.join(Phrase)}")
        if {Phrase.FOUND, Phrase.NOT_FOUND} <= set(phrases):
            raise Refused("phrase", "says that the payment was found, and that it was not: choose one of them")
        if len(words) > MOST_WORDS:
            raise Refused("text", f"has {len(words)} characters; {MOST_WORDS} are the most")
        return cls(tuple(Phrase(one) for one in dict.fromkeys(phrases)), words.strip(), invoice_id or None)


@dataclass(frozen=True)
class Leaving:
    """When an answer can leave at the earliest: in the customer's hours, under the contact caps and the law's limits.

    `why`: which cap or limit delays it; None when only the hours do, or nothing.
    """

    at: datetime
    why: str | None = None


@dataclass(frozen=True)
class PreviewedAnswer:
    """An answer as it would leave now.

    elsewhere  they wrote from another address than the one that is on file and gets the answer
    stopped    the channel that they wrote by, if they said STOP there: the answer goes another way
    parts      how many SMS it makes; None for other forms
    leaves     the earliest moment
    waits_for  how many other replies of the customer lie unhandled: it leaves once they are handled
    """

    invoice_id: str
    contact: Contact
    channel: Channel
    address: str
    language: str
    subject: str
    body: str
    enclosed: tuple[str, ...]
    elsewhere: bool
    stopped: Channel | None
    parts: int | None
    leaves: Leaving
    waits_for: int


@dataclass(frozen=True)
class OfferedPhrase:
    """A phrase in the customer's `language` and in our own, as it would read; `unfit`: why it would not be true."""

    phrase: Phrase
    theirs: str = ""
    language: str = ""
    ours: str = ""
    unfit: str | None = None


class Answers:
    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    def preview(self, session: Session, reply: ReplyRow, draft: Draft, now: datetime) -> PreviewedAnswer:
        """Return the answer as it would leave now. Raises Refused, saying what to do, when it could not leave."""
        return self._composed(session, reply, draft, now)[1]

    def write(self, session: Session, reply: ReplyRow, draft: Draft, by: str, now: datetime) -> ClerkAnswer:
        """Store the answer, for its case to send. Call under the customer's lock. Raises Refused as `preview`."""
        answer, _ = self._composed(session, reply, draft, now)
        answers.add(session, answer, str(reply.customer_id), by, now)
        return answer

    def leaving(self, session: Session, answer_id: str, now: datetime) -> Leaving | None:
        """When an answer that was written down can leave; None for one that its case has sent or given up."""
        row = answers.get(session, answer_id)
        case = cases.get(session, row.invoice_id) if row is not None else None
        if row is None or case is None:
            return None
        answer = answers.answer_of(row)
        told = answer.reply_id in case.agreements.handled_replies
        if told and answer.step not in case.outstanding.owed:
            return None
        dispatch = self._dispatch(session, case, answer, now)
        sent = outbox.of_invoice(session, case.invoice_id, str(dispatch.execution.key))
        if sent or not dispatch.named:
            return None
        return self._leaving(session, dispatch, dispatch.named[0])

    def _leaving(self, session: Session, dispatch: Dispatch, contact: Contact) -> Leaving:
        at, why = dispatch.calendar.next_open(dispatch.now), None
        for _ in range(_LOOKS):
            wait = contact_caps.expected(session, self._deps, replace(dispatch, now=at), [contact])
            if wait is None:
                break
            at, why = dispatch.calendar.next_open(wait[0]), wait[1]
        return Leaving(at, why)

    def phrases(self, session: Session, reply: ReplyRow, now: datetime) -> list[OfferedPhrase]:
        """Return every phrase as it would read for this reply, or why it does not fit; empty without a case."""
        try:
            case, writer = self._case(session, reply, None), _writer(reply)
        except Refused:
            return []
        channel = channel_of(session, reply)
        bare = ClerkAnswer(
            answer_id="",
            reply_id=reply.reply_id,
            invoice_id=case.invoice_id,
            contact_id=writer,
            channel=channel,
            phrases=(),
            asks=False,
        )
        dispatch = self._dispatch(session, case, bare, now)
        return [self._offered(session, dispatch, bare, phrase) for phrase in Phrase]

    def _offered(self, session: Session, dispatch: Dispatch, bare: ClerkAnswer, phrase: Phrase) -> OfferedPhrase:
        unfit = self._unfit(session, dispatch.case, phrase, bare.channel)
        if unfit:
            return OfferedPhrase(phrase, unfit=unfit)
        said = bare.model_copy(update={"phrases": (phrase,)})
        dispatch = replace(dispatch, execution=execution_of_answer(dispatch.case, said))
        contact = next(iter(dispatch.named), None) or dispatch.customer.contacts[0]
        theirs = composing.compose(session, self._deps, [dispatch], contact)
        ours = composing.compose(session, self._deps, [dispatch], contact, self._deps.agent_language)
        return OfferedPhrase(phrase, theirs.call, theirs.language, ours.call)

    def _composed(
        self, session: Session, reply: ReplyRow, draft: Draft, now: datetime
    ) -> tuple[ClerkAnswer, PreviewedAnswer]:
        if not draft.phrases and not draft.words:
            raise Refused("text", "is empty: choose a phrase, or write something")
        case = self._case(session, reply, draft.invoice_id)
        answer = ClerkAnswer(
            answer_id=random_id("answer"),
            reply_id=reply.reply_id,
            invoice_id=case.invoice_id,
            contact_id=_writer(reply),
            channel=channel_of(session, reply),
            phrases=draft.phrases,
            words=draft.words,
            asks=any(phrase.asks for phrase in draft.phrases) or (bool(draft.words) and case.asked > 0),
            subject=reply.subject,
            mail_id=reply.mail_id,
            message_id=reply.message_id,
        )
        dispatch = self._dispatch(session, case, answer, now)
        for phrase in draft.phrases:
            if unfit := self._unfit(session, case, phrase, answer.channel):
                raise Refused("phrase", f"{phrase.value} does not fit: {unfit}")
        contact, address = self._reachable(session, dispatch, answer)
        return answer, self._previewed(session, dispatch, answer, contact, address, reply)

    def _previewed(
        self,
        session: Session,
        dispatch: Dispatch,
        answer: ClerkAnswer,
        contact: Contact,
        address: str,
        reply: ReplyRow,
    ) -> PreviewedAnswer:
        form = answer.channel.facts.form
        enclosed = attachments.find(session, [dispatch]) if answer.encloses and form is TextForm.MAIL else ()
        more = {"enclosed": tuple(one.number for one in enclosed)}
        composed = composing.compose(session, self._deps, [dispatch], contact, more=more)
        subject, body, _ = in_form(composed, form)
        parts = sms_parts(body) if answer.channel.facts.tariffs else None
        if parts is not None and parts > MOST_SMS:
            raise Refused("text", f"makes {parts} SMS; {MOST_SMS} are the most")
        others = [one for one in replies.open_for(session, dispatch.case.customer_id) if one is not reply]
        return PreviewedAnswer(
            invoice_id=answer.invoice_id,
            contact=contact,
            channel=answer.channel,
            address=address,
            language=composed.language,
            subject=subject,
            body=body,
            enclosed=tuple(one.number for one in enclosed),
            stopped=stopped_by(session, reply),
            elsewhere=reply.sender_key != address_key(answer.channel, address, rehearsal=dispatch.rehearsal),
            parts=parts,
            leaves=self._leaving(session, dispatch, contact),
            waits_for=len(others),
        )

    def _case(self, session: Session, reply: ReplyRow, invoice_id: str | None) -> Case:
        """The case that sends the answer. Raises Refused when there is none, or it is another customer's."""
        if reply.customer_id is None:
            raise Refused("customer", "nobody knows whose reply this is: say so first, then answer")
        found = sendable(session, reply)
        if invoice_id is not None:
            found = [one for one in found if one.invoice_id == invoice_id]
            if not found:
                raise Refused("invoice", f"{invoice_id[:120]!r} is no invoice of this customer")
        case = cases.get(session, found[0].invoice_id) if found else None
        if case is None:
            raise Refused("invoice", "no case of this customer was ever started, and a case has to send the answer")
        return case

    def _dispatch(self, session: Session, case: Case, answer: ClerkAnswer, now: datetime) -> Dispatch:
        policy, row = self._deps.policy(session, case.policy), cases.get_row(session, case.invoice_id)
        customer = invoices.get_customer_of(session, case.invoice_id)
        return Dispatch(
            case=case,
            customer=customer,
            policy=policy,
            calendar=self._deps.calendar(customer, policy, case, now),
            execution=execution_of_answer(case, answer),
            now=now,
            planned_at=now,
            rehearsal=row is not None and row.rehearsal,
        )

    def _reachable(self, session: Session, dispatch: Dispatch, answer: ClerkAnswer) -> tuple[Contact, str]:
        """Whoever wrote, and their address. Raises Refused when nothing may be sent there."""
        channel, label = answer.channel, answer.channel.facts.label
        contact = next(iter(dispatch.named), None)
        if contact is None:
            raise Refused("contact", f"{answer.contact_id} is not written to any more: open the contact again first")
        address = contact.address(channel)
        if address is None and contact.lacks_consent(channel):
            raise Refused(
                "channel", f"no consent of {contact.contact_id} to {label} is known: reach them another way"
            )
        if address is None:
            raise Refused("channel", f"{contact.contact_id} has no address for {label}: correct the contact first")
        closed = answer_address.why_closed(session, dispatch, channel, address)
        if closed == STOPPED and not channel.facts.after_stop:
            raise Refused(
                "channel",
                f"they said STOP by {label}, and the carrier delivers nothing there any more; no e-mail address of "
                "theirs is on file: call them",
            )
        if closed:
            raise Refused(
                "channel", f"their address for {label} {closed}: nothing is sent there; reach them another way"
            )
        gateway = self._deps.gateway(channel, dispatch.rehearsal)
        key = address_key(channel, address, rehearsal=dispatch.rehearsal)
        if isinstance(gateway, ApprovesTexts) and not conversations.is_free(session, channel, key, dispatch.now):
            raise Refused(
                "channel", f"{label} takes free text within a day of their message only: reach them another way"
            )
        return contact, address

    def _unfit(self, session: Session, case: Case, phrase: Phrase, channel: Channel) -> str | None:
        """Why the phrase would not be true of this case; None when it is."""
        sender, is_mail = self._deps.sender, channel.facts.form is TextForm.MAIL
        reasons = {
            Phrase.COPY: [
                (not is_mail, "a document goes by e-mail alone"),
                (not invoice_documents.exists(session, case.invoice_id), "no document of this invoice is kept here"),
            ],
            Phrase.DATE: [(case.asked <= 0, _NOTHING_ASKED), *self._agreed(session, case)],
            Phrase.NOT_FOUND: [(case.asked <= 0, _NOTHING_ASKED)],
            Phrase.FOUND: [(case.money.paid <= 0, "no payment of this invoice is recorded")],
            Phrase.OUTCOME: [
                (case.agreements.dispute is not None, "its dispute is still open: resolve it first"),
                (not case.agreements.resolved, "no dispute of this invoice was ever decided"),
            ],
            Phrase.WHO: [(not (sender.reply_to or sender.phone), "neither our reply address nor our phone is set")],
        }
        return next((why for unfit, why in reasons.get(phrase, ()) if unfit), None)

    def _agreed(self, session: Session, case: Case) -> list[tuple[bool, str]]:
        """What makes a question for a date needless."""
        promise = case.agreements.promise
        return [
            (case.agreements.plan is not None, "a payment plan runs, which names the days"),
            (promise is not None, f"they have promised to pay by {promise.date if promise else ''}"),
            (
                customer_requests.looks_for_payment(session, case),
                "they say that it is paid, and we look for that payment: if it is not there, close the task about it",
            ),
        ]


def channel_of(session: Session, reply: ReplyRow) -> Channel:
    """Return the channel by which a reply is answered: its own; what was typed on their page, by mail or else SMS.

    After STOP it is e-mail where nothing else is delivered, if they have an address there.
    """
    writer = contacts.get(session, reply.contact_id) if reply.contact_id else None
    if stopped_by(session, reply) is not None and writer is not None and writer.email:
        return Channel.EMAIL
    if reply.channel is not ReplyChannel.PAGE:
        return Channel(reply.channel.value)
    return Channel.SMS if writer is not None and not writer.email and writer.phone else Channel.EMAIL


def stopped_by(session: Session, reply: ReplyRow) -> Channel | None:
    """Return the channel that a reply came by, if its writer said STOP there and nothing is delivered after it."""
    writer = contacts.get(session, reply.contact_id) if reply.contact_id else None
    channel = Channel(reply.channel.value) if reply.channel is not ReplyChannel.PAGE else Channel.EMAIL
    address = writer.address(channel) if writer is not None else None
    if address is None or channel.facts.after_stop:
        return None
    closed = addresses.why_closed(session, channel, address, rehearsal=is_rehearsal(str(reply.customer_id)))
    return channel if closed == STOPPED else None


def sendable(session: Session, reply: ReplyRow) -> list[CaseRow]:
    """Return the cases of the reply's customer, the one first that is to send its answer.

    That is an open one that the answered message was about, else an open one, the longest due first; else the one
    that ended last.
    """
    about = {link.invoice_id for link in outbox.links(session, reply.message_id)} if reply.message_id else set[str]()
    found = provider_events.cases_of(session, [str(reply.customer_id)])
    due = {
        row.invoice_id: row.due_on for row in invoices.get_rows(session, [one.invoice_id for one in found]).values()
    }

    def order(row: CaseRow) -> tuple[bool, bool, float]:
        ended = cases.has_ended(row)
        last = -row.updated_at.timestamp() if ended else float(due[row.invoice_id].toordinal())
        return ended, row.invoice_id not in about, last

    return sorted(found, key=order)


def _writer(reply: ReplyRow) -> str:
    if reply.contact_id is None:
        raise Refused("contact", "nobody knows which person wrote this: say so first, then answer")
    return reply.contact_id
