"""Where private customers find free help with debts, in a country."""

from datetime import date

from pydantic import Field

from dunwell.domain.legal_fact import Certainty
from dunwell.domain.model import Value


class DebtAdvice(Value):
    """A service that advises people with debts, free and independent of creditors.

    url, phone  of the service, as its own country writes them
    source      where that was read; checked_on: when
    """

    name: str = Field(min_length=1)
    url: str = Field(pattern=r"https://\S+")
    phone: str | None = None
    source: str = Field(min_length=1)
    checked_on: date
    certainty: Certainty
