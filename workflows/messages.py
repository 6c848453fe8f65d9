"""What goes in and out of the workflow: ids, the start, the status. Signals and updates are in domain/events.py."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from activities.planning import Opening
from domain.agreements import Promise
from domain.case import Case
from domain.clock import Clock
from domain.invoice import is_rehearsal
from domain.ladder import NextAction
from domain.model import Record
from domain.policy import PolicyRef
from domain.terms import Access, Level, Stage
from domain.timeline import Entry
from domain.trace import Mark

WORKFLOW_TYPE = "InvoiceDunning"
STATUS_QUERY = "status"
OVERTAKE_SIGNAL = "overtake"
"""Tells the case nothing but that its priority is about to change, and why its history will have empty tasks."""

RECONCILE_SIGNAL = "reconcile"
"""Has the case write down all that it knows, for the database may lack some of it."""
MEMORY_QUERY = "memory"


def workflow_id(invoice_id: str) -> str:
    return f"invoice-{invoice_id}"


class Carried(Record):
    """What a run hands to the next one: all of its memory. `stale`: its plan has to be made anew."""

    case: Case
    timeline: list[Entry]
    unsaved: list[Entry]
    seen: int
    said: int
    stale: bool = False
    written: Mark | None = None


class CaseStart(Record):
    """The argument of the workflow. `invoice_id` alone is enough when the invoice is in the database.

    clock          a rehearsal's own time; None lives by the server's
    opening        what the command line prepared, which spares the workflow an activity
    carried        set only by a run that continues as a new one
    history_limit  events after which a run continues as a new one; None leaves it to the server's advice
    """

    invoice_id: str
    clock: Clock = Clock()
    opening: Opening | None = None
    carried: Carried | None = None
    history_limit: int | None = None


class Line(Record, frozen=True):
    """One decision as `status` shows it."""

    at: datetime
    kind: str
    reason: str
    step: str | None = None
    channel: str | None = None
    ref: str | None = None


class Pausing(Record):
    """Why and until when a case rests; `scope` "customer": its whole customer does."""

    scope: str
    reason: str
    by: str
    until: date | None


class Status(Record):
    """The answer to the query `status` and to every accepted update.

    `access` is the account's, by all of its holds, as last known to this case; `holds` are this invoice's, and
    `credit` is what was paid too much on it and is neither applied nor returned.
    """

    invoice_id: str
    rehearsal: bool = False
    stage: Stage
    pauses: list[Pausing] = []
    amount_due: Decimal
    credit: Decimal = Decimal(0)
    currency: str
    due_on: date
    access: Access
    policy: PolicyRef
    next_action: NextAction | None
    promises: list[Promise]
    holds: list[Level]
    timeline: list[Line]


def status_of(case: Case, timeline: Iterable[Entry]) -> Status:
    """The case as everybody sees it, whoever holds it: the workflow or the database."""
    return Status(
        invoice_id=case.invoice_id,
        rehearsal=is_rehearsal(case.customer_id),
        stage=case.stage,
        pauses=_pauses(case),
        amount_due=case.open_amount,
        credit=case.credit,
        currency=case.currency,
        due_on=case.due_on,
        access=case.account_access,
        policy=case.policy,
        next_action=case.next_action,
        promises=case.promises,
        holds=case.own_holds,
        timeline=lines_of(timeline),
    )


def _pauses(case: Case) -> list[Pausing]:
    known = (("invoice", case.pause), ("customer", case.customer_pause))
    return [Pausing(scope=scope, **pause.model_dump()) for scope, pause in known if pause is not None]


def lines_of(timeline: Iterable[Entry]) -> list[Line]:
    """The decisions as they are shown, oldest first."""
    return [Line(**entry.model_dump(exclude={"key"})) for entry in sorted(timeline, key=lambda entry: entry.at)]


class Outcome(Record):
    """The workflow's result."""

    invoice_id: str
    stage: Stage
    amount_due: Decimal
    credit: Decimal
