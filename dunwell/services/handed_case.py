"""The case that a workflow's request is about: handed as a whole, or as what changed since the database's copy."""

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.case_copy import CaseCopy
from dunwell.domain.invoice import is_rehearsal
from dunwell.services.failures import OtherCopy, OtherRun
from dunwell.services.request_models import CaseRequest
from dunwell.store import cases


def handed_case(session: Session, request: CaseRequest) -> Case:
    """Return the case as its workflow has it.

    Raises OtherRun for a run with another clock than its case: it may change nothing. Raises OtherCopy when the
    database's copy is not the one that the changes were made for: the workflow then hands the whole case.
    """
    row = cases.get_row(session, request.invoice_id)
    rehearsal = is_rehearsal(request.customer_id) if row is None else row.rehearsal
    if request.rehearsal != rehearsal:
        raise OtherRun(request.invoice_id, rehearsal=rehearsal)
    if request.case is not None:
        return request.case
    if row is None or request.changes is None:
        raise OtherCopy(request.invoice_id)
    try:
        return CaseCopy.of(Case.model_validate(row.state)).changed(request.changes)
    except ValueError:  # also of a row that cannot be read
        raise OtherCopy(request.invoice_id) from None
