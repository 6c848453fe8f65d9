"""Column types: amounts that stay exact, aware times, and words of a closed set, on every database."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import DateTime, Numeric, String
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

W = TypeVar("W", bound=StrEnum)


class Amount(TypeDecorator[Decimal]):
    """A Decimal, stored as NUMERIC, and on SQLite as text, because SQLite keeps numbers as floats."""

    impl = Numeric(24, 6)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[object]:
        kind: TypeEngine[object] = String(32) if dialect.name == "sqlite" else Numeric(24, 6)  # type: ignore[assignment]
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> object:
        if value is None:
            return None
        return str(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: object, dialect: Dialect) -> Decimal | None:
        return None if value is None else plain(Decimal(str(value)))


class ExactAmount(Amount):
    """The same, read as it stands there: faster, for whoever writes the amount anew anyway."""

    cache_ok = True

    def process_result_value(self, value: object, dialect: Dialect) -> Decimal | None:
        return value if value is None or isinstance(value, Decimal) else Decimal(str(value))


def plain(value: Decimal) -> Decimal:
    """Return the value without the zeros that the column's scale adds, but with at least two decimal places."""
    shortened = value.normalize()
    exponent = shortened.as_tuple().exponent
    if isinstance(exponent, int) and exponent > -2:
        return shortened.quantize(Decimal("0.01"))
    return shortened


class Moment(TypeDecorator[datetime]):
    """An aware time, stored in UTC. Raises ValueError for a naive one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class UnknownWord(ValueError):
    """A word that is none of those its column may hold."""


class Word(TypeDecorator[W]):
    """One word of the enum `words`, kept as text of at most `length` characters.

    Raises UnknownWord for any other, when it is written or looked for and when it is read: a row that another release
    wrote, or that somebody edited by hand, is never taken for something else.
    """

    impl = String
    cache_ok = True

    def __init__(self, words: type[W], length: int = 200) -> None:
        super().__init__(length)
        self.words = words

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else self.known(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> W | None:
        return None if value is None else self.known(value)

    def known(self, word: str) -> W:
        """The word of this text. Raises UnknownWord."""
        try:
            return self.words(word)
        except ValueError:
            raise _unknown(word, self.words.__name__, self.words) from None


class Name(TypeDecorator[str]):
    """The same for words that stand for something else, such as fields: one of `known`, and `what` they name."""

    impl = String
    cache_ok = True

    def __init__(self, what: str, known: tuple[str, ...], length: int = 200) -> None:
        super().__init__(length)
        self.what, self.known = what, known

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return self._checked(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return self._checked(value)

    def _checked(self, word: str | None) -> str | None:
        if word is not None and word not in self.known:
            raise _unknown(word, self.what, self.known)
        return word


def _unknown(word: str, what: str, known: Iterable[str]) -> UnknownWord:
    return UnknownWord(f"{word!r} is no {what} that this release knows: {', '.join(known)}")
