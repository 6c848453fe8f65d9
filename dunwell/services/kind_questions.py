"""The question what a customer is, asked once a customer where the answer decides what may be claimed.

It is no task of the database: it is on every list of tasks until the kind is known.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.claim_terms import contract_terms
from dunwell.domain.keys import TaskId
from dunwell.domain.policy import Policy, PolicyRef
from dunwell.services.claims import needs_law
from dunwell.store import cases, policies
from dunwell.store.tables import CustomerRow, InvoiceRow

REASON = (
    "nobody said whether the customer is a business, a consumer or a public body: until then the law for consumers "
    "counts, no lump sum is claimed, and limits of contacts are those for consumers"
)
_TOPIC = "customer-kind"


@dataclass(frozen=True)
class KindQuestion:
    """What a customer is. `invoice` is the first open one whose claim goes by the answer."""

    task_id: str
    invoice: InvoiceRow
    customer: CustomerRow
    due_at: datetime


def open_questions(session: Session, invoice_id: str | None = None) -> list[KindQuestion]:
    """Return the question of each customer of unknown kind, or only that of an invoice; none of rehearsals."""
    found: dict[str, KindQuestion] = {}
    known: dict[PolicyRef, Policy | None] = {}
    for row, invoice, customer in cases.of_unknown_kind(session):
        if customer.customer_id in found or invoice_id not in {None, row.invoice_id}:
            continue
        policy = _policy(session, PolicyRef.model_validate(row.state["policy"]), known)
        if policy is None:  # a task asks for that
            continue
        terms = contract_terms((invoice.interest, customer.interest), (invoice.lump_sum, customer.lump_sum), policy)
        if needs_law(terms, policy):
            case = Case.model_validate(row.state)
            task_id, due_at = str(TaskId.of(row.invoice_id, _TOPIC)), case.begin_of(case.due_on)
            found[customer.customer_id] = KindQuestion(task_id, invoice, customer, due_at)
    return list(found.values())


def is_kind_question(task_id: str) -> bool:
    """Whether the task of this id asks what a customer is."""
    return TaskId.parse(task_id).name.endswith(f".{_TOPIC}")


def _policy(session: Session, ref: PolicyRef, known: dict[PolicyRef, Policy | None]) -> Policy | None:
    if ref not in known:
        try:
            known[ref] = policies.load(session, ref.name, ref.version)
        except LookupError:
            known[ref] = None
    return known[ref]
