"""Why a record of a file was not taken: one sentence a person can act on."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from dunwell.domain.spelling import nearest

_SHOWN = 60  # characters of a bad value that fit a terminal line
_KINDS: list[tuple[type | tuple[type, ...], str]] = [
    (type(None), "null"),
    (str, "text"),
    ((int, float, Decimal), "a number"),
    (list, "a list"),
    (dict, "an object"),
]


@dataclass(frozen=True)
class Refusal:
    """One problem of one record. A record with three problems gives three refusals with the same `where`.

    where   "line 7", in a JSON document "line 7, record 2"; lines count from 1
    field   "due_on", "customer.contacts[0].email", in CSV the column; "" when the whole record is meant
    reason  reads on after the value: "is not a date: use YYYY-MM-DD"
    value   the value refused, printable and shortened; None when there is none, or none fit to be shown
    also    the places of other records that are refused for the same reason
    """

    where: str
    field: str
    reason: str
    value: str | None = None
    also: tuple[str, ...] = ()

    def __str__(self) -> str:
        subject = f"{self.where}: {self.field}" if self.field else self.where
        value = "" if self.value is None else f"{self.value!r} "
        return f"{subject}: {value}{self.reason}"


class InvalidValue(ValueError):
    """What a check raises about the value it was given. The text is a refusal's reason."""


def printable(text: str, limit: int = _SHOWN) -> str:
    """`text` shortened, without characters that could move a terminal's cursor or fail to encode."""
    short = text if len(text) <= limit else text[:limit] + "…"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in short)


def shown(value: object) -> str | None:
    """A JSON value as a refusal shows it; None for null, lists and objects, whose text helps nobody."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return printable(value)
        case int() | float() | Decimal():
            # A whole number may have more digits than Python agrees to write out; Decimal has no such limit.
            return printable(str(value if isinstance(value, float) else Decimal(value)))
        case _:
            return None


def kind(value: object) -> str:
    """What a JSON value is, in words."""
    if isinstance(value, bool):  # first, because Python counts true as the number one
        return "true or false"
    return next((words for types, words in _KINDS if isinstance(value, types)), "no JSON value")


def did_you_mean(word: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """Advice for a word that is not among `known`: the nearest one, else `otherwise`, else all of them."""
    words = sorted(map(str, known))
    near = nearest(word, words)
    if near:
        return f"did you mean {near!r}?"
    return otherwise or f"use one of {', '.join(words)}"
