"""The comparisons of database and engine, as they were made."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dunwell.domain.reconciliation import Report
from dunwell.store.tables import ReconciliationRow

HOURLY = "hourly"
_KEPT = 500  # findings of one comparison that are kept


def add(session: Session, report: Report) -> int:
    """Keep a report. Returns its number."""
    row = ReconciliationRow(
        at=report.at,
        by=report.by,
        cases=report.cases,
        differing=report.differing,
        mended=report.applied,
        findings=[one.model_dump(mode="json") for one in report.findings[:_KEPT]],
    )
    session.add(row)
    session.flush()
    return row.pass_id


def last_at(session: Session) -> datetime | None:
    """When database and engine were compared last; None: never, or a restored database does not know of it."""
    return session.scalar(select(func.max(ReconciliationRow.at)))


def went_back(session: Session, last: int) -> bool:
    """Whether database or engine has forgotten hourly comparisons that the other knows of: it was restored.

    last: the number of the last one, as the engine remembers it. One more may just have been made.
    """
    numbers = select(ReconciliationRow.pass_id).where(ReconciliationRow.by == HOURLY)
    known = session.scalar(select(func.max(numbers.subquery().c.pass_id))) or 0
    later = session.scalars(numbers.where(ReconciliationRow.pass_id > last).limit(2)).all()
    return known < last or len(later) > 1
