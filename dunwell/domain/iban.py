"""The international bank account number, ISO 13616."""

import re

FORM = r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}"
"""A pattern of its form: country, check digits, the account within the country."""


def has_form(text: str) -> bool:
    """Whether text without spaces looks like an IBAN, whatever its check digits are."""
    return re.fullmatch(FORM, text) is not None


def is_iban(text: str) -> bool:
    """Whether text without spaces has the form of an IBAN and its check digits are right."""
    if not has_form(text):
        return False
    # The first four characters go to the end, letters become numbers from 10, and the rest modulo 97 is 1.
    return int("".join(str(int(sign, 36)) for sign in text[4:] + text[:4])) % 97 == 1
