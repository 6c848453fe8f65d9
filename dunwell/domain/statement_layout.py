"""How the CSV files of a bank are read: said once, kept, and used for every file of that bank."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dunwell.domain.model import Value

COLUMN_FIELDS: Mapping[str, str] = {
    "booked_on": "the booking day",
    "value_on": "the value day",
    "amount": "the amount; outgoing ones are negative",
    "money_in": "the amount of incoming movements, where they have a column of their own",
    "money_out": "the amount of outgoing movements, where they have a column of their own",
    "currency": "the currency, where the account has movements in several",
    "text": "what was written; several columns may hold it",
    "references": "a structured reference; several columns may hold it",
    "reference": "the bank's own reference of the movement",
    "end_to_end_id": "the payer's own id of the transfer",
    "payer_name": "who is on the other side",
    "payer_iban": "their account",
    "balance": "the balance after the movement, by which the file is checked",
}
"""What a column of a bank's CSV file may hold."""

SEVERAL = frozenset({"text", "references"})
"""Fields that several columns may hold."""


class StatementLayout(Value):
    """The layout of one bank's files.

    account    our account, which a CSV file seldom names
    currency   that of the account
    columns    the titles of the columns of each field
    decimals, days, separator, encoding  how they are written; None: as each file shows, which is refused in doubt
    """

    account: Annotated[str, Field(min_length=1, max_length=50)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    columns: dict[str, tuple[str, ...]]
    decimals: Literal["decimal-point", "decimal-comma"] | None = None
    days: Literal["day-first", "month-first"] | None = None
    separator: Literal[",", ";", "\t", "|"] | None = None
    encoding: str | None = None

    @model_validator(mode="after")
    def _enough(self) -> "StatementLayout":
        for name, titles in self.columns.items():
            if name not in COLUMN_FIELDS:
                raise ValueError(f"{name} is nothing that a column may hold: {', '.join(COLUMN_FIELDS)}")
            if len(titles) > 1 and name not in SEVERAL:
                raise ValueError(f"two columns are said to hold {COLUMN_FIELDS[name].partition(';')[0]}: keep one")
        if "booked_on" not in self.columns:
            raise ValueError("no column holds the booking day: say which one does")
        if "amount" not in self.columns and "money_in" not in self.columns:
            raise ValueError(
                "no column holds the amount: say which one does, or which two hold incoming and outgoing amounts"
            )
        if "amount" in self.columns and {"money_in", "money_out"} & set(self.columns):
            raise ValueError(
                "one column holds all amounts, and another one the incoming or outgoing ones: keep one of these ways"
            )
        return self
