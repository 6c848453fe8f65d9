"""The reports of the reconciler, which compares the database with Temporal."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dunwell.domain.reconciliation_report import Finding, Kind, Report
from dunwell.store.tables import ReconciliationRow

HOURLY = "hourly"
_KEPT = 500  # findings of one comparison that are stored


def add(session: Session, report: Report) -> int:
    """Store a report and return its number."""
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


def interrupted(session: Session) -> dict[str, datetime]:
    """Return the cases whose run the last comparison found terminated or lost and did not begin again, and when."""
    row = session.scalars(select(ReconciliationRow).order_by(ReconciliationRow.pass_id.desc()).limit(1)).first()
    found = [Finding.model_validate(one) for one in row.findings] if row is not None else []
    return {
        one.invoice_id: row.at for one in found if row and one.kind in {Kind.CLOSED, Kind.GONE} and not one.mended
    }


def last_at(session: Session) -> datetime | None:
    """When database and engine were compared last; None: never, or a restored database does not know of it."""
    return session.scalar(select(func.max(ReconciliationRow.at)))


def went_back(session: Session, last: int) -> bool:
    """Return whether the database or Temporal was restored from a backup: one lacks comparisons the other has.

    `last` is the number of the last hourly comparison by Temporal's state. The database may hold one more, because
    the one that asks may just have been stored.
    """
    numbers = select(ReconciliationRow.pass_id).where(ReconciliationRow.by == HOURLY)
    known = session.scalar(select(func.max(numbers.subquery().c.pass_id))) or 0
    later = session.scalars(numbers.where(ReconciliationRow.pass_id > last).limit(2)).all()
    return known < last or len(later) > 1
