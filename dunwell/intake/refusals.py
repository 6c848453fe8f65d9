"""The refusal of a record: one sentence with the reason and what to do."""

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from decimal import Decimal

from dunwell.domain.cleaning import printable

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
    field   "due_on", "customer.contacts[0].email", in CSV the column; "" for the whole record
    reason  continues the sentence after the value: "is not a date: use YYYY-MM-DD"
    value   the refused value, printable and shortened; None when there is none or it must not be shown
    also    the places of other records that are refused for the same reason
    about   what the record is about, as far as it says so: "invoice 1001 of Acme Ltd"
    """

    where: str
    field: str
    reason: str
    value: str | None = None
    also: tuple[str, ...] = ()
    about: str = dataclass_field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.where}{f' ({self.about})' if self.about else ''}: {self.told}"

    @property
    def told(self) -> str:
        """The refusal without its place."""
        subject = f"{self.field}: " if self.field else ""
        value = "" if self.value is None else f"{self.value!r} "
        return f"{subject}{value}{self.reason}"


class InvalidValue(ValueError):
    """A check did not accept a value. The text is the reason of the refusal."""


def shown(value: object) -> str | None:
    """Return a JSON value as a refusal shows it; None for null, lists and objects."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return printable(value)
        case int() | float() | Decimal():
            # Through Decimal, because Python refuses to print an int of many thousand digits.
            return printable(str(value if isinstance(value, float) else Decimal(value)))
        case _:
            return None


def kind(value: object) -> str:
    """Return the kind of a JSON value in words."""
    if isinstance(value, bool):  # first, because bool is a subclass of int
        return "true or false"
    return next((words for types, words in _KINDS if isinstance(value, types)), "no JSON value")
