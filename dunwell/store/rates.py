"""Imported rates of base-rate series, and confirmations of values of the law."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.confirmation import Confirmation
from dunwell.domain.rate_import import RateImport
from dunwell.store.tables import ConfirmationRow, RateImportRow


def add_import(session: Session, imported: RateImport) -> None:
    """Add an import. It counts more than every earlier one."""
    session.add(
        RateImportRow(
            series=imported.series,
            first=imported.first,
            last=imported.last,
            rates={str(day): str(rate) for day, rate in sorted(imported.rates.items())},
            source=imported.source,
            by=imported.by,
            at=imported.at,
        )
    )
    session.flush()


def imports(session: Session, names: Iterable[str] | None = None) -> dict[str, list[RateImport]]:
    """Return every import that was not withdrawn, by series, oldest first. names: of these series alone."""
    found: dict[str, list[RateImport]] = {}
    query = select(RateImportRow).where(RateImportRow.withdrawn_at.is_(None)).order_by(RateImportRow.import_id)
    if names is not None:
        query = query.where(RateImportRow.series.in_(list(names)))
    for row in session.scalars(query):
        found.setdefault(row.series, []).append(
            RateImport(
                series=row.series,
                last=row.last,
                rates={date.fromisoformat(day): Decimal(rate) for day, rate in row.rates.items()},
                source=row.source,
                by=row.by,
                at=row.at,
                number=row.import_id,
            )
        )
    return found


def withdraw_import(session: Session, imported: RateImport, by: str, now: datetime) -> None:
    """Note who withdrew an import, which counts no more. Raises LookupError for one that is not in the database."""
    row = session.get(RateImportRow, imported.number)
    if row is None:
        raise LookupError(f"there is no import {imported.number}")
    row.withdrawn_by, row.withdrawn_at = by, now
    session.flush()


def confirm(session: Session, confirmation: Confirmation) -> None:
    """Record who checked a value, in place of an earlier confirmation of the same value."""
    session.merge(ConfirmationRow(**confirmation.model_dump()))
    session.flush()


def confirmations(session: Session) -> Sequence[Confirmation]:
    """Return every confirmation, those of values that have changed since included."""
    rows = session.scalars(select(ConfirmationRow).order_by(ConfirmationRow.at))
    return [
        Confirmation(subject=row.subject, field=row.field, digest=row.digest, by=row.by, source=row.source, at=row.at)
        for row in rows
    ]
