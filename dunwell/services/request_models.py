"""The requests of a workflow to services about its case, and their answers."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from dunwell.domain.case import Case
from dunwell.domain.case_copy import CaseChanges, CaseCopy
from dunwell.domain.checkpoint import Mark, Sent
from dunwell.domain.claim_summary import AccessoryClaim, ClaimSummary
from dunwell.domain.events import ContactsChanged
from dunwell.domain.ladder import NextAction
from dunwell.domain.model import MutableValue
from dunwell.domain.step_outcome import StepOutcome
from dunwell.domain.terms import Access, Level
from dunwell.domain.timeline import Entry


class CaseRequest(MutableValue):
    """A case as its workflow knows it, at case time `now`; `entries` are decisions not yet in the database.

    seen     the number of the last timeline entry that the workflow has
    written  the mark of the database's copy of the case in the last answer that the workflow got
    case     the whole case; None when it is handed as `changes` to that copy (`services.handed_case` reads both)
    """

    invoice_id: str
    customer_id: str
    now: datetime
    rehearsal: bool = False
    entries: list[Entry] = []
    seen: int = 0
    written: Mark | None = None
    case: Case | None = None
    changes: CaseChanges | None = None

    @classmethod
    def whole(cls, case: Case, **facts: Any) -> Self:
        """Return a request that hands the whole case."""
        return cls(invoice_id=case.invoice_id, customer_id=case.customer_id, case=case, **facts)

    def with_changes(self, changes: CaseChanges) -> Self:
        """Return this request with changes in place of the case."""
        return self.model_copy(update={"case": None, "changes": changes})


class CaseAnswer(MutableValue):
    """What the database adds to the workflow's knowledge.

    `newer` is the store's copy of the case when it is ahead of the workflow, which happens after a reset. With
    `replaces` the workflow takes it in any case.
    `apart`: one of the two was restored from an older copy, and the workflow has to write down all that it knows.
    `written` is how far the store's copy is now, `copy_digest` is over all of it; None when nothing was written.
    `messages` are those that the workflow's case does not know.
    `unpublished`: the product has not confirmed a change of access yet.
    """

    next_action: NextAction | None = None
    access: Access = Access.FULL
    access_beside: Access = Access.FULL
    holds: list[Level] = []
    given: Decimal = Decimal(0)
    beside_principal: Decimal = Decimal(0)
    last_claim: ClaimSummary | None = None
    accessory: AccessoryClaim | None = None
    utc_offset_minutes: int = 0
    entries: list[Entry] = []
    seen: int = 0
    unpublished: bool = False
    newer: Case | None = None
    replaces: bool = False
    apart: bool = False
    written: Mark | None = None
    copy_digest: str | None = None
    messages: list[Sent] = []

    @classmethod
    def unchanged(cls, case: Case, seen: int, **facts: Any) -> Self:
        """How the case stood when it was asked about: nothing was written."""
        answer = cls(**facts)
        answer.fill(case, [], seen)
        answer.written = answer.copy_digest = None
        return answer

    def fill(self, case: Case, written: Sequence[tuple[int, Entry]], seen: int) -> None:
        """Fill in the case and its timeline entries after number `seen`."""
        self.next_action, self.holds, self.given = case.next_action, case.holds, case.money.given
        self.access, self.access_beside = case.access, case.access_beside
        self.last_claim, self.accessory = case.last_claim, case.accessory
        self.beside_principal = case.money.beside_principal
        self.utc_offset_minutes = case.utc_offset_minutes
        self.written, self.copy_digest = case.mark, CaseCopy.of(case).digest
        self.entries = [entry for _, entry in written]
        self.seen = written[-1][0] if written else seen


class StepRequest(CaseRequest):
    """A step to carry out, which the plan meant for `planned_at`."""

    step: str
    planned_at: datetime


class StepAnswer(CaseAnswer):
    """What came of a step."""

    outcome: StepOutcome | None = None


class RecordRequest(CaseRequest):
    """`event` is the accepted event's name and content; None only plans anew. `told_as`: the id of its request."""

    event: str | None = None
    content: dict[str, Any] | None = None
    told_as: str | None = None


class RecordAnswer(CaseAnswer):
    """`not_arrived`: the step of a message that is now known not to have arrived.

    `arrived`: a message is now known to have arrived, which a blocked step may have waited for.
    `contacts`: addresses that the event has closed, which the case remembers.
    """

    not_arrived: str | None = None
    arrived: bool = False
    contacts: ContactsChanged | None = None
