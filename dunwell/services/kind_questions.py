"""The question what a customer is, asked once a customer where the answer decides what may be claimed.

It is no task of the database: it is on every list of tasks until the kind is known.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from dunwell.domain.claim_terms import contract_terms
from dunwell.domain.keys import TaskId
from dunwell.domain.policy import Policy, PolicyRef
from dunwell.domain.state import midnight
from dunwell.services.claims import needs_law
from dunwell.store import cases, policies

REASON = (
    "nobody said whether the customer is a business, a consumer or a public body: until then the law for consumers "
    "counts, no lump sum is claimed, and limits of contacts are those for consumers"
)
_TOPIC = "customer-kind"


@dataclass(frozen=True)
class KindQuestion:
    """What a customer is. `case` is the first open one whose claim goes by the answer."""

    task_id: str
    case: cases.OfUnknownKind
    due_at: datetime


def open_questions(session: Session, invoice_id: str | None = None) -> list[KindQuestion]:
    """Return the question of each customer of unknown kind, or only that of an invoice; none of rehearsals."""
    found: dict[str, KindQuestion] = {}
    known: dict[PolicyRef, Policy | None] = {}
    for case in cases.of_unknown_kind(session):
        if case.customer_id in found or invoice_id not in {None, case.invoice_id}:
            continue
        policy = _policy(session, PolicyRef(**case.policy), known)
        if policy is None:  # a task asks for that
            continue
        terms = contract_terms(
            (case.interest, case.customer_interest), (case.lump_sum, case.customer_lump_sum), policy
        )
        if needs_law(terms, policy):
            due_at = midnight(date.fromisoformat(case.due_on), case.utc_offset_minutes or 0)
            found[case.customer_id] = KindQuestion(str(TaskId.of(case.invoice_id, _TOPIC)), case, due_at)
    return list(found.values())


def question(session: Session, task_id: str) -> KindQuestion | None:
    """Return the question that the task of this id is, if it is one and still open."""
    if not is_kind_question(task_id):
        return None
    return next((one for one in open_questions(session) if one.task_id == task_id), None)


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
