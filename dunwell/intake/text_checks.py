"""The checks of texts, ids and names of an invoice record.

Each check takes a JSON value and returns the value to store, or raises InvalidValue with the reason and what to do.
"""

import re
import unicodedata

from dunwell.domain.autolinks import domain_in, link_in
from dunwell.domain.claim_terms import NONE, STATUTORY
from dunwell.domain.cleaning import clean, printable, reordering
from dunwell.domain.spelling import did_you_mean
from dunwell.domain.terms import DebtorKind, Role
from dunwell.intake.refusals import InvalidValue, kind

_IDENTIFIER = re.compile(r"(?=[A-Za-z0-9])[A-Za-z0-9._-]{1,120}")
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_ID = 120
_POLICY = re.compile(r"[a-z0-9-]{1,60}")
_BROKEN = {"Cc", "Cs", "Zl", "Zp"}  # controls, surrogates, line and paragraph separators


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


def is_identifier(word: str) -> bool:
    """Return whether a word can be an id. It must not look like an option or a folder ("-x", "..") to a program."""
    return _IDENTIFIER.fullmatch(word) is not None


def id_from(number: str) -> str | None:
    """Return an id made from an invoice number: 2026-5001 for 2026/5001. None where it has no plain character."""
    plain = unicodedata.normalize("NFKD", number).encode("ascii", "ignore").decode()
    word = _NOT_IN_IDS.sub("-", plain).lstrip("-._").rstrip("-")[:_LONGEST_ID]
    return word if is_identifier(word) else None


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


def lump_sum(value: object) -> str:
    """Return whether the lump sum of the law is claimed: "statutory" or "none"."""
    word = text(value)
    if word not in {STATUTORY, NONE}:
        raise InvalidValue(f"is no lump sum: write '{STATUTORY}' to claim that of the law, or '{NONE}'")
    return word
