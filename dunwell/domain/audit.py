"""Who changed what: an entry of the audit, and the chain that the entries of one object make.

Each entry holds a hash over itself and the hash of the entry before it, so that whoever changes, removes or adds one
breaks the chain. The chain cannot show that its last entries were removed, or that all of it was written anew: for
that, somebody else has to keep its last hash.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from dunwell.domain.evidence import FIRST, canonical, plain
from dunwell.domain.model import Value
from dunwell.domain.principals import PrincipalKind, Role


class AuditEntry(Value):
    """A change of `object`, such as "invoice/INV-1" or "user/user-7".

    number      counts the entries of the object from 1
    principal   the id of who did it, of this `kind`; role: their role then; None for the engine
    credential  the key or session they came by
    action      the event, or what else was done
    details     ids, amounts, days and codes; no personal data
    """

    object: str
    number: int
    key: str
    at: datetime
    kind: PrincipalKind
    principal: str
    role: Role | None
    credential: str | None
    action: str
    reason: str | None
    details: Mapping[str, Any]
    request_id: str | None


def seal(entry: AuditEntry, prev: str) -> str:
    """Return the hash of an entry that follows the one with the hash `prev`; FIRST stands before the first."""
    return sha256(canonical({**plain(entry), "prev": prev})).hexdigest()


def broken(entries: Iterable[tuple[AuditEntry, str, str]]) -> str | None:
    """Return where the chain of one object breaks, and how; None when it holds.

    Each entry comes with the hash before it and its own, in the order of their numbers.
    """
    head = FIRST
    for place, (entry, prev, sealed) in enumerate(entries, 1):
        if entry.number != place:
            return f"entry {place} is missing"
        if prev != head:
            return f"entry {place} does not follow the entry before it: that one was replaced"
        if seal(entry, prev) != sealed:
            return f"entry {place} was changed"
        head = sealed
    return None
