"""Aligns a case with the database after one of them was restored from an older copy.

Whichever is behind catches up: payments, holds, messages and the timeline are written again, and what happened to an
older case is applied to the newer copy in the database.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.agreements import PauseState
from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.checkpoint import Mark, Sent
from dunwell.domain.events import PART, REST, ContactsChanged, Event, PaymentReceived, PaymentReversed
from dunwell.domain.refusal import Refused
from dunwell.domain.step_outcome import Said
from dunwell.domain.terms import MessageState, ProviderCall
from dunwell.domain.timeline import Entry
from dunwell.services import contact_alignment, credits, customer_pause, holds
from dunwell.services.dependencies import Dependencies
from dunwell.services.request_models import RecordRequest
from dunwell.store import accounts, cases, customer_pauses, invoices, outbox, payments, timeline
from dunwell.store.tables import CustomerPauseRow, MessageRow, PaymentRow, ReversalRow

LOST_TEXT = "text lost: the database was restored from a copy older than this message"


def is_behind(session: Session, case: Case, written: Mark | None, seen: int) -> bool:
    """Whether the database lacks what it had at its last answer to this case: `written`, a timeline up to `seen`."""
    stored = cases.get_row(session, case.invoice_id)
    if written is not None and (stored is None or cases.mark(stored).precedes(written)):
        return True
    if timeline.last_number(session, case.invoice_id) < seen:
        return True
    return bool(outbox.unanswered_ids(session, [sent.message_id for sent in case.messages]))


def is_ahead(session: Session, case: Case, written: Mark | None) -> bool:
    """Whether the database's copy has events that this case never got, because the engine was restored or reset."""
    stored = cases.get_row(session, case.invoice_id)
    if stored is None or written is None:
        return False
    return cases.mark(stored).has_events_unknown_to(case.mark, written)


def are_apart(session: Session, case: Case, written: Mark | None, seen: int) -> bool:
    """Whether the two have to be brought together before a step is carried out.

    What was recorded while the step was on its way is no such case: the stored copy then has a higher revision.
    """
    if is_behind(session, case, written, seen):
        return True
    stored = cases.get_row(session, case.invoice_id)
    return stored is not None and stored.revision <= case.revision and is_ahead(session, case, written)


class Alignment:
    """The work of one transaction that records an event, with the customer's lock.

    `case` is the workflow's; of the request, its entries and what was written count.
    """

    def __init__(
        self, session: Session, deps: Dependencies, request: RecordRequest, case: Case, now: datetime
    ) -> None:
        self._session, self._deps, self._request, self._case, self._now = session, deps, request, case, now

    def newest(self, event: Event | None) -> Case:
        """The case as it is, by both sides, once `event` has happened to it.

        It is the workflow's own case, unless the database is ahead or has payments that the case lacks.
        """
        case = known = self._case.model_copy(deep=True)
        if is_ahead(self._session, self._case, self._request.written):
            case = cases.get(self._session, known.invoice_id) or known
            self._say(self._apply(case, event) if event is not None else [])
        changed = case is not known
        for missing in self._unknown_payments(case):
            changed = True
            self._say(self._apply(case, missing))
        if changed:
            case.revision = max(case.revision, known.revision) + 1
            self._note("ahead", "the case was older than the database: it goes on with what stands there")
        return case if changed else self._case

    def complete(self, case: Case) -> bool:
        """Write the payments that only the case knows; all that a database lacks which is behind. True if it was."""
        for receipt in case.money.receipts:
            payments.put_receipt(self._session, case.invoice_id, receipt, case.currency, self._now)
        for reversal in case.money.reversals:
            payments.put_reversal(self._session, case.invoice_id, reversal, self._now)
        for receipt in case.money.receipts:
            if receipt.from_invoice is not None:
                credits.restore(self._session, case, receipt, self._now)
        # What another case wrote here of its credit is told by this one as it was: who applied it, and when.
        of_credit = [entry for entry in self._request.entries if credits.is_note(entry)]
        timeline.correct(self._session, case.invoice_id, of_credit)
        if not is_behind(self._session, case, self._request.written, self._request.seen):
            return False
        lost = self._lost_messages(case)
        for sent in lost:
            self._write_message(case, sent)
        self._set_holds(case)
        self._set_customer_pause(case)
        for number, line in enumerate(contact_alignment.restore(self._session, case, self._told, self._now)):
            self._note(f"contacts.{number}", f"the database had forgotten: {line}", "contacts")
        written = f"{len(lost)} message(s) without their text, " if lost else ""
        self._note(
            "behind",
            f"the database was older than the case: {written}payments, holds, pauses, closed contacts and timeline "
            "restored",
        )
        return True

    def was_completed(self) -> bool:
        """Whether an earlier attempt completed the database for the case as it is, and its answer was lost."""
        return timeline.has_key(self._session, self._case.invoice_id, self._key("behind"))

    # The database is ahead -------------------------------------------------------------------------------

    def _apply(self, case: Case, event: Event) -> list[Said]:
        try:
            return case.apply(event, self._now)
        except Refused as refused:
            return [Said("refused", f"{refused}"[:400])]

    def _unknown_payments(self, case: Case) -> list[Event]:
        """What the database's payments have and the case does not, as events."""
        money, invoice_id = case.money, case.invoice_id
        known = {receipt.payment_id for receipt in money.receipts} | {*money.payments, *money.reversed_payments}
        lacking: list[Event] = [
            credits.as_event(self._session, row) or _as_event(row)
            for row in payments.rows(self._session, invoice_id)
            if row.payment_id not in known
        ]
        taken = {(reversal.payment_id, reversal.key) for reversal in money.reversals}
        for reversal in payments.reversals(self._session, invoice_id):
            if (reversal.payment_id, reversal.key) not in taken:
                lacking.append(_as_reversal(reversal))
        return lacking

    def _say(self, said: Sequence[Said]) -> None:
        """Write these into the timeline, except what the case has just said itself."""
        known = {(entry.kind, entry.reason) for entry in self._request.entries}
        for number, one in enumerate(said):
            if (one.kind, one.reason) not in known:
                self._note(f"said.{number}", one.reason, one.kind, one.ref)

    # The database is behind ------------------------------------------------------------------------------

    @property
    def _told(self) -> ContactsChanged | None:
        """The event that is being written, if it changed contacts."""
        request = self._request
        return ContactsChanged.model_validate(request.content) if request.event == "contacts_changed" else None

    def _lost_messages(self, case: Case) -> list[Sent]:
        missing = outbox.unanswered_ids(self._session, [sent.message_id for sent in case.messages])
        return [sent for sent in case.messages if sent.message_id in missing]

    def _write_message(self, case: Case, sent: Sent) -> None:
        """Write the message back as sent. Its text is lost, so it never counts as a warning.

        It replaces a row from before the provider took the message, whose text may differ from the one that was sent.
        """
        earlier = outbox.get(self._session, sent.message_id)
        if earlier is not None:
            outbox.forget(self._session, earlier)
        traits = self._deps.catalogue.traits.get(sent.message)
        row = MessageRow(
            message_id=sent.message_id,
            customer_id=case.customer_id,
            step=sent.carried.get(case.invoice_id, ""),
            message=sent.message,
            channel=sent.channel,
            contact_id=sent.contact_id,
            address=self._address(case, sent),
            subject="",
            body="",
            html=None,
            asks=traits is None or traits.asks,
            amount=case.open_amount * 0,
            state=(MessageState.FAILED if sent.gone else MessageState.UNKNOWN).value,
            reason=LOST_TEXT,
            call=ProviderCall.ANSWERED,
            called_at=sent.at,
            planned_at=sent.at,
            claimed_at=sent.at,
            sent_at=None if sent.gone else sent.at,
            settled_at=self._now,
        )
        outbox.add(self._session, row)
        known = invoices.get_rows(self._session, list(sent.carried))
        for invoice_id, step in sent.carried.items():
            if invoice_id in known:
                outbox.link(self._session, row, invoice_id, step, warning=False)

    def _address(self, case: Case, sent: Sent) -> str:
        people = invoices.get_customer(self._session, case.customer_id).contacts
        contact = next((one for one in people if one.contact_id == sent.contact_id), None)
        return (contact.address(Channel(sent.channel)) if contact else None) or ""

    def _set_holds(self, case: Case) -> None:
        """Write the holds as the case last knew them. Their release at the end of a case is done elsewhere."""
        if case.frees_account:
            return
        open_now = {hold.level for hold in accounts.open_holds(self._session, case.customer_id, case.invoice_id)}
        wanted, reason = set(case.own_holds), f"invoice {case.invoice_id}: as before the database was restored"
        if open_now - wanted:
            accounts.release_holds(self._session, case.customer_id, case.invoice_id, reason, self._now)
            open_now = set()
        for level in sorted(wanted - open_now):
            holds.place(self._session, self._deps, case, level, reason, self._now)

    def _set_customer_pause(self, case: Case) -> None:
        """Write the pause of the whole customer as the case last knew it: begun or ended in the lost time.

        With it comes or goes the question how long it lasts.
        """
        pause, stored = case.agreements.customer_pause, cases.get(self._session, case.invoice_id)
        older = stored.agreements.customer_pause if stored is not None else None
        kept = customer_pauses.get(self._session, case.customer_id)
        if pause is not None and pause != older and (kept is None or _is_newer(pause, kept)):
            self._end_customer_pause(kept)
            row = customer_pauses.put(
                self._session,
                case.customer_id,
                reason=pause.reason,
                by=pause.by,
                until=pause.until,
                now=pause.since or self._now,
            )
            customer_pause.ask(self._session, case, row, self._deps.policy(self._session, case.policy))
        elif pause is None and older is not None:
            self._end_customer_pause(kept)

    def _end_customer_pause(self, kept: CustomerPauseRow | None) -> None:
        if kept is not None:
            customer_pause.answer(self._session, kept, "since then it was said anew", self._now)
            customer_pauses.end(self._session, kept.customer_id)

    def _note(self, key: str, text: str, kind: str = "restored", ref: str | None = None) -> None:
        key = f"{self._key(key)}{self._now:%Y%m%d%H%M%S}"
        timeline.write(
            self._session, self._case.invoice_id, [Entry(key=key, at=self._now, kind=kind, reason=text, ref=ref)]
        )

    def _key(self, key: str) -> str:
        return f"restored.{key}.{self._case.turns}.{self._case.revision}."


def _is_newer(pause: PauseState, kept: CustomerPauseRow) -> bool:
    """Whether the case was told of another pause, later than the one that the database has."""
    is_same = (pause.reason, pause.by, pause.until) == (kept.reason, kept.by, kept.until)
    return not is_same and pause.since is not None and pause.since > kept.since


def _as_event(row: PaymentRow) -> PaymentReceived:
    return PaymentReceived(
        payment_id=row.payment_id,
        amount=row.amount,
        currency=row.currency,
        received_at=row.received_at,
        method=row.method,
        designation=row.designation,
        confirm=True,  # it is in the database, so it was counted
    )


def _as_reversal(row: ReversalRow) -> PaymentReversed:
    return PaymentReversed(
        payment_id=row.payment_id,
        reason=row.reason,
        amount=None if row.key == REST else row.amount,
        reversal_id=None if row.key in {REST, PART} else row.key,
        reversed_at=row.at,
    )
