"""A case as its difference from a copy of it.

A workflow hands a case to services in this form as long as it knows the copy in the database: the difference is
small, and most often nothing.
"""

import json
from hashlib import sha256
from typing import Any, Self

from dunwell.domain.case import Case
from dunwell.domain.model import Value


class CaseChanges(Value):
    """What changed since a copy: the copy's digest, and those fields that differ now, as JSON."""

    copy_digest: str
    facts: dict[str, Any]


class CaseCopy:
    """A copy of a case as JSON text, which takes a fifth of the memory that the case takes."""

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def of(cls, case: Case) -> Self:
        return cls(json.dumps(_facts(case), sort_keys=True, separators=(",", ":")))

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits over every field, so that copies which differ anywhere have different ones."""
        return sha256(self._text.encode()).hexdigest()[:16]

    def changes_to(self, case: Case) -> CaseChanges:
        """Return what makes this copy the case."""
        before = json.loads(self._text)
        facts = {name: fact for name, fact in _facts(case).items() if name not in before or before[name] != fact}
        return CaseChanges(copy_digest=self.digest, facts=facts)

    def changed(self, changes: CaseChanges) -> Case:
        """Return the case that `changes` make of this copy. Raises ValueError if they were made for another copy."""
        if changes.copy_digest != self.digest:
            raise ValueError("the changes are those of another copy")
        return Case.model_validate(json.loads(self._text) | changes.facts)


def _facts(case: Case) -> dict[str, Any]:
    return case.model_dump(mode="json")
