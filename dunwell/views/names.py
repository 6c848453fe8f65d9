"""The names of people, for pages and answers: what cases hold names our users and the customer's people by id."""

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.channels import AddressKind
from dunwell.domain.contact_labels import with_names
from dunwell.domain.plain_words import with_plain_words
from dunwell.store import users
from dunwell.store.tables import ContactRow
from dunwell.texts.masked_addresses import masked


def user_names(session: Session) -> Mapping[str, str]:
    """Return the name of each user by their id, disabled ones included."""
    return {row.user_id: row.name for row in users.all_users(session)}


def user_name(session: Session, by: str | None) -> str | None:
    """Return who did something, by name where it is a user of ours."""
    return users.with_names(session, by) if by is not None else None


class Names:
    """The names of a customer's people, and of our users, for texts about one customer. Valid within a transaction.

    A person without a name is called by their address, masked.
    """

    def __init__(self, session: Session, customer_id: str) -> None:
        self._session, self._customer_id = session, customer_id
        people = session.execute(
            select(ContactRow.contact_id, ContactRow.name, ContactRow.email, ContactRow.phone).where(
                ContactRow.customer_id == customer_id
            )
        )
        self._people = {row.contact_id: row.name.strip() or _address(row.email, row.phone) for row in people}

    def within(self, text: str) -> str:
        """Return text with names in place of ids, such as "link of Katrin Vogel (accounts payable)"."""
        named = with_names(text, self._customer_id, self._people)
        return users.with_names(self._session, with_plain_words(named))


def _address(email: str | None, phone: str | None) -> str:
    return masked(AddressKind.MAILBOX, email) if email else masked(AddressKind.NUMBER, phone or "")
