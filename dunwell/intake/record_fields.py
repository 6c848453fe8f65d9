"""Checks the fields of one JSON object one by one and collects the refusals."""

from collections.abc import Collection, Mapping
from typing import Any

from dunwell.domain.cleaning import printable
from dunwell.domain.spelling import did_you_mean
from dunwell.intake.invoice_fields import WRITTEN_IN_A_DIALECT, Field
from dunwell.intake.json_records import JsonObject
from dunwell.intake.lines import Record
from dunwell.intake.refusals import InvalidValue, Refusal, kind, shown

_PARENT_REFUSED = object()  # in place of a value inside something that is no object and was refused already
_MOST_REFUSALS = 25  # of one record


class Fields:
    """The fields of the object `data` at `path` inside `record`. Inner objects share the list of refusals."""

    def __init__(
        self, record: Record, data: object, known: Collection[str], path: str, refusals: list[Refusal]
    ) -> None:
        self.refusals = refusals
        self._record = record
        self._path = path
        self._data: Mapping[str, object] = data if isinstance(data, Mapping) else {}
        self._is_object = isinstance(data, Mapping)
        if not self._is_object and data is not _PARENT_REFUSED:
            self.refuse("", f"is {_state(data)}: write an object with {', '.join(sorted(known))}", data)
        for key in map(str, self._data):
            if key not in known:
                self.refuse(printable(key) or '""', f"is no field here: {did_you_mean(key, known)}")
        for key in data.repeated if isinstance(data, JsonObject) else []:
            self.refuse(printable(key), "is given more than once: keep one")

    def take(self, field: Field, **depends: Any) -> Any:
        """Return the checked value of a field; None when it is left out, null, blank or refused.

        `depends` holds the further arguments of its check.
        """
        if self.is_blank(field.name):
            if field.needed:
                self.refuse(field.name, "is missing: it is needed")
            return None
        value = self._data[field.name]
        if field.kind in WRITTEN_IN_A_DIALECT:
            depends["dialect"] = self._record.dialect
        try:
            return field.check(value, **depends)
        except InvalidValue as error:
            self.refuse(field.name, str(error), None if field.secret else value)
            return None

    def value(self, key: str) -> object:
        """Return what stands under `key`, unchecked; None when nothing does."""
        return self._data.get(key)

    def has(self, key: str) -> bool:
        """Return whether the object has a value other than null under `key`."""
        return self._data.get(key) is not None

    def inner(self, key: str, known: Collection[str]) -> "Fields":
        """Return the object under `key`. If it is no object, that is one refusal, and its fields add none."""
        data = self._data.get(key) if self._is_object else _PARENT_REFUSED
        return Fields(self._record, data, known, self._at(key), self.refusals)

    def items(self, key: str, known: Collection[str], most: int) -> list["Fields"]:
        """Return the objects of the list under `key`. More than `most` are refused."""
        found = self._data.get(key)
        if not isinstance(found, list):
            self.refuse(key, f"is {_state(found)}: write a list of objects", found)
            return []
        if len(found) > most:
            self.refuse(key, f"has {len(found)} items: at most {most} fit")
        places = [f"{self._at(key)}[{index}]" for index in range(min(len(found), most))]
        return [
            Fields(self._record, item, known, place, self.refusals)
            for item, place in zip(found, places, strict=False)
        ]

    def refuse(self, key: str, reason: str, value: object = None) -> None:
        """Add a refusal of the field `key`, or of the object itself when `key` is ""."""
        if key and not self._is_object:
            return
        if len(self.refusals) < _MOST_REFUSALS:
            path = self._at(key)
            name = self._record.columns.get(path, path)
            self.refusals.append(Refusal(self._record.where, name, reason, shown(value)))

    def _at(self, key: str) -> str:
        return ".".join(part for part in (self._path, key) if part)

    def is_blank(self, key: str) -> bool:
        """Return whether a field is left out, null or blank."""
        value = self._data.get(key)
        return value is None or (isinstance(value, str) and not value.strip())


def _state(value: object) -> str:
    return "missing" if value is None else kind(value)
