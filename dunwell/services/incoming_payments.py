"""Matches incoming payments with invoices, keeps what is proposed, and writes down what people decide.

What is booked here reaches the cases by dunwell/client/matching.py, as any other payment does. Until a case has it,
its customer is asked for nothing (dunwell/services/money_under_way.py).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from babel.numbers import get_currency_precision
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dunwell.domain.bank_entry import EntryState
from dunwell.domain.events import check_reason
from dunwell.domain.incoming import Incoming, ProposalState, Source, no_payment, said_of_set_aside, said_of_taking_up
from dunwell.domain.keys import TaskId
from dunwell.domain.matching import Match, Part, Proposal, Receipt, Rule, in_doubt, match, not_by_itself, why_stale
from dunwell.domain.payments import RETURNED, WRONGLY_MATCHED
from dunwell.domain.principals import SYSTEM, Principal, Right
from dunwell.domain.refusal import Refused, Unknown
from dunwell.domain.terms import TaskKind, TaskState
from dunwell.domain.timeline import Entry
from dunwell.services import lost_bookings, submissions
from dunwell.services.money_under_way import DAYS_TO_DECIDE
from dunwell.services.named_invoice import named_invoice
from dunwell.services.payment_clues import Earlier, OpenInvoices, clues_of, owed_of, receipt_of
from dunwell.services.submissions import Submission
from dunwell.store import accounts, audit, bank_entries, cases, invoices, payments, tasks, timeline, users
from dunwell.store import incoming_payments as store
from dunwell.store.database import Database
from dunwell.store.tables import BookingRow, IncomingPaymentRow, ProposalRow, TaskRow

T = TypeVar("T")

_TRIED_AGAIN_FOR = timedelta(days=60)
_WEEKEND = frozenset({5, 6})


@dataclass(frozen=True)
class Taken:
    """What became of a payment that was told. new: False when it had been told before."""

    entry_id: str
    new: bool
    state: EntryState
    why: str


@dataclass(frozen=True)
class Standing:
    """What is said of a payment that waits, as its invoices stand now.

    reasons  of each open proposal, by its number; none for one that cannot be confirmed any more
    """

    why: str
    reasons: Mapping[int, tuple[str, ...]]


class IncomingPayments:
    """unmatched_days: after so many days money that nobody could match is a person's task.

    submission: the form by which a person decides. A decision by one that was carried out raises AlreadyDone.
    """

    def __init__(self, database: Database, unmatched_days: int, submission: Submission | None = None) -> None:
        self._database, self._unmatched_days, self._submission = database, unmatched_days, submission

    # What comes in -----------------------------------------------------------------------------------------

    def preview(self, found: Sequence[Incoming]) -> list[Match | Taken]:
        """Return what `take` would make of them now, one after the other; Taken for one that is known."""
        previewed: list[Match | Taken] = []
        earlier = defaultdict[str, list[Receipt]](list)
        with self._database.reading() as session:
            known = store.known(session, [one.entry_id for one in found])
            opened = OpenInvoices.read(session)
            for one in found:
                if one.entry_id in known:
                    previewed.append(_taken(known[one.entry_id], new=False))
                    continue
                matched = _match(session, one, opened, earlier)
                previewed.append(matched)
                for part in matched.booked.parts if matched.booked is not None else ():
                    earlier[part.invoice_id].append(receipt_of(one, part.amount))
        return previewed

    def take(self, found: Iterable[Incoming], principal: Principal, now: datetime) -> list[Taken]:
        """Keep each payment once, book what is sure, propose what is likely. Raises NotAllowed."""
        principal.check(Right.PAYMENTS_WRITE)
        with self._database.reading() as session:
            opened = OpenInvoices.read(session)
        return [self._take(one, opened, principal, now) for one in found]

    def _take(self, incoming: Incoming, opened: OpenInvoices, principal: Principal, now: datetime) -> Taken:
        def keep(session: Session, matched: Match) -> Taken:
            row = store.get(session, incoming.entry_id)
            if row is not None:
                return _taken(row, new=False)
            row = store.add(session, incoming, now, now + timedelta(days=self._unmatched_days))
            if not _recall(session, row, principal, now):
                _decide(session, row, matched, principal, now)
            return _taken(row, new=True)

        def look(session: Session) -> Match:
            return _match(session, incoming, opened)

        try:
            return self._with_locks(look, keep)
        except IntegrityError:
            return self._with_locks(look, keep)  # another process has just kept it

    def recall(self, principal: Principal, now: datetime) -> int:
        """Do again what had been decided before the database was restored, as the cases know it.

        What was undone then waits; what waits and was booked then is booked. Returns how many are booked now.
        """
        with self._database.reading() as session:
            undone = store.taken_back(session, WRONGLY_MATCHED)
        for entry_id in undone:
            self._undo_again(entry_id, principal, now)
        with self._database.reading() as session:
            lost = lost_bookings.find_all(session)
        return sum(self._recall(entry_id, principal, now) for entry_id in lost)

    def _undo_again(self, entry_id: str, principal: Principal, now: datetime) -> None:
        with self._deciding(entry_id, now) as session:
            row = _found(session, entry_id)
            if lost_bookings.undo(session, row, now) and row.state is EntryState.BOOKED:
                why = "the booking was undone before the database was restored from an older copy"
                _note_decision(session, row, EntryState.UNMATCHED, why, principal, now)
                row.ask_at = now
                _audit(session, principal, row, "match_undone", now, {})

    def _recall(self, entry_id: str, principal: Principal, now: datetime) -> bool:
        with self._deciding(entry_id, now) as session:
            row = _found(session, entry_id)
            return row.state in store.WAITING and _recall(session, row, principal, now)

    def try_again(self, principal: Principal, now: datetime) -> int:
        """Match anew what could not be matched, and what was proposed for invoices that are not open any more.

        What is said of the rest is renewed.

        Returns how many are matched now.
        """
        with self._database.reading() as session:
            proposed = store.proposed(session)
        for entry_id in proposed:
            self._renew(entry_id, now)
        with self._database.reading() as session:
            opened = OpenInvoices.read(session)
            waiting = store.to_try_again(session, now - _TRIED_AGAIN_FOR)
        return sum(self._try_again(entry_id, opened, principal, now) for entry_id in waiting)

    def _renew(self, entry_id: str, now: datetime) -> None:
        """Let those proposals for a payment lapse that cannot be confirmed any more, and renew what is said of it."""
        with self._deciding(entry_id, now) as session:
            row, opened = _found(session, entry_id), store.proposals(session, entry_id, ProposalState.OPEN)
            said = as_it_stands(session, row)
            row.why = said.why
            for proposal in opened:
                proposal.reasons = list(said.reasons[proposal.number] or proposal.reasons)
            stale = [one for one in opened if why_stale_now(session, row, one) is not None]
            for proposal in stale:
                proposal.state = ProposalState.LAPSED
            if stale and len(stale) == len(opened) and row.state is EntryState.PROPOSED:
                store.set_state(session, row, EntryState.UNMATCHED, "what was proposed is not open any more")
            if stale:
                numbers = [one.number for one in stale]
                _audit(session, SYSTEM, row, "proposals_lapsed", now, {"proposals": numbers})

    def _try_again(self, entry_id: str, opened: OpenInvoices, principal: Principal, now: datetime) -> bool:
        def look(session: Session) -> Match:
            return _match_again(session, _found(session, entry_id), opened)

        def decide(session: Session, matched: Match) -> bool:
            row = _found(session, entry_id)
            if row.state is not EntryState.UNMATCHED:
                return False
            if matched.rule is Rule.NOTHING:
                row.why = matched.why if row.decided_by is None else row.why
                return False
            _decide(session, row, matched, principal, now)
            return row.state is not EntryState.UNMATCHED

        return self._with_locks(look, decide)

    def propose_again(self, entry_id: str, now: datetime) -> None:
        """Propose invoices anew for a payment whose booking was undone, as when it came in; nothing is booked.

        Does nothing before its cases were told: until then they have the money.
        """
        with self._database.reading() as session:
            if entry_id not in store.to_try_again(session, None):
                return
            opened = OpenInvoices.read(session)
        self._try_again(entry_id, opened, SYSTEM, now)

    def _with_locks(self, look: Callable[[Session], Match], act: Callable[[Session, Match], T]) -> T:
        """Do `act` with the locks of all customers whose invoices the match names, as it is under these locks."""
        wanted = set[str]()
        while True:
            with self._database.writing_beside_customers() as session:
                accounts.lock(session, wanted)
                matched = look(session)
                named = {part.customer_id for one in _proposals_of(matched) for part in one.parts}
                if named <= wanted:
                    return act(session, matched)
            wanted |= named

    def ask_people(self, now: datetime) -> int:
        """Raise a task for each payment that waits for too long, once. Returns for how many."""
        with self._database.writing_beside_customers() as session:
            return sum(_ask(session, row, now) for row in store.overdue(session, now))

    # What people decide ------------------------------------------------------------------------------------

    def confirm(
        self, entry_id: str, number: int, principal: Principal, now: datetime, *, other_money: bool = False
    ) -> None:
        """Book the payment as the proposal says. Raises Refused when it is not open, or less is open by now.

        other_money: they say that it is not the money that `same_as_booked` names; else that is refused, too.
        """
        principal.check(Right.PAYMENTS_WRITE)
        with self._deciding(entry_id, now) as session:
            row = _found(session, entry_id)
            if _is_confirmed(session, row, number):
                return  # the same form sent twice
            proposal = _open_proposal(session, entry_id, number)
            _check_not_booked(session, row, other_money=other_money)
            parts = store.parts_of(session, proposal)
            stale = why_stale_now(session, row, proposal)
            if stale is not None:
                raise Refused("proposal", f"{stale}: split it by hand, or reject it")
            _book(session, row, parts, principal, now, f"proposal {number}, confirmed by {principal.author}")
            proposal.state = ProposalState.CONFIRMED
            _learn(session, row, parts, principal, now)
            _audit(session, principal, row, "proposal_confirmed", now, {"proposal": number, "parts": _plain(parts)})

    def reject(self, entry_id: str, number: int, principal: Principal, now: datetime) -> None:
        """Note that the payment is not for these invoices; it is not proposed again. Raises Refused."""
        principal.check(Right.PAYMENTS_WRITE)
        with self._deciding(entry_id, now) as session:
            row, proposal = _found(session, entry_id), _open_proposal(session, entry_id, number)
            proposal.state = ProposalState.REJECTED
            session.flush()
            if not store.proposals(session, entry_id, ProposalState.OPEN):
                why = f"every proposal was rejected, the last one by {principal.author}"
                _note_decision(session, row, EntryState.UNMATCHED, why, principal, now)
            _audit(session, principal, row, "proposal_rejected", now, {"proposal": number})

    def assign(
        self,
        entry_id: str,
        shares: Sequence[tuple[str, Decimal | None]],
        principal: Principal,
        now: datetime,
        *,
        other_money: bool = False,
    ) -> None:
        """Book the payment on these invoices as a person splits it; without an amount an invoice gets the rest.

        Raises Refused when the payment is booked or set aside already, an invoice is unknown, a rehearsal or of
        another currency, or the amounts are not exactly what came. other_money: as for `confirm`.
        """
        principal.check(Right.PAYMENTS_WRITE)
        with self._database.reading() as session:
            parts = _split_by_hand(session, _waiting(session, entry_id), shares)
        with self._deciding(entry_id, now, {part.customer_id for part in parts}) as session:
            row = _waiting(session, entry_id)
            _check_not_booked(session, row, other_money=other_money)
            _book(session, row, parts, principal, now, f"matched by {principal.author}")
            _learn(session, row, parts, principal, now)
            _audit(session, principal, row, "payment_matched", now, {"parts": _plain(parts)})

    def undo(self, entry_id: str, principal: Principal, now: datetime) -> None:
        """Undo what was decided: the payment is taken back from its invoices, or is set aside no more.

        It waits for a decision again. Raises Refused when nothing was decided, and when its money went back to the
        payer: booked on another invoice it would count there.
        """
        principal.check(Right.PAYMENTS_WRITE)
        with self._deciding(entry_id, now) as session:
            row = _found(session, entry_id)
            row.ask_at = now + timedelta(days=self._unmatched_days)
            _check_not_returned(session, row)
            if row.state is EntryState.SET_ASIDE:
                _take_up(session, row, principal, now)
                return
            standing = store.standing(session, entry_id)
            if row.state is not EntryState.BOOKED or not standing:
                raise Refused("entry", f"{entry_id} is {row.state.value}: nothing was decided that can be undone")
            for proposal in store.proposals(session, entry_id, ProposalState.CONFIRMED):
                proposal.state = ProposalState.LAPSED
            for booking in standing:
                booking.undone_at = now
                if booking.refused is not None:
                    booking.undone_told_at = now
            store.forget_accounts(session, entry_id)
            _note_decision(
                session, row, EntryState.UNMATCHED, f"the booking was undone by {principal.author}", principal, now
            )
            _audit(session, principal, row, "match_undone", now, {"invoices": [one.invoice_id for one in standing]})

    def set_aside(self, entry_id: str, reason: str, principal: Principal, now: datetime) -> None:
        """Note that the payment is for no invoice, for a reason such as bank-interest. Raises Refused."""
        principal.check(Right.PAYMENTS_WRITE)
        check_reason(reason)
        with self._deciding(entry_id, now) as session:
            row = _waiting(session, entry_id)
            _let_lapse(session, entry_id)
            why = said_of_set_aside(reason, principal)
            _note_decision(session, row, EntryState.SET_ASIDE, why, principal, now)
            _audit(session, principal, row, "payment_set_aside", now, {}, reason)

    @contextmanager
    def _deciding(self, entry_id: str, now: datetime, more: Collection[str] = ()) -> Iterator[Session]:
        """Open a transaction with the locks of every customer whom the payment concerns, and of `more`.

        Raises Refused for an unknown payment. Whom it concerns is read in another transaction: rows that this one
        had read before it has the locks would be decided by as they were then.
        """
        with self._database.reading() as session:
            concerned = customers_of(session, entry_id)
        with self._database.writing_beside_customers() as session:
            accounts.lock(session, concerned.union(more))
            submissions.take(session, self._submission, now)
            yield session

    # What cases have to be told ----------------------------------------------------------------------------

    def to_tell(
        self, now: datetime, again_after: timedelta, entry_ids: Collection[str] | None = None
    ) -> list[BookingRow]:
        """Return the bookings that their cases do not have yet, and the undone ones of which they were not told.

        One that was told is told again after so long: the engine may have been restored from a backup.
        entry_ids  of these payments; None: of all
        """
        with self._database.reading() as session:
            coming = store.on_their_way(session)
            due = [one for one in coming if one.told_at is None or now - one.told_at >= again_after]
            found = [*due, *store.to_take_back(session)]
            return [one for one in found if entry_ids is None or one.entry_id in entry_ids]

    def incoming(self, entry_id: str) -> Incoming:
        """Return a payment as its source told it. Raises Refused for an unknown one."""
        with self._database.reading() as session:
            return store.incoming_of(_found(session, entry_id))

    def decided_by(self, entry_id: str) -> str | None:
        """Return who decided about a payment last. Raises Refused for an unknown one."""
        with self._database.reading() as session:
            return _found(session, entry_id).decided_by

    def begin_telling(self, booking: BookingRow, now: datetime) -> bool:
        """Note that the case may know of the booking from now on, whatever becomes of the answer.

        False for one that was undone since it was read: whoever undid it tells the case what there is to tell.
        """
        if booking.undone_at is not None or booking.telling_at is not None:
            return True
        with self._database.writing(booking.customer_id) as session:
            kept = session.get_one(BookingRow, (booking.entry_id, booking.attempt, booking.invoice_id))
            if kept.undone_at is None:
                kept.telling_at = now
            return kept.undone_at is None

    def told(self, booking: BookingRow, now: datetime, refused: str | None = None) -> None:
        """Note that the case was told, or why it does not take it: then a person has to decide."""
        with self._database.writing(booking.customer_id) as session:
            kept = session.get_one(BookingRow, (booking.entry_id, booking.attempt, booking.invoice_id))
            if booking.undone_at is not None:
                kept.undone_told_at = now
            elif refused is None:
                kept.told_at = now
            elif kept.undone_at is None:  # else it was taken back meanwhile, and that is why
                kept.refused = refused
                row = _found(session, booking.entry_id)
                row.why = f"invoice {booking.invoice_id} does not take it: {refused}. Undo it, and match it anew"
                row.ask_at = now


def itemise(session: Session, entry_id: str, format_: str, principal: Principal, now: datetime) -> None:
    """Note that a file of this format told the transactions of a sum that waits: they are matched in its place.

    Call with the locks of `customers_of` it.
    """
    row = _waiting(session, entry_id)
    _let_lapse(session, entry_id)
    why = f"a file of {format_} told its transactions, which are matched in its place"
    _note_decision(session, row, EntryState.ITEMISED, why, principal, now)
    _audit(session, principal, row, "payment_itemised", now, {})


def why_stale_now(session: Session, row: IncomingPaymentRow, proposal: ProposalRow) -> str | None:
    """Return why a proposal cannot be confirmed as its invoices stand now; None when it can."""
    digits = get_currency_precision(row.currency)
    parts = [
        one.model_copy(update={"amount": round(one.amount, digits)}) for one in store.parts_of(session, proposal)
    ]
    owed = owed_of(session, [part.invoice_id for part in parts])
    proposed = Proposal(parts=tuple(parts), reasons=tuple(proposal.reasons))
    return why_stale(store.incoming_of(row), proposed, owed)


def as_it_stands(session: Session, row: IncomingPaymentRow) -> Standing:
    """Return what is said of a payment as its invoices stand now. What a person decided about it stays as it was."""
    opened = store.proposals(session, row.entry_id, ProposalState.OPEN)
    if not opened:
        return Standing(row.why, {})
    proposed = {one.number: store.parts_of(session, one) for one in opened}
    customers = {part.customer_id for parts in proposed.values() for part in parts}
    matched = _match_again(session, row, OpenInvoices.read(session, customers))
    now = {_in_order(one.parts): one.reasons for one in _proposals_of(matched)}
    reasons = {
        one.number: () if why_stale_now(session, row, one) else now.get(proposed[one.number], tuple(one.reasons))
        for one in opened
    }
    if row.decided_by is not None or all(reasons[one.number] == tuple(one.reasons) for one in opened):
        return Standing(row.why, reasons)
    return Standing(f"{matched.why}: a person decides" if matched.booked is not None else matched.why, reasons)


def _match_again(session: Session, row: IncomingPaymentRow, opened: OpenInvoices) -> Match:
    """Match a payment that is kept already. What a person has undone is never booked again without one."""
    matched = _match(session, store.incoming_of(row), opened)
    undone = [one for one in store.bookings(session, row.entry_id) if one.undone_at is not None]
    if not undone:
        return matched
    last = undone[-1]
    where = ", ".join(one.invoice_id for one in undone if one.attempt == last.attempt)
    return not_by_itself(matched, f"it was booked on {where} before, which was undone on {last.undone_at:%Y-%m-%d}")


def _match(session: Session, incoming: Incoming, opened: OpenInvoices, earlier: Earlier | None = None) -> Match:
    """Match a payment, and say where a case will not count what is booked on it before a person confirms that."""
    matched = match(incoming, clues_of(session, incoming, opened, earlier))
    doubt = _as_told_otherwise(session, incoming) if opened.has_lost else None
    if doubt is not None:
        matched = in_doubt(matched, doubt)
    parts = matched.booked.parts if matched.booked is not None else ()
    kept = [cases.get(session, part.invoice_id) for part in parts]
    asked = [one.invoice_id for one in kept if one is not None and one.money.is_before_import(incoming.received_at)]
    if not asked:
        return matched
    note = f"it is older than the import of {', '.join(asked)}: not counted until a person confirms that it counts"
    return matched.model_copy(update={"why": f"{matched.why}; {note}"})


# What is written -------------------------------------------------------------------------------------------


def _decide(session: Session, row: IncomingPaymentRow, matched: Match, principal: Principal, now: datetime) -> None:
    """Book the payment, propose it or leave it unmatched, as it was matched; what was rejected is not proposed."""
    about = {"amount": str(row.amount), "currency": row.currency, "rule": matched.rule.value}
    if matched.booked is not None:
        _book(session, row, matched.booked.parts, principal, now, matched.why)
        _audit(session, principal, row, "payment_matched", now, about | {"parts": _plain(matched.booked.parts)})
        return
    known = store.proposals(session, row.entry_id)
    before = {store.parts_of(session, one) for one in known if one.state is not ProposalState.LAPSED}
    fresh = [one for one in matched.proposals if _in_order(one.parts) not in before]
    store.set_state(session, row, EntryState.PROPOSED if fresh else EntryState.UNMATCHED, matched.why)
    if fresh:
        row.ask_at = _deadline(now)
        store.propose(session, row.entry_id, fresh)
        for invoice_id in {part.invoice_id for one in fresh for part in one.parts}:
            said = (
                f"payment {row.entry_id} of {_shown(row)} may be for this invoice: nothing is asked for until a "
                f"person decides, for {DAYS_TO_DECIDE} business days at most"
            )
            entry = Entry(key=f"proposed.{row.entry_id}", at=now, kind="match", reason=said, ref=row.entry_id)
            timeline.write(session, invoice_id, [entry])
    _audit(session, principal, row, "payment_proposed" if fresh else "payment_unmatched", now, about)


def _recall(session: Session, row: IncomingPaymentRow, principal: Principal, now: datetime) -> bool:
    """Book the payment as it was before the database was restored. Returns whether it was booked then.

    Where not all of it is on invoices by that, a person is asked.
    """
    why = lost_bookings.restore(session, row, now)
    if why is None:
        return False
    _let_lapse(session, row.entry_id)
    _note_decision(session, row, EntryState.BOOKED, why, principal, now)
    if sum(one.amount for one in store.standing(session, row.entry_id)) != row.amount:
        _ask(session, row, now)
    _audit(session, principal, row, "booking_restored", now, {})
    return True


def _book(
    session: Session,
    row: IncomingPaymentRow,
    parts: Sequence[Part],
    principal: Principal,
    now: datetime,
    why: str,
) -> None:
    _let_lapse(session, row.entry_id)
    _note_decision(session, row, EntryState.BOOKED, why, principal, now)
    store.book(session, row, parts, principal.label, now)


def _take_up(session: Session, row: IncomingPaymentRow, principal: Principal, now: datetime) -> None:
    """Undo that it was set aside; what was proposed then is proposed again, unless it had been booked before."""
    before = [] if store.bookings(session, row.entry_id) else store.proposals(session, row.entry_id)
    again = [one for one in before if one.state is ProposalState.LAPSED]
    for proposal in again:
        proposal.state = ProposalState.OPEN
    why = said_of_taking_up(row.why, principal)
    _note_decision(session, row, EntryState.PROPOSED if again else EntryState.UNMATCHED, why, principal, now)
    _audit(session, principal, row, "set_aside_undone", now, {"proposals": [one.number for one in again]})


def _ask(session: Session, row: IncomingPaymentRow, now: datetime) -> bool:
    """Ask a person, once until it is decided; of what is proposed beside its first invoice."""
    proposed, why = store.invoices_proposed(session, row.entry_id), as_it_stands(session, row).why
    reason = (
        f"{_shown(row)} came in on {row.received_at:%Y-%m-%d} and wait for a decision since {row.since:%Y-%m-%d}: "
        f"{why}. See `starter.py unmatched`, then starter.py match {row.entry_id}"
    )
    task = TaskRow(
        task_id=_task_id(session, row),
        invoice_id=proposed[0] if proposed else "",
        step="",
        kind=TaskKind.DECISION,
        due_at=now,
        reason=reason,
        script="",
        amount=row.amount,
        currency=row.currency,
        outlives_case=True,
    )
    return tasks.add_again(session, task, now)  # it may have been set aside in the meantime


def _task_id(session: Session, row: IncomingPaymentRow) -> str:
    """Another one after each booking that was undone."""
    return str(TaskId.of(row.entry_id, "unmatched", store.last_attempt(session, row.entry_id)))


def _let_lapse(session: Session, entry_id: str) -> None:
    for proposal in store.proposals(session, entry_id, ProposalState.OPEN):
        proposal.state = ProposalState.LAPSED
    session.flush()


def _note_decision(
    session: Session, row: IncomingPaymentRow, state: EntryState, why: str, principal: Principal, now: datetime
) -> None:
    store.set_state(session, row, state, why)
    row.decided_by, row.decided_at = principal.label, now
    task = tasks.get(session, _task_id(session, row))
    if task is not None and task.state == TaskState.OPEN and state not in store.WAITING:
        tasks.withdraw(session, [task], why, now)


def _learn(
    session: Session, row: IncomingPaymentRow, parts: Sequence[Part], principal: Principal, now: datetime
) -> None:
    """The account it came from is that of its customer, where there is one of each."""
    customers = {part.customer_id for part in parts}
    if row.payer_iban is not None and len(customers) == 1:
        store.learn_account(session, row.payer_iban, customers.pop(), row.entry_id, principal.label, now)


def _audit(
    session: Session,
    principal: Principal,
    row: IncomingPaymentRow,
    action: str,
    now: datetime,
    details: Mapping[str, object],
    reason: str | None = None,
) -> None:
    session.flush()
    audit.append(session, principal, f"payment/{row.entry_id}", action, now, reason=reason, details=details)


# What is checked -------------------------------------------------------------------------------------------


def _found(session: Session, entry_id: str) -> IncomingPaymentRow:
    row = store.get(session, entry_id)
    if row is None:
        raise no_payment(entry_id)
    return row


def _waiting(session: Session, entry_id: str) -> IncomingPaymentRow:
    row = _found(session, entry_id)
    if row.state not in store.WAITING:
        _check_not_returned(session, row)
        said = f"{entry_id} is {row.state.value.replace('_', ' ')} ({users.with_names(session, row.why)})"
        raise Refused("entry", f"{said}; `starter.py match {entry_id} --undo` takes it back")
    return row


def same_as_booked(session: Session, row: IncomingPaymentRow) -> str | None:
    """Return why a payment that waits may be money that is booked already; None where nothing says so."""
    if row.state not in store.WAITING:
        return None
    other = store.get(session, row.may_repeat) if row.may_repeat else None
    if other is not None and other.state is EntryState.BOOKED:
        where = ", ".join(dict.fromkeys(one.invoice_id for one in store.standing(session, other.entry_id)))
        return f"it may be the same money as {other.entry_id}, which is booked on {where}"
    return _as_told_otherwise(session, store.incoming_of(row))


def _as_told_otherwise(session: Session, incoming: Incoming) -> str | None:
    found = lost_bookings.told_otherwise(session, incoming)
    if not found:
        return None
    where = ", ".join(dict.fromkeys(one.invoice_id for one in found))
    sum_ = f"the same sum of {found[0].received_at:%Y-%m-%d} is booked on {where}"
    return f"{sum_} under another reference of the bank, and no payment that was told since the restore explains it"


def _check_not_booked(session: Session, row: IncomingPaymentRow, *, other_money: bool) -> None:
    """Raises Refused when the payment is booked already, or may be and nobody says that it is other money."""
    _check_not_lost(session, row)
    doubt = None if other_money else same_as_booked(session, row)
    if doubt is not None:
        raise Refused(
            "other_money", f"{doubt}: set it aside if it is that money, or say that it is other money (--other-money)"
        )


def returned_on(session: Session, row: IncomingPaymentRow) -> date | None:
    """Return the day on which the money of a payment went back to the payer; None when it is still here."""
    standing = store.standing(session, row.entry_id)
    told = (one for row in standing for one in payments.reversals(session, row.invoice_id, row.payment_id))
    went_back = next((one.at.date() for one in told if one.reason == RETURNED), None)
    if went_back is None and row.source is Source.BANK and row.state is EntryState.SET_ASIDE:
        return bank_entries.returned_on(session, row.identity)
    return went_back


def _check_not_returned(session: Session, row: IncomingPaymentRow) -> None:
    day = returned_on(session, row)
    if day is not None:
        raise Refused("entry", f"its money went back to the payer on {day}: none is left to move")


def _check_not_lost(session: Session, row: IncomingPaymentRow) -> None:
    """Raises Refused when the ledger has the payment, because it was booked before the database was restored."""
    found = lost_bookings.find(session, row)
    if found:
        where = ", ".join(dict.fromkeys(one.invoice_id for one in found))
        reason = f"{row.entry_id} was booked on {where} before the database was restored from an older copy"
        raise Refused(
            "entry", f"{reason}: `starter.py reconcile --apply` brings that back, and so does the next hour"
        )


def _open_proposal(session: Session, entry_id: str, number: int) -> ProposalRow:
    for proposal in store.proposals(session, entry_id):
        if proposal.number == number:
            if proposal.state is ProposalState.OPEN:
                return proposal
            raise Refused("proposal", f"{number} of {entry_id} is {proposal.state.value}")
    raise Unknown("proposal", f"{entry_id} has no proposal {number}; `starter.py unmatched` shows them")


def _is_confirmed(session: Session, row: IncomingPaymentRow, number: int) -> bool:
    known = store.proposals(session, row.entry_id, ProposalState.CONFIRMED)
    return any(one.number == number for one in known) and row.state is EntryState.BOOKED


def _split_by_hand(
    session: Session, row: IncomingPaymentRow, shares: Sequence[tuple[str, Decimal | None]]
) -> tuple[Part, ...]:
    shares = [(named_invoice(session, named), amount) for named, amount in shares]
    if not shares or len({invoice_id for invoice_id, _ in shares}) < len(shares):
        raise Refused("invoices", "name each invoice once, as INVOICE or INVOICE=AMOUNT")
    parts: list[Part] = []
    rest = store.incoming_of(row).amount - sum((amount for _, amount in shares if amount is not None), Decimal(0))
    without = [invoice_id for invoice_id, amount in shares if amount is None]
    if len(without) > 1:
        raise Refused("invoices", f"say an amount for each but one: {', '.join(without)} have none")
    if rest != 0 and not without:
        raise Refused("invoices", f"the amounts make {row.amount - rest}, and {_shown(row)} came")
    for invoice_id, given in shares:
        amount = rest if given is None else given
        invoice, kept = invoices.get_row(session, invoice_id), cases.get_row(session, invoice_id)
        if invoice is None or kept is None:
            raise Refused("invoices", f"{invoice_id!r} is not known; `starter.py list` shows all")
        if not kept.takes_reported_money:
            raise Refused("invoices", f"{invoice_id} is a rehearsal, and the money is real")
        if invoice.currency != row.currency:
            raise Refused("invoices", f"{invoice_id} is in {invoice.currency}, and {_shown(row)} came")
        if amount <= 0 or amount != round(amount, invoice.digits):
            said = f"{invoice_id} would get {amount} {row.currency}: each share is above zero"
            raise Refused("invoices", f"{said}, in steps of {Decimal(1).scaleb(-invoice.digits)}")
        parts.append(Part(invoice_id=invoice_id, customer_id=invoice.customer_id, amount=amount))
    return tuple(parts)


def customers_of(session: Session, entry_id: str) -> set[str]:
    """Return the customers whom a payment concerns: of its proposals and of its bookings."""
    proposed = {
        part.customer_id for one in store.proposals(session, entry_id) for part in store.parts_of(session, one)
    }
    lost = [one.invoice_id for one in lost_bookings.find(session, _found(session, entry_id))]
    owners = {row.customer_id for row in invoices.get_rows(session, lost).values()}
    return proposed | owners | {one.customer_id for one in store.bookings(session, entry_id)}


def _proposals_of(matched: Match) -> Sequence[Proposal]:
    return [matched.booked] if matched.booked is not None else matched.proposals


def _taken(row: IncomingPaymentRow, *, new: bool) -> Taken:
    return Taken(row.entry_id, new, row.state, row.why)


def _in_order(parts: Sequence[Part]) -> tuple[Part, ...]:
    return tuple(sorted(parts, key=lambda part: part.invoice_id))


def _plain(parts: Sequence[Part]) -> list[dict[str, str]]:
    return [{"invoice": part.invoice_id, "amount": str(part.amount)} for part in parts]


def _shown(row: IncomingPaymentRow) -> str:
    return f"{store.incoming_of(row).amount} {row.currency}"


def _deadline(now: datetime) -> datetime:
    """Two weekdays later: when chasing goes on, and a person is asked, whatever country's holidays there are."""
    left, day = DAYS_TO_DECIDE, now
    while left:
        day += timedelta(days=1)
        left -= day.weekday() not in _WEEKEND
    return day
