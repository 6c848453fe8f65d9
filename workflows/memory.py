"""What a run knows of its case: the case, its timeline, and how far the database has both."""

from collections.abc import Sequence
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows.case_clock import CaseClock

with workflow.unsafe.imports_passed_through():
    from dunwell.domain.case import Case
    from dunwell.domain.case_copy import CaseChanges, CaseCopy
    from dunwell.domain.checkpoint import Mark, merged
    from dunwell.domain.cleaning import one_line
    from dunwell.domain.events import Event
    from dunwell.domain.refusal import Refused
    from dunwell.domain.sealed import SealedSignal
    from dunwell.domain.step_outcome import Said
    from dunwell.domain.timeline import Entry
    from dunwell.services.request_models import CaseAnswer, CaseRequest
    from workflows import options
    from workflows.messages import Carried

_LONGEST_REFUSAL = 400

R = TypeVar("R", bound=CaseRequest)


class Memory:
    """The state of a run. Its parts share one of these; what the next run gets of it is `Carried`.

    opened        the case, None until it is open
    why_not_open  why the case cannot be opened yet; "" before that is known
    early         how many signals wait until the case is open
    timeline      the latest decisions, oldest first
    unsaved       those of them that the database lacks
    waiting       events that have changed the case and are not being written yet
    sealed        signals that no key opened yet, oldest first
    stored        how far the database's copy of the case is
    planned_for   the revision of the case that its next action was planned for
    stale         the next action has to be planned anew
    woken         something happened: the main loop looks again instead of sleeping on
    arrivals      how often this run learned that a message was delivered
    not_arrived   the steps of messages of which it learned that they did not arrive, in that order
    """

    def __init__(self, clock: CaseClock, carried: Carried | None) -> None:
        self.clock = clock
        self.opened: Case | None = None
        self.why_not_open = ""
        self.early = 0
        self.timeline: list[Entry] = []
        self.unsaved: list[Entry] = []
        self.waiting: list[Event] = []
        self.sealed: list[SealedSignal] = []
        self.stored: Mark | None = None
        self.planned_for = -1
        self.stale = False
        self.woken = False
        self.arrivals = 0
        self.not_arrived: list[str] = []
        self._seen = 0  # the number of the last timeline entry read from the database
        self._said = 0  # how many entries this case has added; numbers their keys
        self._copy: CaseCopy | None = None  # the database's, when its last answer left it equal to this case
        if carried:
            self.take_over(carried)

    @property
    def case(self) -> Case:
        """The case. Raises ApplicationError (type NotOpen) while it is not open."""
        if self.opened is None:
            raise ApplicationError("the case is not open yet; ask again in a moment", type="NotOpen")
        return self.opened

    # From run to run -------------------------------------------------------------------------------------

    def carried(self, *, publishing: bool) -> Carried:
        """Return what the next run needs. `publishing`: a change of access is on its way, which it has to look at."""
        return Carried(
            case=self.case,
            timeline=self.timeline,
            unsaved=self.unsaved,
            seen=self._seen,
            said=self._said,
            stale=self.stale or publishing,
            written=self.stored,
            copy_digest=self._copy.digest if self._copy else None,
            sealed=self.sealed,
        )

    def take_over(self, carried: Carried) -> None:
        """Begin with what an earlier run knew."""
        self.opened, self.timeline, self.unsaved = carried.case, carried.timeline, carried.unsaved
        self._seen, self._said = carried.seen, carried.said
        self.stored, self.sealed = carried.written, carried.sealed
        self.stale, self.planned_for = carried.stale, carried.case.revision
        self._learn_copy(carried.copy_digest)

    def take_over_from_ended_run(self, carried: Carried) -> None:
        """Go on from the run before this one, because the database lacks what that run knew.

        It was restored from a copy older than that run's end. What this run noted until now is kept.
        """
        timeline, sealed = self.timeline, self.sealed
        self.take_over(carried)
        self.timeline, self.sealed = self.timeline + timeline, self.sealed + sealed
        self.forget_copy()
        self.write_all_again()

    # The timeline ----------------------------------------------------------------------------------------

    def add_entries(self, said: list[Said], step: str | None = None) -> None:
        """Add decisions to the timeline, at the case's time; the next write brings them to the database."""
        for item in said:
            self._said += 1
            key = f"{workflow.info().run_id}.{self._said}"
            reason = one_line(item.reason)  # it may repeat the name of a signal, which may be any text
            entry = Entry(key=key, at=self.clock.now(), kind=item.kind, reason=reason, step=step, ref=item.ref)
            self.timeline.append(entry)
            self.unsaved.append(entry)

    def add_refusal(self, reason: str) -> None:
        """Add a refusal to the timeline, cut to 400 characters."""
        self.add_entries([Said("refused", reason[:_LONGEST_REFUSAL])])

    def saved(self, entries: list[Entry]) -> None:
        """Note that the database has these entries."""
        self.unsaved = [entry for entry in self.unsaved if entry not in entries]

    def write_all_again(self) -> None:
        """Have the whole timeline written and read again: the database may lack any of it."""
        self.unsaved = list(self.timeline)
        self._seen, self.stale = 0, True

    def plan_soon(self) -> None:
        """Wake the main loop to plan the next action anew."""
        self.stale = self.woken = True

    # The database ----------------------------------------------------------------------------------------

    def request(self, kind: type[R], entries: Sequence[Entry] = (), **facts: Any) -> R:
        """Return a request of this kind that brings `entries`; its case is a copy, because ours may change."""
        return kind.whole(
            self.case.model_copy(deep=True),
            now=self.clock.now(),
            rehearsal=self.clock.rehearsal,
            entries=list(entries),
            seen=self._seen,
            written=self.stored,
            **facts,
        )

    def changes_to(self, request: CaseRequest) -> CaseChanges | None:
        """Return what makes the database's copy the case of a request; None when that copy is not known."""
        return self._copy.changes_to(request.case) if self._copy and request.case else None

    def forget_copy(self) -> None:
        """Note that the database has another copy than this run believed."""
        self._copy = None

    def _learn_copy(self, digest: str | None) -> None:
        """Note that the database's copy has this digest. Only a copy that is equal to the case is known then."""
        copy = CaseCopy.of(self.case)
        self._copy = copy if copy.digest == digest else None

    def take(self, answer: CaseAnswer, planned_for: int, seen: int) -> None:
        """Take over what the database knows, its plan too if that was made for the case as it is now.

        Otherwise the next action is planned anew. `planned_for`: the revision that the plan was made for;
        `seen`: the number of the last timeline entry that the request named.
        """
        if answer.newer is not None and (answer.replaces or answer.newer.revision > self.case.revision):
            self.opened = answer.newer
            planned_for = answer.newer.revision
            self._apply_waiting()
        case = self.case
        case.messages = merged(case.messages, answer.messages)
        self.stored = answer.written.later(self.stored) if answer.written else self.stored
        case.access, case.access_beside, case.holds = answer.access, answer.access_beside, answer.holds
        case.money.given = answer.given
        case.take_claim(answer.last_claim, answer.accessory, answer.beside_principal)
        case.utc_offset_minutes = answer.utc_offset_minutes
        self._read(answer.entries)
        if seen <= self._seen:  # otherwise write_all_again was called meanwhile, and all is to be read from the start
            self._seen = max(self._seen, answer.seen)
        self.woken = True
        if answer.apart:
            self.write_all_again()
        if planned_for == case.revision:
            case.next_action, self.planned_for = answer.next_action, planned_for
        else:
            self.stale = True
        self._learn_copy(answer.copy_digest)

    def take_opening(self, answer: CaseAnswer) -> None:
        """Take over what the database knows of a case that was just opened from it."""
        self.take(answer, self.case.revision, self._seen)

    def _read(self, entries: Sequence[Entry]) -> None:
        """Add timeline entries of the database; where an entry is known already, the database's form replaces it."""
        read, known = {entry.key: entry for entry in entries}, {entry.key for entry in self.timeline}
        if read:
            self.timeline = [read.get(entry.key, entry) for entry in self.timeline]
            self.timeline += [entry for entry in entries if entry.key not in known]
            self.timeline = self.timeline[-options.TIMELINE_KEPT :]

    def _apply_waiting(self) -> None:
        """Apply the events that wait to be written to a case that has just replaced ours, and does not have them."""
        for event in self.waiting:
            try:
                self.case.apply(event, self.clock.now())
            except Refused as refused:
                self.add_refusal(str(refused))
