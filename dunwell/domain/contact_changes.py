"""What a case remembers of changes to contacts: enough to close them again in a database restored from an older copy.

Ids and short codes only, because all of it stands in the engine's history.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from dunwell.domain.closed_addresses import BY_OWNER, told_by_case
from dunwell.domain.events import ContactChange, ContactsChanged
from dunwell.domain.model import MutableValue

_STANDING = frozenset({"closed", "opened"})
_CORRECTED_IN_WORDS = {"email": "e-mail", "post": "postal address", "whatsapp_opt_in": "consent to WhatsApp"}


class KnownChange(MutableValue):
    """A change as the case was told of it, when, and by whom."""

    change: ContactChange
    by: str
    at: datetime

    @property
    def restorable(self) -> bool:
        """Whether the database can be told again; what was corrected or added has words that only people know."""
        return self.change.what in _STANDING

    def __str__(self) -> str:
        """For people, without personal data."""
        one = self.change
        whom = one.contact_id or "the customer"
        field = "" if one.field is None else f"{_CORRECTED_IN_WORDS.get(one.field, one.field.replace('_', ' '))} of "
        why = f" ({one.reason})" if one.reason else ""
        channel = f" for {one.channel.facts.label}" if one.channel else ""
        return f"{field}{whom} {one.what}{channel}{why} on {self.at:%Y-%m-%d} by {self.by}"


def remembered(known: Sequence[KnownChange], event: ContactsChanged, now: datetime) -> list[KnownChange]:
    """Return what is known after the event: of what concerns the same contact in the same way, only the newest."""
    changes = list(known)
    for change in event.changes:
        changes = [one for one in changes if not _overtakes(change, one.change)]
        changes.append(KnownChange(change=change, by=event.by, at=now))
    return changes


def unknown_to(stored: Iterable[KnownChange], known: Iterable[KnownChange]) -> list[KnownChange]:
    """Return what is known and is not among the stored, oldest first."""
    there = list(stored)
    return [one for one in known if one not in there]


def _overtakes(change: ContactChange, earlier: ContactChange) -> bool:
    if change.contact_id != earlier.contact_id:
        return False
    if change.what in _STANDING and earlier.what in _STANDING:
        if change.channel is None and change.what == "opened":
            return earlier.channel is None or told_by_case(earlier.reason) not in BY_OWNER  # STOP stays STOP
        return change.channel is earlier.channel
    return (change.what, change.field) == (earlier.what, earlier.field)
