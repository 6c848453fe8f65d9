"""The consent of a person to be written to on a channel that asks for one: the day they gave it, and where.

It is kept as one line of text, the day before a space and the source, so that it is corrected, compared and shown
like every other fact of a contact.
"""

from datetime import date

from dunwell.domain.model import Value


class Consent(Value):
    """That a person said yes: `on` is the day, `source` says where, such as "order form"."""

    on: date
    source: str

    def __str__(self) -> str:
        return f"{self.on} {self.source}"

    @classmethod
    def parse(cls, text: str) -> "Consent":
        """Read what `str` wrote. Raises ValueError for anything else."""
        day, _, source = text.strip().partition(" ")
        if not source.strip():
            raise ValueError(f"{text!r} is no consent: a day, a space and a source")
        return cls(on=date.fromisoformat(day), source=source.strip())
