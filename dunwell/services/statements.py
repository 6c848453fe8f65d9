"""What a bank statement brings: what is new in it, what would follow from each entry, and the keeping of them."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from sqlalchemy.orm import Session

from dunwell.domain.bank_entry import BankEntry, Direction, EntryState, StatementFormat
from dunwell.domain.cleaning import one_line, printable
from dunwell.domain.incoming import Source, entry_id_of, of_bank_entry
from dunwell.domain.matching import Match, Part
from dunwell.domain.model import Value
from dunwell.domain.principals import Principal, Right
from dunwell.domain.retelling import SURE, Booking, Judged, Likeness, compare
from dunwell.intake.refusals import Refusal
from dunwell.intake.statement_parts import StatementFile
from dunwell.services.incoming_payments import IncomingPayments, Taken, as_it_stands, customers_of, itemise
from dunwell.store import accounts, audit, bank_entries, incoming_payments
from dunwell.store.database import Database
from dunwell.store.tables import StatementRow

_NEAR = timedelta(days=7)
_AHEAD = timedelta(days=2)  # a bank in another time zone is a day ahead at most
_LONGEST_NAME = 200


class Verdict(StrEnum):
    """What follows from an entry.

    book       it is booked on invoices
    propose    invoices are proposed to a person
    unmatched  nobody knows yet whose it is
    return     payments are taken back
    ask        it may take payments back: a person decides
    unrelated  it takes back nothing that is booked here
    known      it was told before
    elsewhere  a file of another format told it before
    pending    it is not booked yet
    outgoing   it is no business of ours, and is not kept
    """

    BOOK = "book"
    PROPOSE = "propose"
    UNMATCHED = "unmatched"
    RETURN = "return"
    ASK = "ask"
    UNRELATED = "unrelated"
    KNOWN = "known"
    ELSEWHERE = "elsewhere"
    PENDING = "pending"
    OUTGOING = "outgoing"


KEPT = frozenset({Verdict.BOOK, Verdict.PROPOSE, Verdict.UNMATCHED, Verdict.RETURN, Verdict.ASK, Verdict.UNRELATED})

_VERDICTS = {
    EntryState.BOOKED: Verdict.BOOK,
    EntryState.PROPOSED: Verdict.PROPOSE,
    EntryState.UNMATCHED: Verdict.UNMATCHED,
    EntryState.SET_ASIDE: Verdict.UNMATCHED,
    EntryState.RETURNED: Verdict.RETURN,
    EntryState.ASKED: Verdict.ASK,
    EntryState.UNRELATED: Verdict.UNRELATED,
}


_QUIET = frozenset({Verdict.KNOWN, Verdict.ELSEWHERE, Verdict.OUTGOING})


class StatementLine(Value):
    """An entry, and what follows from it.

    entry_id  under which matching knows it; None for what is no money that came in
    parts     what is, or would be, booked on which invoices
    original  identity of the entry that it takes back
    itemises  identity of the sum that waits, of which it is a transaction
    unlike    the entry that it is taken for has another text or payer, or is the sum of several
    """

    entry: BankEntry
    verdict: Verdict
    why: str
    entry_id: str | None = None
    parts: tuple[Part, ...] = ()
    original: str | None = None
    itemises: str | None = None
    unlike: bool = False

    @property
    def quiet(self) -> bool:
        """Whether nobody has to look at it: it is counted, and shown where everything is asked for."""
        return self.verdict in _QUIET and not self.unlike


class StatementPreview(Value):
    """What a file would bring.

    statement_id  a digest of the file
    known         the very same file was booked before
    problems      what is wrong with it: it is booked only when a person accepts the rest
    """

    statement_id: str
    name: str
    format: StatementFormat
    known: bool
    lines: tuple[StatementLine, ...]
    problems: tuple[str, ...]
    remarks: tuple[str, ...]


class Statements:
    """Bank statements. Safe to share between threads."""

    def __init__(self, database: Database, unmatched_days: int) -> None:
        self._database, self._payments = database, IncomingPayments(database, unmatched_days)

    def preview(self, file: StatementFile, content: bytes, name: str, now: datetime) -> StatementPreview:
        """Return what would follow from each entry now, one after the other. Changes nothing."""
        with self._database.reading() as session:
            lines = list(_sorted(session, file))
            known = bank_entries.statement(session, digest_of(content)) is not None
        new = [line.entry for line in lines if line.verdict is Verdict.UNMATCHED]
        new.sort(key=lambda entry: (entry.booked_on, entry.identity))  # as they are matched once they are kept
        found = self._payments.preview([of_bank_entry(entry) for entry in new])
        matched = {entry.identity: one for entry, one in zip(new, found, strict=True)}
        return StatementPreview(
            statement_id=digest_of(content),
            name=_short(name),
            format=file.format,
            known=known,
            lines=tuple(
                _matched(line, matched[line.entry.identity]) if line.verdict is Verdict.UNMATCHED else line
                for line in lines
            ),
            problems=tuple(map(str, (*file.problems, *_ahead(file, now)))),
            remarks=(*file.remarks, *_two_formats(lines)),
        )

    def keep(
        self, preview: StatementPreview, file: StatementFile, principal: Principal, now: datetime
    ) -> list[BankEntry]:
        """Keep what is new in a file, once. Returns what was kept. Raises NotAllowed."""
        principal.check(Right.STATEMENTS_WRITE)
        with self._database.writing() as session:
            lines = _sorted_under_locks(session, file)
            new = [line.entry for line in lines if line.verdict in KEPT]
            first = bank_entries.statement(session, preview.statement_id) is None
            if not first and not new:
                return []
            row = StatementRow(
                statement_id=preview.statement_id if first else _again(preview.statement_id, now),
                name=preview.name,
                format=file.format,
                entries=len(file.entries),
                problems=list(preview.problems),
                by=principal.label,
                at=now,
            )
            bank_entries.add_statement(session, row, new)
            bank_entries.move_on(session, _returns_of(session, new), EntryState.NEW)
            for sum_id in _sums_itemised(lines):
                itemise(session, sum_id, file.format.value, principal, now)
            details = {
                "format": file.format.value,
                "entries": len(file.entries),
                "kept": len(new),
                "problems": len(preview.problems) or None,
            }
            audit.append(session, principal, f"statement/{row.statement_id[:20]}", "booked", now, details=details)
        return new

    def new(self) -> list[BankEntry]:
        """Return what is kept and not handed on yet, the oldest first."""
        with self._database.reading() as session:
            return [bank_entries.entry_of(row) for row in bank_entries.in_state(session, [EntryState.NEW])]

    def move_on(self, entries: Sequence[BankEntry], state: EntryState) -> None:
        """Note what became of entries."""
        with self._database.writing_beside_customers() as session:
            bank_entries.move_on(session, [entry.identity for entry in entries], state)

    def outcome(self, preview: StatementPreview) -> StatementPreview:
        """Return the preview of a file that was booked with what became of each entry."""
        kept = [line for line in preview.lines if line.verdict in KEPT]
        with self._database.reading() as session:
            entries = bank_entries.known(session, [line.entry.identity for line in kept])
            came = {line.entry_id: line for line in kept if line.entry_id}
            told = incoming_payments.known(session, list(came))
            parts = {entry_id: tuple(_booked(session, line.entry)) for entry_id, line in came.items()}
            whys = {entry_id: as_it_stands(session, row).why for entry_id, row in told.items()}
        lines = []
        for line in preview.lines:
            row, came_row = entries.get(line.entry.identity), told.get(line.entry_id or "")
            facts: dict[str, object] = {} if row is None else {"verdict": _VERDICTS.get(row.state, line.verdict)}
            if came_row is not None:
                facts |= {"why": whys[came_row.entry_id], "parts": parts[came_row.entry_id] or line.parts}
            lines.append(line.model_copy(update=facts))
        return preview.model_copy(update={"lines": tuple(lines)})


def digest_of(content: bytes) -> str:
    """Return what identifies a file."""
    return sha256(content).hexdigest()


def original_of(session: Session, entry: BankEntry, beside: Iterable[BankEntry] = ()) -> tuple[list[BankEntry], bool]:
    """Return which payments a returned one may be, and whether it surely is the first of them.

    It is sure when the bank calls it a reversal, it went out, and one payment alone has its end-to-end id or bank's
    reference, the same amount, and was not returned before.

    beside  entries of the same file, which are not kept yet
    """
    stored = [bank_entries.entry_of(row) for row in bank_entries.alike(session, entry)]
    told = {one.identity: one for one in (*stored, *beside) if _same(one, entry) and one.identity != entry.identity}
    came = [one for one in told.values() if one.came_in and one.booked_on <= entry.booked_on]
    back = sum(one.reversal and one.amount == entry.amount for one in told.values())
    exact = [one for one in came if one.amount == entry.amount]
    sure = entry.reversal and entry.direction is Direction.OUT and len(exact) == 1 and not back
    # What the bank does not call a reversal may be any payment of ours under a number that was used before.
    return (exact if sure or not entry.reversal else came), sure


def _returns_of(session: Session, new: Sequence[BankEntry]) -> list[str]:
    """Return which kept entries took back nothing known here, and may take back money that is told only now."""
    came = [entry for entry in new if entry.came_in]
    if not came:
        return []
    ids = {one for entry in came for one in _ids(entry)}
    day = min(entry.booked_on for entry in came)
    kept = bank_entries.in_state_since(session, {entry.account for entry in came}, EntryState.UNRELATED, day)
    some = [entry for entry in kept if not ids.isdisjoint(_ids(entry))]
    return [entry.identity for entry in some if original_of(session, entry)[0]]


def _ids(entry: BankEntry) -> list[tuple[str, str]]:
    both = (("end to end", entry.end_to_end_id), ("bank's", entry.reference))
    return [(kind, one) for kind, one in both if one is not None]


def _same(one: BankEntry, other: BankEntry) -> bool:
    ids = {(one.end_to_end_id, other.end_to_end_id), (one.reference, other.reference)}
    places = (one.account, one.currency) == (other.account, other.currency)
    return places and any(here is not None and here == there for here, there in ids)


# Which entries are new -----------------------------------------------------------------------------------


def _sorted_under_locks(session: Session, file: StatementFile) -> list[StatementLine]:
    """Return what follows from each entry, with the locks of all whom the sums that it itemises may concern."""
    held = set[str]()
    while True:
        lines = list(_sorted(session, file))
        concerned = {one for sum_id in _sums_itemised(lines) for one in customers_of(session, sum_id)}
        if concerned <= held:
            return lines
        held |= concerned
        accounts.lock(session, held)
        session.expire_all()


def _sums_itemised(lines: Iterable[StatementLine]) -> list[str]:
    return list(dict.fromkeys(entry_id_of(Source.BANK, line.itemises) for line in lines if line.itemises))


def _sorted(session: Session, file: StatementFile) -> Iterator[StatementLine]:
    """Yield each entry with what follows from it; new money that came in is still unmatched."""
    known = bank_entries.known(session, [entry.identity for entry in file.entries])
    told = _ToldBefore(session, file, known)
    came = [entry for entry in file.entries if entry.came_in]
    by_key = defaultdict[str, list[BankEntry]](list)
    for entry in came:
        for key in filter(None, (entry.end_to_end_id, entry.reference)):
            by_key[key].append(entry)
    for entry in file.entries:
        if entry.pending:
            yield StatementLine(entry=entry, verdict=Verdict.PENDING, why="the bank has not booked it yet")
        elif entry.identity in known:
            yield StatementLine(entry=entry, verdict=Verdict.KNOWN, why="it was told before")
        else:
            before = told.find(entry)
            if before is not None and before.same and not before.waits_for(entry):
                yield _told(entry, before)
            elif entry.came_in:
                yield _came(entry, before)
            else:
                keys = filter(None, (entry.end_to_end_id, entry.reference))
                yield _went_out(session, entry, [one for key in keys for one in by_key.get(key, ())])


def _told(entry: BankEntry, before: "_Before") -> StatementLine:
    """The line of what was told before; with what it is taken for, where that reads otherwise or is a whole sum."""
    other, verdict = before.booking.first, Verdict.KNOWN if before.by_this_format else Verdict.ELSEWHERE
    why = "it was told before" if before.by_this_format else f"a file of {before.format.value} told it before"
    details_of_a_sum = entry.batch is not None and other.batch is None
    if not before.judged.unlike and not details_of_a_sum:
        return StatementLine(entry=entry, verdict=verdict, why=why)
    payer = other.payer_name or other.payer_iban
    said = (f"from {printable(payer)}" if payer else "", printable(other.text))
    what = ", ".join(filter(None, (f"{other.booked_amount} {other.currency} on {other.booked_on}", *said)))
    why = f"{why}: {what}. If this is other money, record it by `starter.py pay`"
    return StatementLine(entry=entry, verdict=verdict, why=why, unlike=True)


def _came(entry: BankEntry, before: "_Before | None") -> StatementLine:
    """The line of new money, which may be a transaction of a sum that waits, or the same money as another entry."""
    if before is None:
        return StatementLine(entry=entry, verdict=Verdict.UNMATCHED, why="")
    other = before.booking.first.identity
    if before.same:
        return StatementLine(entry=entry, verdict=Verdict.UNMATCHED, why="", itemises=other)
    doubtful = entry.model_copy(update={"may_repeat": other})
    return StatementLine(entry=doubtful, verdict=Verdict.UNMATCHED, why="")


def _went_out(session: Session, entry: BankEntry, beside: Sequence[BankEntry]) -> StatementLine:
    originals, sure = original_of(session, entry, beside)
    if sure:
        (one,) = originals
        parts = tuple(_booked(session, one))
        why = f"it returns the payment of {one.booked_on}"
        return StatementLine(entry=entry, verdict=Verdict.RETURN, why=why, parts=parts, original=one.identity)
    if originals:
        why = f"it may return the payment of {originals[0].booked_on}"
        return StatementLine(entry=entry, verdict=Verdict.ASK, why=why, original=originals[0].identity)
    if entry.reversal:
        return StatementLine(entry=entry, verdict=Verdict.UNRELATED, why="it returns nothing that is known here")
    return StatementLine(entry=entry, verdict=Verdict.OUTGOING, why="it went out; it is not kept")


def _booked(session: Session, entry: BankEntry) -> Iterator[Part]:
    """Yield what is booked of a payment."""
    for one in incoming_payments.standing(session, of_bank_entry(entry).entry_id):
        yield Part(invoice_id=one.invoice_id, customer_id=one.customer_id, amount=one.amount)


@dataclass(frozen=True)
class _Before:
    """A booking that was told before, which one of this file is or may be."""

    booking: Booking
    format: StatementFormat
    waits: bool
    by_this_format: bool
    judged: Judged

    @property
    def same(self) -> bool:
        return self.judged.likeness is Likeness.SAME

    def waits_for(self, entry: BankEntry) -> bool:
        """Whether it is one sum that nobody has decided about, and the entry is one of its transactions."""
        return self.waits and entry.batch is not None and self.booking.first.batch is None and entry.came_in


class _ToldBefore:
    """What was told before of the accounts of this file: each booking stands for one of this file.

    By files of another format it may be any of the same sum; by one of this format only the same batch, told in
    another way: as one sum, or as its transactions.
    """

    def __init__(self, session: Session, file: StatementFile, known: Collection[str]) -> None:
        self._format = file.format
        self._new = _bookings(one for one in file.entries if not one.pending and one.identity not in known)
        self._free = {
            at: one
            for at, one in enumerate(_stored(session, file))
            if one.format is not file.format or one.booking.identity in self._new
        }
        self._found: dict[str, _Before] = {}
        for keys_of in (Booking.ids, Booking.payers, Booking.words):
            self._pair_by(keys_of)
        self._pair_the_rest()

    def find(self, entry: BankEntry) -> _Before | None:
        """Return the booking that this entry, or its batch, is or may be; None when it is new."""
        return self._found.get(entry.booking)

    def _pair_by(self, keys_of: Callable[[Booking], Iterable[str]]) -> None:
        """Pair what is surely the same and has one of these keys, so that not each is compared with each."""
        by_key = defaultdict[tuple[object, ...], list[int]](list)
        for at, one in self._free.items():
            for key in keys_of(one.booking):
                by_key[(key, *_sum(one.booking.first))].append(at)
        for new in self._new.values():
            found = self._first_same(new, (at for key in keys_of(new) for at in by_key[(key, *_sum(new.first))]))
            if found is not None:
                self._found[new.identity] = self._compared(new, self._free.pop(found))

    def _first_same(self, new: Booking, places: Iterable[int]) -> int | None:
        if new.identity in self._found:
            return None
        fitting = (at for at in places if at in self._free and _near(new, self._free[at].booking))
        return next((at for at in fitting if self._compared(new, self._free[at]).same), None)

    def _pair_the_rest(self) -> None:
        """Pair what is left, by the most facts that are equal first; then what may be in doubt."""
        by_sum = defaultdict[tuple[object, ...], list[int]](list)
        for at, one in self._free.items():
            by_sum[_sum(one.booking.first)].append(at)
        pairs = [
            (new.identity, at, before)
            for new in self._new.values()
            if new.identity not in self._found
            for at in by_sum.get(_sum(new.first), ())
            if _near(new, self._free[at].booking)
            and (before := self._compared(new, self._free[at])).judged.likeness is not Likeness.OTHER
        ]
        for likeness in (Likeness.SAME, Likeness.DOUBT):
            some = [one for one in pairs if one[2].judged.likeness is likeness]
            for identity, at, before in sorted(some, key=lambda one: -one[2].judged.equal):
                if identity not in self._found and at in self._free:
                    self._found[identity] = before
                    if likeness is Likeness.SAME:
                        del self._free[at]

    def _compared(self, new: Booking, one: "_Stored") -> _Before:
        by_this_format = one.format is self._format
        judged = SURE if by_this_format else compare(new, one.booking)
        return _Before(one.booking, one.format, one.waits, by_this_format, judged)


@dataclass(frozen=True)
class _Stored:
    """A booking that was told before. waits: nobody has decided yet for which invoices it is."""

    booking: Booking
    format: StatementFormat
    waits: bool


def _stored(session: Session, file: StatementFile) -> Iterator[_Stored]:
    days = [entry.booked_on for entry in file.entries] or [datetime.now(UTC).date()]
    accounts_of_file = {entry.account for entry in file.entries}
    entries = defaultdict[StatementFormat, list[BankEntry]](list)
    waiting = set[str]()
    for entry, format_, state in bank_entries.around(session, accounts_of_file, min(days) - _NEAR, max(days) + _NEAR):
        entries[format_].append(entry)
        if state in incoming_payments.WAITING:
            waiting.add(entry.identity)
    for format_, some in entries.items():
        for booking in _bookings(some).values():
            yield _Stored(booking, format_, booking.first.identity in waiting)


def _bookings(entries: Iterable[BankEntry]) -> dict[str, Booking]:
    """Return the bookings of these entries by identity, in their order."""
    found = defaultdict[str, list[BankEntry]](list)
    for entry in entries:
        found[entry.booking].append(entry)
    return {identity: Booking(tuple(some)) for identity, some in found.items()}


def _sum(entry: BankEntry) -> tuple[object, ...]:
    return entry.account, entry.currency, entry.direction, entry.booked_amount


def _near(one: Booking, other: Booking) -> bool:
    """Whether both were booked on one day, or within a week under one id."""
    apart = abs(one.first.booked_on - other.first.booked_on)
    return not apart or (apart <= _NEAR and one.has_id_of(other))


# What is shown -------------------------------------------------------------------------------------------


def _matched(line: StatementLine, found: Match | Taken) -> StatementLine:
    """Return the line of money that came in with what matching says."""
    entry_id = of_bank_entry(line.entry).entry_id
    if isinstance(found, Taken):
        return line.model_copy(update={"verdict": Verdict.KNOWN, "why": found.why, "entry_id": entry_id})
    booked, proposals, why = found.booked, found.proposals, found.why
    verdict = Verdict.BOOK if booked else Verdict.PROPOSE if proposals else Verdict.UNMATCHED
    chosen = booked or next(iter(proposals), None)
    parts = chosen.parts if chosen else ()
    return line.model_copy(update={"verdict": verdict, "why": why, "entry_id": entry_id, "parts": parts})


def _ahead(file: StatementFile, now: datetime) -> Iterator[Refusal]:
    last = (now + _AHEAD).date()
    for entry in file.entries:
        if entry.booked_on > last and not entry.pending:
            yield Refusal(f"account {entry.account}", "booked_on", "lies in the future", entry.booked_on.isoformat())


def _two_formats(lines: Sequence[StatementLine]) -> Iterator[str]:
    told = Counter(line.entry.account for line in lines if line.verdict is Verdict.ELSEWHERE)
    for account, times in told.items():
        yield (
            f"account {account}: {times} of its entries came by files of another format before; "
            "keep to one format for each account"
        )


def _short(name: str) -> str:
    return one_line(name)[:_LONGEST_NAME] or "statement"


def _again(statement_id: str, now: datetime) -> str:
    """The id of a file of which a part had been left out when it came first."""
    return sha256(f"{statement_id}/{now.isoformat()}".encode()).hexdigest()
