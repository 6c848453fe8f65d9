"""The workflow's id, argument, queries and result. Its signals and updates are in `dunwell.domain.events`."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from pydantic import ModelWrapValidatorHandler, ValidationError, model_validator

from dunwell.domain.agreements import Promise
from dunwell.domain.case import Case
from dunwell.domain.checkpoint import Mark
from dunwell.domain.clock import Clock
from dunwell.domain.contact_labels import with_roles
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.ladder import NextAction
from dunwell.domain.model import MutableValue
from dunwell.domain.policy import PolicyRef
from dunwell.domain.refusal import refusal_of
from dunwell.domain.sealed import SealedSignal
from dunwell.domain.terms import Access, Level, Stage
from dunwell.domain.timeline import Entry
from dunwell.services.opening import Opening

WORKFLOW_TYPE = "InvoiceDunning"
STATUS_QUERY = "status"
RECONCILE_SIGNAL = "reconcile"
"""Signal: write all that the case knows to the database, which may lack some of it."""
MEMORY_QUERY = "memory"
"""Query: all that the run knows (`Carried`), also after its end."""
REGISTERED_SIGNAL = "registered"
"""Signal to a run that waits for its invoice: the invoice is registered now."""


def workflow_id(invoice_id: str) -> str:
    return f"invoice-{invoice_id}"


class Carried(MutableValue):
    """What a run hands to the next one: all that it knows of its case.

    unsaved  timeline entries that the database lacks
    seen     the number of the last timeline entry read from the database
    said     how many entries the case has added to its timeline
    stale    the next action has to be planned anew
    written  how far the database's copy of the case is
    sealed   signals that no key opened yet, in the order in which they came
    """

    case: Case
    timeline: list[Entry]
    unsaved: list[Entry]
    seen: int
    said: int
    stale: bool = False
    written: Mark | None = None
    sealed: list[SealedSignal] = []


class CaseStart(MutableValue):
    """The argument of the workflow. `invoice_id` alone is enough when the invoice is in the database.

    clock          a rehearsal's own time; otherwise the server's
    opening        the case as the command line opened it, which saves the workflow an activity
    carried        set only by a run that continues as a new one
    follows        the id of the ended run that this one follows, begun by a payment; None: there is none
    history_limit  events after which a run continues as a new one; None: when the server suggests it
    fault          what is wrong with an invalid argument. It is validated in the run, which ends with this message:
                   a run whose argument cannot be read would be retried for ever
    """

    invoice_id: str
    clock: Clock = Clock()
    opening: Opening | None = None
    carried: Carried | None = None
    follows: str | None = None
    history_limit: int | None = None
    fault: str | None = None

    @model_validator(mode="wrap")
    @classmethod
    def _never_fails(cls, value: object, read: "ModelWrapValidatorHandler[CaseStart]") -> "CaseStart":
        try:
            return read(value)
        except ValidationError as error:
            return cls.model_construct(None, invoice_id="", fault=str(refusal_of(error))[:400])


class Line(MutableValue, frozen=True):
    """One entry of the timeline as `status` shows it."""

    at: datetime
    kind: str
    reason: str
    step: str | None = None
    channel: str | None = None
    ref: str | None = None


class Pausing(MutableValue):
    """A pause: why, by whom, until when. `scope` is "invoice", or "customer" for all invoices of the customer."""

    scope: str
    reason: str
    by: str
    until: date | None


class InstalmentLine(MutableValue):
    """One agreed instalment; `met`: it was paid."""

    date: date
    amount: Decimal
    met: bool


class PaymentLine(MutableValue):
    """A payment and what of it counts, after reversals."""

    payment_id: str
    amount: Decimal


class Status(MutableValue):
    """The answer to the query `status` and to every accepted update.

    access    of the account, by all of its holds, as last known to this case
    holds     of this invoice
    credit    what was overpaid on this invoice and is neither applied nor returned
    plan      the instalments of the running payment plan
    disputed  the amount of an open dispute
    timeline  oldest first; it names people by their role

    None stands for a value that is unknown because the run waits for its invoice to be registered.
    """

    invoice_id: str
    rehearsal: bool = False
    stage: Stage
    pauses: list[Pausing] = []
    amount_due: Decimal | None
    credit: Decimal = Decimal(0)
    currency: str | None
    due_on: date | None
    access: Access
    policy: PolicyRef | None
    next_action: NextAction | None
    promises: list[Promise]
    plan: list[InstalmentLine] = []
    disputed: Decimal | None = None
    payments: list[PaymentLine] = []
    holds: list[Level]
    timeline: list[Line]


def status_of(case: Case, timeline: Iterable[Entry]) -> Status:
    """Return the status of a case, which the workflow or the database holds."""
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
        promises=case.agreements.promises,
        plan=_instalments(case),
        disputed=case.open_amount - case.asked if case.agreements.dispute else None,
        payments=[PaymentLine(payment_id=name, amount=amount) for name, amount in case.money.payments.items()],
        holds=case.own_holds,
        timeline=lines_of(timeline, case.customer_id),
    )


def _instalments(case: Case) -> list[InstalmentLine]:
    if case.agreements.plan is None:
        return []
    return [
        InstalmentLine(date=item.date, amount=item.amount, met=number < case.agreements.plan.met)
        for number, item in enumerate(case.agreements.plan.instalments)
    ]


def _pauses(case: Case) -> list[Pausing]:
    known = (("invoice", case.agreements.pause), ("customer", case.agreements.customer_pause))
    return [Pausing(scope=scope, **pause.model_dump()) for scope, pause in known if pause is not None]


def status_of_unopened(invoice_id: str, timeline: Iterable[Entry]) -> Status:
    """Return the status of a run that waits for its invoice."""
    return Status(
        invoice_id=invoice_id,
        stage=Stage.SCHEDULED,
        amount_due=None,
        currency=None,
        due_on=None,
        access=Access.FULL,
        policy=None,
        next_action=None,
        promises=[],
        holds=[],
        timeline=lines_of(timeline, ""),
    )


def lines_of(timeline: Iterable[Entry], customer_id: str) -> list[Line]:
    """Return timeline entries as they are shown, oldest first, with people named by their role."""
    return [
        Line(**entry.model_dump(exclude={"key", "reason"}), reason=with_roles(entry.reason, customer_id))
        for entry in sorted(timeline, key=lambda entry: entry.at)
    ]


class Outcome(MutableValue):
    """The workflow's result."""

    invoice_id: str
    stage: Stage
    amount_due: Decimal
    credit: Decimal
