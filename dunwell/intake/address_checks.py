"""The checks of addresses of an invoice record: e-mail, telephone, post and payment page.

Each check takes a JSON value and returns the value to store, or raises InvalidValue with the reason and what to do.
"""

import re
from functools import partial
from ipaddress import ip_address
from urllib.parse import urlsplit

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from dunwell.domain.cleaning import printable
from dunwell.gateways.phone_numbers import costly
from dunwell.intake.refusals import InvalidValue
from dunwell.intake.text_checks import text

_URL = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_MOST_DIGITS = 15  # of a telephone number with its country code, by E.164
_RESERVED_NUMBER = re.compile(r"\+44(?:7700900|1632960)\d{3}|\+33(?:19900|26191|35301|46571|53649|63998)\d{4}")
"""Numbers that regulators (Ofcom, Arcep) reserve for films and examples. They are accepted, as test domains are."""
_SEVERAL = re.compile(r"[/;,|]|\b(?:or|oder|ou|und|and|y|o)\b")
_TEST_DOMAIN, _CHECKED_AS = ".invalid", ".example"


def email(value: object) -> str:
    """Return an e-mail address in normal form, with an ASCII domain. Domains reserved for tests are accepted.

    Characters outside ASCII before the "@" are refused, because hardly any mail provider accepts them.
    """
    word = text(value, 320)
    several = [part for part in re.split(r"[;,\s|]+", word) if "@" in part]
    if len(several) > 1:
        raise InvalidValue(
            f"holds {len(several)} addresses: write one address a contact, and one contact for each person"
        )
    # The library accepts .test and refuses .invalid, so .invalid is checked as if it were .example.
    reserved = word.lower().endswith(_TEST_DOMAIN)
    checked = word[: -len(_TEST_DOMAIN)] + _CHECKED_AS if reserved else word
    try:
        found = validate_email(checked, allow_smtputf8=False, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise InvalidValue(f"is not an e-mail address: {printable(str(error), 200)}") from None
    domain = found.ascii_domain.removesuffix(_CHECKED_AS) + _TEST_DOMAIN if reserved else found.ascii_domain
    return f"{found.local_part}@{domain}"


def phone(value: object, region: str | None) -> str:
    """Return a phone number as E.164. `region` is the customer's country, for numbers in national form."""
    word = text(value, 40)
    several = [one for one in map(partial(_existing, region=region), _SEVERAL.split(word)) if one]
    if len(several) > 1:
        raise InvalidValue(f"holds {len(several)} numbers: give one, for example {several[0]!r}")
    number = _parsed_phone(word, region)
    if number.extension:
        raise InvalidValue("has an extension, which no message can reach: give a direct number")
    # is_possible_number alone would also accept numbers that work only inside their own area.
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise InvalidValue("has too few or too many digits for a phone number: use the form '+34600123456'")
    found = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    # Some digits are one number with a plus in front and another without: 4915112345678 is both in Germany.
    with_plus = None if word.startswith(("+", "0", "(")) else _existing("+" + word, None)
    if with_plus not in (None, found):
        raise InvalidValue(
            f"may be a number with its country's code or without: write {with_plus!r} or with a leading 0"
        )
    if _RESERVED_NUMBER.fullmatch(found):
        return found
    if not phonenumbers.is_valid_number(number) or len(found) > _MOST_DIGITS + 1:
        land = phonenumbers.region_code_for_country_code(number.country_code or 0)
        where = f" in {land}" if land.isalpha() and land != "ZZ" else ""
        raise InvalidValue(f"is no number that exists{where}: use the form '+34600123456', with all its digits")
    if expense := costly(found):
        raise InvalidValue(f"is {expense}, which we neither call nor write to: give another one")
    return found


def _parsed_phone(word: str, region: str | None) -> phonenumbers.PhoneNumber:
    try:
        return phonenumbers.parse(word, region)
    except phonenumbers.NumberParseException:
        raise InvalidValue("is not a phone number: use the form '+34600123456'") from None


def _existing(word: str, region: str | None) -> str | None:
    """Return the number as E.164 if it is valid; else None."""
    try:
        number = phonenumbers.parse(word, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def postal_address(value: object) -> str:
    """Return a postal address with its lines separated by line feeds. Blank lines are dropped."""
    if not isinstance(value, str):
        return text(value)
    if len(value) > 500:
        raise InvalidValue(f"has {len(value)} characters: at most 500 fit")
    lines = [text(line) for line in value.splitlines()]
    return "\n".join(line for line in lines if line)


def payment_url(value: object) -> str:
    """Return the URL at which the invoice is paid. It may hold tokens, so no reason repeats any part of it."""
    word = text(value, 2000)
    try:
        parts = urlsplit(word)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not _URL.fullmatch(word):
        raise InvalidValue("is not a web address: use the form 'https://pay.example.com/INV-1', other signs as %20")
    if parts.username is not None or parts.password is not None:
        raise InvalidValue("holds a user name or password: remove the part before '@'")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise InvalidValue("is not safe to pay on: it must begin with https://")
    return word


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
