"""One change of a customer, of a contact, or of who is asked about an invoice, and how it is told."""

from dataclasses import dataclass
from typing import Literal

from dunwell.domain.contact import Contact
from dunwell.domain.people import CONTACT_FIELDS

_PERSONAL = frozenset(CONTACT_FIELDS)
_IN_WORDS = {
    "email": "e-mail",
    "post": "postal address",
    "time_zone": "time zone",
    "whatsapp_opt_in": "consent to WhatsApp",
    "lump_sum": "lump sum",
}
_SAID = {
    "joined": "is written to from now on",
    "left": "is not written to any more",
    "closed": "is not written to any more",
    "stays_closed": "is not written to: one of us closed this person in another role (starter.py contact open)",
    "opened": "is written to again",
}

Kind = Literal["renewed", "joined", "left", "closed", "stays_closed", "opened"]


@dataclass(frozen=True)
class Change:
    """What became different about a customer, about one contact, or about one of the customer's invoices.

    by            who did it; None: a record of a file
    corrected_by  who had corrected the field before, where a newer record overtakes that
    """

    customer_id: str
    kind: Kind
    contact: Contact | None = None
    field: str | None = None
    before: str | None = None
    after: str | None = None
    by: str | None = None
    corrected_by: str | None = None
    invoice_id: str | None = None

    def __str__(self) -> str:
        """For whoever brought it: with names and values."""
        whom = f", {self.contact.role} {self.contact.name}" if self.contact else ""
        whom = f", invoice {self.invoice_id}" if self.invoice_id else whom
        return f"{self.customer_id}{whom}: {self._what(values=True)}"

    def noted(self) -> str:
        """For a timeline, where no personal data may be."""
        whom = f"{self.contact.role} ({self.contact.contact_id})" if self.contact else "the customer"
        whom = "the invoice" if self.invoice_id else whom
        return f"{whom}: {self._what(values=self.field not in _PERSONAL)}, by {self.by or 'its record'}"

    def _what(self, *, values: bool) -> str:
        if self.field is None:
            return _SAID[self.kind]
        shown = f" from {_shown(self.before)} to {_shown(self.after)}" if values else ""
        overtaken = f" (it overtakes a correction by {self.corrected_by})" if self.corrected_by else ""
        return f"{_IN_WORDS.get(self.field, self.field)} changed{shown}{overtaken}"


def _shown(value: str | None) -> str:
    return ", ".join(value.splitlines()) if value else "none"
