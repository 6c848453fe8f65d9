"""Column types that keep amounts exact and times aware on every database."""

from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import DateTime, Numeric, String
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


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
