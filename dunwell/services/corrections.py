"""What one of us corrected by hand, which stands until a record says something new, within one transaction."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from dunwell.domain.people import Person
from dunwell.store import contacts
from dunwell.store.tables import CorrectionRow

FieldKey = tuple[str, str, str]
"""Customer, contact ("" for the customer itself) and field."""


class Corrections:
    """The corrections of some customers and their contacts. Call `save` at the end."""

    def __init__(self, session: Session, customer_ids: Collection[str], now: datetime) -> None:
        self._session, self._now = session, now
        rows = contacts.corrections(session, customer_ids)
        self._rows = {(row.customer_id, row.contact_id, row.field): row for row in rows}
        self._overtaken = set[FieldKey]()

    def mark(self, people: Mapping[str, Sequence[Person]]) -> None:
        """Tell each person what the records said of a field before it was corrected."""
        known = {(owner, one.contact_id): one for owner, some in people.items() for one in some}
        for (customer_id, contact_id, field), row in self._rows.items():
            if (customer_id, contact_id) in known:
                known[(customer_id, contact_id)].exported[field] = row.exported

    def exported(self, key: FieldKey, value: str | None) -> str | None:
        """What the records said of a field last: what stood before its correction, else its value."""
        row = self._rows.get(key)
        return row.exported if row else value

    def put(self, key: FieldKey, before: str | None, value: str | None, by: str) -> None:
        """Correct a field. Set to what the records say anyway, it is corrected no longer."""
        exported = self.exported(key, before)
        if value == exported:
            self.overtake(key)
            return
        customer_id, contact_id, field = key
        row = CorrectionRow(
            customer_id=customer_id, contact_id=contact_id, field=field, exported=exported, by=by, at=self._now
        )
        contacts.put_correction(self._session, row)
        self._rows[key] = row

    def overtake(self, key: FieldKey) -> str | None:
        """Drop the correction of a field, if there is one. Returns who had made it."""
        row = self._rows.pop(key, None)
        if row is None:
            return None
        self._overtaken.add(key)
        return row.by

    def save(self) -> None:
        """Delete the dropped ones."""
        contacts.drop_corrections(self._session, self._overtaken)
