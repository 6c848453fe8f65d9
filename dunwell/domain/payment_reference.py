"""Our payment reference: an ISO 11649 creditor reference of fourteen characters, such as RF71 4K9D 2MXQ 7T.

It is made of the ids of the invoices that it stands for, so that a database restored from a backup gives no reference
of one invoice to another. It holds no fact about the customer.
"""

import re
from collections.abc import Collection
from hashlib import sha256

_SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # without I, L, O and U, which are easily misread
_LENGTH = 10
_SEEN = re.compile(rf"(?=(RF[0-9]{{2}}[{_SIGNS}]{{{_LENGTH}}}))")
_SEPARATORS = re.compile(r"[\W_]+")

MOST = 14
"""How many characters a reference has. The standard allows 25, and a short text message has little room."""


def reference_for(invoice_ids: Collection[str], attempt: int = 0) -> str:
    """Return the reference of these invoices together, in whatever order.

    attempt  another number gives another reference, for when the first one stands for other invoices
    """
    named = "\n".join([str(attempt), *sorted(set(invoice_ids))])
    number = int.from_bytes(sha256(named.encode()).digest()[:8])
    body = "".join(_SIGNS[number >> 5 * place & 31] for place in range(_LENGTH))
    return f"RF{_check_digits(body)}{body}"


def grouped(reference: str) -> str:
    """Return the reference in groups of four characters, as the standard prints it."""
    return " ".join(reference[at : at + 4] for at in range(0, len(reference), 4))


def found_in(text: str) -> tuple[str, ...]:
    """Return what has the form and the check digits of our references, in the order of the text.

    However it is spaced or punctuated, in small letters or large. One in a hundred random texts of this form passes:
    only the database knows whether it was issued.
    """
    joined = _SEPARATORS.sub("", text).upper()
    seen = (found[1] for found in _SEEN.finditer(joined))
    return tuple(dict.fromkeys(one for one in seen if _check_digits(one[4:]) == one[2:4]))


def _check_digits(body: str) -> str:
    """The two digits by ISO 7064, MOD 97-10: letters count from 10 for A."""
    number = "".join(str(int(sign, 36)) for sign in f"{body}RF00")
    return f"{98 - int(number) % 97:02d}"
