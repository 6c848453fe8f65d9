"""What a bank statement brings: what is new in it, what would follow from each entry, and the keeping of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from sqlalchemy.orm import Session

from dunwell.domain.bank_entry import BankEntry, Direction, EntryState, StatementFormat
from dunwell.domain.cleaning import one_line
from dunwell.domain.incoming import of_bank_entry
from dunwell.domain.matching import Match, Part
from dunwell.domain.model import Value
from dunwell.domain.principals import Principal, Right
from dunwell.intake.refusals import Refusal
from dunwell.intake.statement_parts import StatementFile
from dunwell.services.incoming_payments import IncomingPayments, Taken
from dunwell.store import audit, bank_entries, incoming_payments
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


QUIET = frozenset({Verdict.KNOWN, Verdict.ELSEWHERE, Verdict.OUTGOING})
"""What nobody has to look at: it is counted, and shown where everything is asked for."""


class StatementLine(Value):
    """An entry, and what follows from it.

    entry_id  under which matching knows it; None for what is no money that came in
    parts     what is, or would be, booked on which invoices
    original  identity of the entry that it takes back
    """

    entry: BankEntry
    verdict: Verdict
    why: str
    entry_id: str | None = None
    parts: tuple[Part, ...] = ()
    original: str | None = None


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
        """Return what would follow from each entry now, each as if it were the only one. Changes nothing."""
        with self._database.reading() as session:
            lines = list(_sorted(session, file))
            known = bank_entries.statement(session, digest_of(content)) is not None
        new = [line for line in lines if line.verdict is Verdict.UNMATCHED]
        matched = iter(self._payments.preview([of_bank_entry(line.entry) for line in new]))
        return StatementPreview(
            statement_id=digest_of(content),
            name=_short(name),
            format=file.format,
            known=known,
            lines=tuple(
                _matched(line, next(matched)) if line.verdict is Verdict.UNMATCHED else line for line in lines
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
            new = [line.entry for line in _sorted(session, file) if line.verdict in KEPT]
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
        lines = []
        for line in preview.lines:
            row, came_row = entries.get(line.entry.identity), told.get(line.entry_id or "")
            facts: dict[str, object] = {} if row is None else {"verdict": _VERDICTS.get(row.state, line.verdict)}
            if came_row is not None:
                facts |= {"why": came_row.why, "parts": parts[came_row.entry_id] or line.parts}
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


def _same(one: BankEntry, other: BankEntry) -> bool:
    ids = {(one.end_to_end_id, other.end_to_end_id), (one.reference, other.reference)}
    places = (one.account, one.currency) == (other.account, other.currency)
    return places and any(here is not None and here == there for here, there in ids)


# Which entries are new -----------------------------------------------------------------------------------


def _sorted(session: Session, file: StatementFile) -> Iterator[StatementLine]:
    """Yield each entry with what follows from it; new money that came in is still unmatched."""
    known = bank_entries.known(session, [entry.identity for entry in file.entries])
    elsewhere = _Elsewhere(session, file)
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
        elif (format_ := elsewhere.told(entry)) is not None:
            yield StatementLine(
                entry=entry, verdict=Verdict.ELSEWHERE, why=f"a file of {format_.value} told it before"
            )
        elif entry.came_in:
            yield StatementLine(entry=entry, verdict=Verdict.UNMATCHED, why="")
        else:
            keys = filter(None, (entry.end_to_end_id, entry.reference))
            yield _went_out(session, entry, [one for key in keys for one in by_key.get(key, ())])


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


class _Elsewhere:
    """What files of other formats told of the accounts of this file: each booking stands for one of this file."""

    def __init__(self, session: Session, file: StatementFile) -> None:
        days = [entry.booked_on for entry in file.entries] or [datetime.now(UTC).date()]
        stored = bank_entries.around(
            session, {entry.account for entry in file.entries}, min(days) - _NEAR, max(days) + _NEAR
        )
        self._bookings: dict[str, tuple[BankEntry, StatementFormat]] = {}
        self._by_sum = defaultdict[tuple[object, ...], list[str]](list)
        self._answers: dict[str, StatementFormat | None] = {}
        for entry, format_ in stored:
            if format_ is not file.format and entry.booking not in self._bookings:
                self._bookings[entry.booking] = entry, format_
                self._by_sum[self._sum(entry)].append(entry.booking)

    def told(self, entry: BankEntry) -> StatementFormat | None:
        """Return the format that told this entry, or its batch, before; None when none did."""
        if entry.booking not in self._answers:
            self._answers[entry.booking] = self._find(entry)
        return self._answers[entry.booking]

    def _find(self, entry: BankEntry) -> StatementFormat | None:
        free = self._by_sum.get(self._sum(entry), [])
        for fits in (self._same_id, self._same_day):
            for booking in free:
                other, format_ = self._bookings[booking]
                if fits(entry, other):
                    free.remove(booking)
                    return format_
        return None

    @staticmethod
    def _sum(entry: BankEntry) -> tuple[object, ...]:
        return entry.account, entry.currency, entry.direction, entry.booked_amount

    @staticmethod
    def _same_id(entry: BankEntry, other: BankEntry) -> bool:
        return abs(entry.booked_on - other.booked_on) <= _NEAR and _same(entry, other)

    @staticmethod
    def _same_day(entry: BankEntry, other: BankEntry) -> bool:
        ids = (entry.end_to_end_id, other.end_to_end_id)
        apart = None not in ids and ids[0] != ids[1] and entry.batch is None and other.batch is None
        return entry.booked_on == other.booked_on and not apart


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
