"""The checks of single values of an invoice record.

Each check takes a JSON value and returns the value to store, or raises InvalidValue with the reason and what to do.
"""

import re
import unicodedata
from datetime import date
from decimal import Decimal
from functools import cache, partial
from ipaddress import ip_address
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import phonenumbers
import pycountry
from babel import Locale
from babel.core import parse_locale
from email_validator import EmailNotValidError, validate_email

from dunwell.domain.autolinks import domain_in, link_in
from dunwell.domain.claim_terms import NONE, STATUTORY, checked_interest
from dunwell.domain.cleaning import clean, printable, reordering
from dunwell.domain.consent import Consent
from dunwell.domain.governing_law import known_law, unknown_law
from dunwell.domain.money import exact_amount, looks_like_thousands
from dunwell.domain.spelling import did_you_mean, hint
from dunwell.domain.terms import DebtorKind, Role
from dunwell.gateways.phone_numbers import costly
from dunwell.intake.csv_dialect import Dialect
from dunwell.intake.currencies import Currency, current_codes, find_currency, replacement
from dunwell.intake.jurisdiction_files import known_codes
from dunwell.intake.numbers_and_dates import Choice, Days, Decimals, amount_by, day_by
from dunwell.intake.refusals import InvalidValue, kind

_FIRST_YEAR, _LAST_YEAR = 2000, 2100
_WHOLE_DIGITS = 12
_IDENTIFIER = re.compile(r"(?=[A-Za-z0-9])[A-Za-z0-9._-]{1,120}")
_POLICY = re.compile(r"[a-z0-9-]{1,60}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AMOUNT = re.compile(r"[0-9]+(\.[0-9]+)?")
_URL = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_BROKEN = {"Cc", "Cs", "Zl", "Zp"}  # controls, surrogates, line and paragraph separators
_MOST_DIGITS = 15  # of a telephone number with its country code, by E.164
_RESERVED_NUMBER = re.compile(r"\+44(?:7700900|1632960)\d{3}|\+33(?:19900|26191|35301|46571|53649|63998)\d{4}")
"""Numbers that regulators (Ofcom, Arcep) reserve for films and examples. They are accepted, as test domains are."""
_SEVERAL = re.compile(r"[/;,|]|\b(?:or|oder|ou|und|and|y|o)\b")
_COUNTRY_ALIASES = {"UK": "GB", "EL": "GR", "KOSOVO": "XK"}
_NOT_IN_ISO = {"XK"}  # Kosovo: in general use, from the codes that ISO 3166 leaves free for users
_NO_PLACE = {"Factory", "localtime"}  # entries of the zone database that are no zones
_NOT_POSITIVE = "is not more than zero: write an amount above it, and leave out a record that asks for nothing"
_TEST_DOMAIN, _CHECKED_AS = ".invalid", ".example"


def text(value: object, limit: int = 200) -> str:
    """Return one line of at most `limit` characters, without outer spaces and invisible characters."""
    if not isinstance(value, str):
        raise InvalidValue(f"is {kind(value)}, not text: write it in double quotes")
    line = value.strip()
    if len(line) > limit:
        raise InvalidValue(f"has {len(line)} characters: at most {limit} fit")
    for char in line:
        if unicodedata.category(char) in _BROKEN:
            raise InvalidValue(f"holds the character U+{ord(char):04X}: remove it, this is one line of plain text")
    if found := reordering(line):
        name = unicodedata.name(found).lower()
        raise InvalidValue(f"holds the character U+{ord(found):04X} ({name}), which reorders other text: remove it")
    seen = clean(line).strip()
    if line and not seen:
        raise InvalidValue("holds only characters that nobody can see: write it out")
    return seen


def postal_address(value: object) -> str:
    """Return a postal address with its lines separated by line feeds. Blank lines are dropped."""
    if not isinstance(value, str):
        return text(value)
    if len(value) > 500:
        raise InvalidValue(f"has {len(value)} characters: at most 500 fit")
    lines = [text(line) for line in value.splitlines()]
    return "\n".join(line for line in lines if line)


def consent(value: object) -> str:
    """A person's consent as one line: an object with `on` and `source`, or that line itself."""
    how = 'write {"on": "2027-01-15", "source": "order form"}, or the day, a space and the source'
    if isinstance(value, dict):
        if set(value) != {"on", "source"}:
            raise InvalidValue(f"is not `on` and `source` and nothing else: {how}")
        on, source = value["on"], value["source"]
    else:
        on, _, source = text(value).partition(" ")
    if not isinstance(source, str) or not source.strip():
        raise InvalidValue(f"names no source: {how}")
    return str(Consent(on=day(on), source=text(source, 150)))


def is_identifier(word: str) -> bool:
    """Return whether a word can be an id. It must not look like an option or a folder ("-x", "..") to a program."""
    return _IDENTIFIER.fullmatch(word) is not None


def identifier(value: object) -> str:
    """Return an id. It also becomes part of a workflow id, so only plain characters are allowed."""
    word = text(value)
    if not is_identifier(word):
        raise InvalidValue(
            "is no plain id: use 1 to 120 of A-Z, a-z, 0-9, '.', '_' and '-', the first a letter or a digit"
        )
    return word


def company_name(value: object) -> str:
    """Return a company's name, which holds no link. A bare domain is allowed; it is broken up when it is printed."""
    name = text(value)
    if link := link_in(name):
        raise InvalidValue(f"holds {printable(link)!r}, of which mail programs make a link: leave the address out")
    return name


def plain_name(value: object) -> str:
    """Return a person's name or an invoice number, which holds neither a link nor a domain: messages repeat it."""
    name = company_name(value)
    if domain := domain_in(name):
        advice = "leave it out, or write a space after the full stop"
        raise InvalidValue(f"holds {printable(domain)!r}, of which mail programs make a link: {advice}")
    return name


def role(value: object) -> Role:
    word = text(value)
    if word not in set(Role):
        raise InvalidValue(f"is no role: {did_you_mean(word, Role)}")
    return Role(word)


def debtor_kind(value: object) -> DebtorKind:
    word = text(value)
    if word not in set(DebtorKind):
        raise InvalidValue(f"is no kind of debtor: {did_you_mean(word, DebtorKind)}")
    return DebtorKind(word)


def policy(value: object) -> str:
    word = text(value)
    if not _POLICY.fullmatch(word):
        raise InvalidValue("is no ladder's name: use 1 to 60 of a-z, 0-9 and '-'")
    return word


def currency(value: object) -> Currency:
    code = text(value)
    try:
        return find_currency(code)
    except KeyError:
        pass
    if successor := replacement(code.upper()):
        raise InvalidValue(f"is no longer in use: use {successor!r}")
    if code.upper() in current_codes():
        raise InvalidValue(f"is not in capital letters: use {code.upper()!r}")
    raise InvalidValue("is no currency in use: give the ISO 4217 code, for example 'EUR'")


def amount(value: object, unit: Currency | None, dialect: Dialect | None = None) -> Decimal:
    """Return a positive amount with exactly the minor units of `unit`, which is None when the currency was refused.

    `dialect` is that of the CSV file, None for JSON.
    """
    number = _number(value) if dialect is None else _csv_amount(text(value, 40), dialect.decimals)
    if number <= 0:
        raise InvalidValue(_NOT_POSITIVE)
    if number.adjusted() >= _WHOLE_DIGITS:
        raise InvalidValue(f"is too large: at most {_WHOLE_DIGITS} digits before the point")
    if unit is None:
        return number
    exact = exact_amount(number, unit.digits)
    if exact is None:
        allowed = f"at most {unit.digits} digits" if unit.digits else "no digits but zeros"
        raise InvalidValue(f"is too fine: {unit.code} has {allowed} after the point")
    if looks_like_thousands(number, unit.digits):
        more = f"{number.scaleb(3):.{unit.digits}f}"
        raise InvalidValue(f"may be {more} or {exact}: write '{more}' or '{exact}'")
    return exact


def _csv_amount(cell: str, decimals: Choice[Decimals]) -> Decimal:
    readings = {kind: number for kind in Decimals if (number := amount_by(kind, cell)) is not None}
    sample = "1200,00" if decimals.kind is Decimals.COMMA else "1200.00"
    if not readings:
        raise InvalidValue(f"is no amount: write digits only, such as {sample}")
    if decimals.kind is None or (not decimals.sure and len(set(readings.values())) > 1):
        if len(set(readings.values())) > 1:
            raise InvalidValue("can be read in two ways, and this file writes amounts in both: write 1200 or 1200.00")
        return next(iter(readings.values()))
    if decimals.kind not in readings:
        raise InvalidValue(f"is written otherwise than the amounts of this file: write it like {sample}")
    return readings[decimals.kind]


def _number(value: object) -> Decimal:
    match value:
        case bool():
            raise InvalidValue(f"is {kind(value)}, no amount: write it as text, '1200.00'")
        case float():
            raise InvalidValue("is no exact number: write it as text, '1200.00'")
        case int():
            return Decimal(value)
        case Decimal():
            return _finite(value)
        case str():
            return _text_amount(text(value, 40))
        case _:
            raise InvalidValue(f"is {kind(value)}, no amount: write it as text, '1200.00'")


def _finite(number: Decimal) -> Decimal:
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        raise InvalidValue("is no finite number: write the amount as text, '1200.00'")
    if exponent > 0:
        raise InvalidValue("has an exponent: write all digits, '1200.00'")
    return number


def _text_amount(word: str) -> Decimal:
    if _AMOUNT.fullmatch(word):
        return Decimal(word)
    if "," in word or "'" in word or " " in word:
        raise InvalidValue("has a comma or a separator: write digits and one point, '1200.00'")
    if re.fullmatch(r"-[0-9.]+", word):
        raise InvalidValue(_NOT_POSITIVE)
    if re.fullmatch(r"[0-9.]+[eE][+-]?[0-9]+", word):
        raise InvalidValue("has an exponent: write all digits, '1200.00'")
    raise InvalidValue("is no amount: write digits and one point, '1200.00'")


def interest(value: object, dialect: Dialect | None = None) -> str:
    """Return which interest is claimed: "statutory", "none", or a rate in per cent a year as text, such as "8.5"."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        raise InvalidValue(f"is {kind(value)}: write a rate in quotes, such as '8.5'")
    word = text(value, 40)
    readings = {found for sign in Decimals if (found := amount_by(sign, word)) is not None} if dialect else set()
    try:
        return checked_interest(f"{readings.pop()}" if len(readings) == 1 else word)
    except ValueError as error:
        raise InvalidValue(str(error)) from None


def lump_sum(value: object) -> str:
    """Return whether the lump sum of the law is claimed: "statutory" or "none"."""
    word = text(value)
    if word not in {STATUTORY, NONE}:
        raise InvalidValue(f"is no lump sum: write '{STATUTORY}' to claim that of the law, or '{NONE}'")
    return word


def day(value: object, dialect: Dialect | None = None) -> date:
    """Return a date. `dialect` is that of the CSV file, None for JSON."""
    word = text(value)
    found = _iso_day(word) if dialect is None else _csv_day(word, dialect.days)
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise InvalidValue(f"is out of range: the year must be between {_FIRST_YEAR} and {_LAST_YEAR}")
    return found


def _iso_day(word: str) -> date:
    if not _DATE.fullmatch(word):  # fromisoformat alone would also take week dates and dates without hyphens
        raise InvalidValue("is not a date: use YYYY-MM-DD")
    try:
        return date.fromisoformat(word)
    except ValueError:
        raise InvalidValue("is no day of the calendar: use YYYY-MM-DD") from None


def _csv_day(cell: str, days: Choice[Days]) -> date:
    readings = {kind: found for kind in Days if (found := day_by(kind, cell)) is not None}
    sample = {Days.DAY: "31.12.2027", Days.MONTH: "12/31/2027", None: "2027-12-31"}[days.kind]
    if not readings:
        raise InvalidValue(f"is not a date: write a day that exists like {sample}")
    if days.kind is None or (not days.sure and len(set(readings.values())) > 1):
        if len(set(readings.values())) > 1:
            raise InvalidValue("can be read in two ways, and this file writes dates in both: write YYYY-MM-DD")
        return next(iter(readings.values()))
    if days.kind not in readings:
        raise InvalidValue(f"is written otherwise than the dates of this file: write it like {sample}")
    return readings[days.kind]


def country(value: object) -> str:
    """Return an ISO 3166-1 alpha-2 code, which must be in capital letters."""
    word = text(value)
    if _is_country(word):
        return word
    meant = _country_meant(word)
    if meant is None:
        raise InvalidValue("is no country: give the ISO 3166 code of two letters, for example 'DE'")
    raise InvalidValue(f"is not the ISO 3166 code of two letters: use {meant!r}")


def _country_meant(word: str) -> str | None:
    """Return the code of the country that a word names otherwise: its name, or another code of it."""
    try:
        return _COUNTRY_ALIASES.get(word.upper()) or str(pycountry.countries.lookup(word).alpha_2)
    except LookupError:
        return None


def _is_country(word: str) -> bool:
    known = re.fullmatch("[A-Z]{2}", word) and pycountry.countries.get(alpha_2=word)
    return word in _NOT_IN_ISO or bool(known)


def jurisdiction(value: object) -> str:
    """Return whose law applies: a country, a part of one ("US-NY") or "UK". Its law must have a file."""
    word = text(value)
    part = re.fullmatch("[A-Z]{2}-[A-Z0-9]{1,3}", word) and word in _subdivisions()
    if not (part or word in {"EU", "UK"} or _is_country(word)):
        meant = _country_meant(word)
        how = f"use {meant!r}" if meant else "use a country ('DE'), a part of one ('US-NY') or 'UK'"
        raise InvalidValue(f"is no jurisdiction{hint(word, known_codes()) or f': {how}'}")
    if known_law(word, known_codes()) is None:
        raise InvalidValue(unknown_law(word, known_codes()))
    return word


@cache
def _subdivisions() -> frozenset[str]:
    return frozenset(part.code for part in pycountry.subdivisions)


@cache
def _zones() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones() - _NO_PLACE}


def time_zone(value: object) -> str:
    """Return an IANA zone name, which must be spelled as in the zone database."""
    word = text(value)
    name = _zones().get(word.lower())
    if name is None:
        example = "use an IANA name, for example 'Europe/Berlin'"
        raise InvalidValue(f"is no time zone: {did_you_mean(word, _zones().values(), example)}")
    if name != word:
        raise InvalidValue(f"is spelled with other capitals: use {name!r}")
    return name


def language(value: object) -> str:
    """Return a BCP 47 tag of language, script and region in usual capitals: "en", "pt-BR", "zh-Hant-TW"."""
    word = text(value)
    if "_" in word:
        raise InvalidValue(f"has an underscore: use a hyphen, {printable(word.replace('_', '-'))!r}")
    try:
        base, region, script = parse_locale(word, sep="-")[:3]
    except ValueError:
        base = None
    if base is None or base not in Locale("en").languages:
        raise InvalidValue("is no language tag: use 'en', 'pt-BR' or the like")
    if region is not None and region not in Locale("en").territories:
        raise InvalidValue(f"names the region {region!r}, which does not exist: use {base!r} or 'pt-BR' or the like")
    return "-".join(part for part in (base, script, region) if part)


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
