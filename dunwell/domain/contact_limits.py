"""How often and when a law lets a seller contact a customer about a debt."""

from datetime import time
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from dunwell.domain.legal_fact import LegalFact
from dunwell.domain.model import Value


class ContactForm(StrEnum):
    """What a limit counts."""

    CALLS = "calls"  # attempts included
    TALKS = "talks"  # calls and visits in which the customer was reached
    MESSAGES = "messages"  # e-mail, SMS, WhatsApp
    LETTERS = "letters"
    VISITS = "visits"


class Weekday(StrEnum):
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


class ContactLimit(Value):
    """At most `at_most` contacts of these forms, together, in any `days` days that follow each other."""

    forms: Annotated[tuple[ContactForm, ...], Field(min_length=1)]
    at_most: Annotated[int, Field(ge=0, le=100)]
    days: Annotated[int, Field(ge=1, le=366)]


class ContactHours(Value):
    """The local hours in which contact is allowed on these days of the week; the closing time is excluded."""

    days: Annotated[tuple[Weekday, ...], Field(min_length=1)]
    opens: time
    closes: time

    @model_validator(mode="after")
    def _opens_first(self) -> "ContactHours":
        if self.opens >= self.closes:
            raise ValueError("opens must come before closes")
        return self


class ContactRule(LegalFact):
    """Limits for contacts with customers of these kinds.

    hours                 empty: the law names none; a day that stands in no row has no hours at all
    holidays              whether contact on public holidays is allowed
    rest_days_after_talk  days without a call after the customer was reached
    days_between          days from one contact of these forms to the next
    third_parties         whether others may be told of the debt, or asked about it
    fields_to_name        what each contact must name, such as "creditor", "name", "phone"
    collectors_only       whether it binds only those who collect for others; it is kept here as well
    notice_days           days that a written notice must give before debt collection begins
    breathing_space_days  how long nobody may be contacted who entered the breathing space of the law
    """

    limits: tuple[ContactLimit, ...] = ()
    hours: tuple[ContactHours, ...] = ()
    holidays: bool = True
    rest_days_after_talk: Annotated[int, Field(ge=0, le=60)] = 0
    days_between: Annotated[int, Field(ge=0, le=60)] = 0
    third_parties: bool = False
    fields_to_name: tuple[str, ...] = ()
    collectors_only: bool = False
    notice_days: Annotated[int, Field(ge=0, le=120)] | None = None
    breathing_space_days: Annotated[int, Field(ge=1, le=366)] | None = None

    @model_validator(mode="after")
    def _names_each_day_once(self) -> "ContactRule":
        days = [day for row in self.hours for day in row.days]
        for day in days:
            if days.count(day) > 1:
                raise ValueError(f"hours name {day} more than once: once is enough")
        return self
