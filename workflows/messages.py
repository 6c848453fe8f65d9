"""The workflow's id, argument, queries and result. Its signals and updates are in `dunwell.domain.events`."""

from decimal import Decimal

from pydantic import ModelWrapValidatorHandler, ValidationError, model_validator

from dunwell.domain.case import Case
from dunwell.domain.checkpoint import Mark
from dunwell.domain.clock import Clock
from dunwell.domain.model import MutableValue
from dunwell.domain.refusal import refusal_of
from dunwell.domain.sealed import SealedSignal
from dunwell.domain.terms import Stage
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
    copy_digest  over that copy, if the run knows it
    sealed   signals that no key opened yet, in the order in which they came
    """

    case: Case
    timeline: list[Entry]
    unsaved: list[Entry]
    seen: int
    said: int
    stale: bool = False
    written: Mark | None = None
    copy_digest: str | None = None
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


class Outcome(MutableValue):
    """The workflow's result."""

    invoice_id: str
    stage: Stage
    amount_due: Decimal
    credit: Decimal
