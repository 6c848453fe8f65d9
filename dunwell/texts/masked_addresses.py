"""Addresses as pages without a login show them: who knows an address recognises it, and nobody else learns it."""

import phonenumbers

from dunwell.domain.channels import AddressKind

HIDDEN = "\N{BULLET}" * 3
_SHOWN_DIGITS = 2


def masked(kind: AddressKind, address: str) -> str:
    """Return an address of this kind with its greatest part hidden.

    An e-mail address keeps its first character and its domain, a phone number its country code and last two digits.
    A postal address is hidden whole, as is one that is not of its kind.
    """
    match kind:
        case AddressKind.MAILBOX:
            local, at, domain = address.strip().rpartition("@")
            return f"{local[0]}{HIDDEN}@{domain}" if local and at and domain else HIDDEN
        case AddressKind.NUMBER:
            return _masked_number(address)
        case AddressKind.POSTAL:
            return HIDDEN


def _masked_number(number: str) -> str:
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return HIDDEN
    national = str(parsed.national_number or "")
    if len(national) <= 2 * _SHOWN_DIGITS:
        return f"+{parsed.country_code} {HIDDEN}"
    return f"+{parsed.country_code} {HIDDEN} {national[-_SHOWN_DIGITS:]}"
