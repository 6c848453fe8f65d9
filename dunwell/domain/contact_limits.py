"""How often and when a law lets a seller contact a customer about a debt."""

from collections.abc import Iterator
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


class NamedFact(StrEnum):
    """What a law has each contact name."""

    CREDITOR = "creditor"  # our company
    NAME = "name"  # who writes or calls
    PHONE = "phone"


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
    fields_to_name        what each contact must name
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
    fields_to_name: tuple[NamedFact, ...] = ()
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

    def sentences(self) -> Iterator[str]:
        """Yield what it says, for people."""
        for limit in self.limits:
            days = "a day" if limit.days == 1 else f"in {limit.days} days"
            yield f"{' and '.join(limit.forms).capitalize()}: at most {limit.at_most} {days}."
        for hours in self.hours:
            yield f"{', '.join(day.capitalize() for day in hours.days)}: {hours.opens:%H:%M} to {hours.closes:%H:%M}."
        if not self.holidays:
            yield "Not on public holidays."
        if self.days_between:
            yield f"At least {self.days_between} days between two contacts."
        if self.rest_days_after_talk:
            yield f"No call for {self.rest_days_after_talk} days after a talk."
        if self.notice_days is not None:
            yield f"A written notice gives {self.notice_days} days."
        if self.breathing_space_days is not None:
            rest = self.breathing_space_days
            yield f"A breathing space of the law lasts {rest} days, in which nobody is contacted."
        if self.fields_to_name:
            yield f"Each contact names: {', '.join(self.fields_to_name)}."
        if not self.third_parties:
            yield "Third parties are told nothing."
        if self.collectors_only:
            yield "It binds those who collect for others; it is kept here as well."
