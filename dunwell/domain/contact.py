"""A person at a customer's company: addresses, and the consent that a channel asks for."""

from dunwell.domain.address import address_key
from dunwell.domain.channels import WRITTEN, Channel
from dunwell.domain.model import Value
from dunwell.domain.terms import Role


class Contact(Value):
    """One person. `contact_id` names nobody: "<customer_id>.<role>.<number>"; the store gives it, for good."""

    contact_id: str
    role: Role
    name: str
    email: str | None = None
    phone: str | None = None  # E.164, "+34600123456"
    post: str | None = None  # a postal address, line by line, as it stands on an envelope
    whatsapp_opt_in: str | None = None  # a `domain.consent.Consent` as text

    def address(self, channel: Channel) -> str | None:
        """Where `channel` reaches this contact; None where it cannot, or not without their consent."""
        found: str | None = None if self.lacks_consent(channel) else getattr(self, channel.facts.address.value)
        return found

    def lacks_consent(self, channel: Channel) -> bool:
        """Whether `channel` asks for a consent that this contact is not known to have given."""
        return channel.facts.consent is not None and getattr(self, channel.facts.consent) is None

    def address_keys(self, *, rehearsal: bool = False) -> frozenset[str]:
        """The keys of all addresses at which this contact gets something to read."""
        found = ((channel, self.address(channel)) for channel in WRITTEN)
        return frozenset(address_key(channel, at, rehearsal=rehearsal) for channel, at in found if at is not None)
