"""Contact ids in a sentence as people read them: the role, and the name where it may be shown."""

import re
from collections.abc import Callable, Mapping

from dunwell.domain.events import OF_LINK
from dunwell.domain.terms import Role

_ROLES = "|".join(role.value for role in Role)


def with_roles(text: str, customer_id: str) -> str:
    """ "accounts payable" for "acme.accounts_payable.1", "accounts payable 2" for the second of them.

    Whoever holds a link is "link of accounts payable".
    """
    return _replaced(text, customer_id, _role)


def with_names(text: str, customer_id: str, names: Mapping[str, str]) -> str:
    """ "Katrin Vogel (accounts payable)"; the role alone of whom `names`, by contact id, does not know."""

    def named(contact_id: str, role: str, number: str) -> str:
        words = _role(contact_id, role, number)
        return f"{names[contact_id]} ({words})" if contact_id in names else words

    return _replaced(text, customer_id, named)


def _role(_: str, role: str, number: str) -> str:
    words = role.replace("_", " ")
    return words if number == "1" else f"{words} {number}"


def _replaced(text: str, customer_id: str, words: Callable[[str, str, str], str]) -> str:
    # Not inside a longer id: a task's id may hold the id of a customer. A link is named without the customer.
    whose = rf"(?:(?<![\w.-]){re.escape(customer_id)}\.|(?<=\b{OF_LINK}))"
    contact = rf"{whose}({_ROLES})\.(\d+)(?![\w-]|\.\w)"
    return re.sub(contact, lambda found: words(f"{customer_id}.{found[1]}.{found[2]}", found[1], found[2]), text)
