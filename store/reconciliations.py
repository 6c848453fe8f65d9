"""The comparisons of database and engine, as they were made."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.reconciliation import Report
from store.tables import ReconciliationRow

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


def last_hourly(session: Session) -> int:
    """The number of the last hourly comparison; 0 when there was none."""
    query = select(func.max(ReconciliationRow.pass_id)).where(ReconciliationRow.by == HOURLY)
    return session.scalar(query) or 0


def hourly_after(session: Session, number: int) -> int:
    """How many hourly comparisons were made after the one of that number."""
    query = select(func.count()).select_from(ReconciliationRow)
    query = query.where(ReconciliationRow.by == HOURLY, ReconciliationRow.pass_id > number)
    return session.scalar(query) or 0
