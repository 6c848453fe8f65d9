"""What a country's law says about contacting its customers, beside the ladder's own rules. The stricter one holds.

The law is that of the customer's country. It counts what all people of a customer got, about whatever invoice.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Protocol

from sqlalchemy.orm import Session

from dunwell.domain.business_calendar import BusinessCalendar, LegalHours
from dunwell.domain.calls import DAY_CLOSES, DAY_OPENS
from dunwell.domain.channels import Channel
from dunwell.domain.contact_limits import ContactForm, ContactLimit, ContactRule, NamedFact, Weekday
from dunwell.domain.governing_law import SELLER, counts_as
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.terms import DebtorKind
from dunwell.services.our_company import Sender
from dunwell.store import outbox, tasks

Wait = tuple[datetime, str]
"""Until when a contact waits, and why."""

_IN_PERSON = frozenset({ContactForm.CALLS, ContactForm.VISITS})
"""Contacts that may become a talk."""


class Debtor(Protocol):
    """Whose contacts are limited: ISO 3166 country; `kind` None counts as a private person."""

    @property
    def customer_id(self) -> str: ...

    @property
    def country(self) -> str: ...

    @property
    def kind(self) -> DebtorKind | None: ...


def rule_for(laws: Mapping[str, Jurisdiction], debtor: Debtor, day: date) -> ContactRule | None:
    """The limits that hold on `day`; None where the law of the country names none."""
    law = laws.get(debtor.country)
    return law.contact_rule(counts_as(debtor.kind), SELLER, day) if law else None


def within_hours(calendar: BusinessCalendar, rule: ContactRule | None) -> BusinessCalendar:
    """The calendar inside the hours of the law. A window that lies wholly outside of them gives way to the law's."""
    if rule is None or not rule.hours:
        return calendar
    weekdays = list(Weekday)
    hours = {weekdays.index(day): (row.opens, row.closes) for row in rule.hours for day in row.days}
    legal = LegalHours(hours, name_of(rule))
    try:
        return calendar.inside(legal)
    except ValueError:
        return calendar.inside(legal, window=(DAY_OPENS, DAY_CLOSES))


def waits(
    session: Session, rule: ContactRule | None, debtor: Debtor, channels: Collection[Channel], at: datetime
) -> Iterator[Wait]:
    """Yield what makes a contact with this customer by one of `channels` wait at `at`."""
    if rule is None:
        return
    forms = {channel.facts.counts_as for channel in channels}
    for limit in rule.limits:
        if forms & _concerned(limit):
            yield from _used_up(session, rule, debtor, limit, at)
    between = timedelta(days=rule.days_between)
    if between and (made := _contacts(session, debtor, forms, at, between)):
        why = f"{debtor.customer_id} was contacted less than {rule.days_between} day(s) ago ({name_of(rule)})"
        yield made[-1] + between, why
    rest = timedelta(days=rule.rest_days_after_talk)
    if rest and forms & _IN_PERSON and (talks := tasks.talks_with(session, debtor.customer_id, at - rest, at + rest)):
        why = (
            f"{debtor.customer_id} was talked with less than {rule.rest_days_after_talk} day(s) ago ({name_of(rule)})"
        )
        yield talks[-1] + rest, why


def facts_to_name(rule: ContactRule | None, sender: Sender) -> dict[NamedFact, str | None]:
    """Return what each contact must name, as our settings have it; None for what they lack."""
    ours = {NamedFact.CREDITOR: sender.company, NamedFact.NAME: sender.name, NamedFact.PHONE: sender.phone}
    return {fact: ours[fact] or None for fact in (rule.fields_to_name if rule else ())}


def why_unnamed(rule: ContactRule | None, sender: Sender) -> str | None:
    """Why nothing may be sent, because our settings lack what each contact must name; None when they have it."""
    lacking = [fact for fact, value in facts_to_name(rule, sender).items() if value is None]
    if rule is None or not lacking:
        return None
    settings = ", ".join(_SETTING[fact] for fact in lacking)
    return f"{name_of(rule)} has each contact name: {', '.join(lacking)}; set {settings}"


_SETTING = {
    NamedFact.CREDITOR: "SENDER_COMPANY",
    NamedFact.NAME: "SENDER_NAME",
    NamedFact.PHONE: "SENDER_PHONE",
}


def naming(rule: ContactRule | None, sender: Sender, text: str) -> str:
    """Return a short text with what it must name and does not yet at its end."""
    missing = [value for value in facts_to_name(rule, sender).values() if value is not None and value not in text]
    return " ".join([text, ", ".join(missing)]) if missing else text


def _concerned(limit: ContactLimit) -> set[ContactForm]:
    """The forms that a limit makes wait: one on talks holds back whatever may become a talk."""
    forms = set(limit.forms)
    return forms | _IN_PERSON if ContactForm.TALKS in forms else forms


def _used_up(
    session: Session, rule: ContactRule, debtor: Debtor, limit: ContactLimit, at: datetime
) -> Iterator[Wait]:
    span = timedelta(days=limit.days)
    made = _contacts(session, debtor, set(limit.forms), at, span)
    if len(made) < limit.at_most:
        return
    free = made[-limit.at_most] + span if limit.at_most else at + span
    counted = " or ".join(limit.forms)
    why = f"{debtor.customer_id} had {len(made)} {counted} in {limit.days} day(s), the most by {name_of(rule)}"
    yield free, why


def _contacts(
    session: Session, debtor: Debtor, forms: Collection[ContactForm], at: datetime, span: timedelta
) -> list[datetime]:
    """When this customer was contacted in these forms less than `span` from `at`, oldest first.

    A case under rehearsal may be months behind another one of its customer, whose contacts are in its future.
    """
    since, until = at - span, at + span
    channels = [channel for channel in Channel if channel.facts.counts_as in forms]
    made = outbox.sent_to_customer(session, debtor.customer_id, channels, since, until)
    made += tasks.contacts_with(session, debtor.customer_id, channels, since, until)
    if ContactForm.TALKS in forms:
        made += tasks.talks_with(session, debtor.customer_id, since, until)
    return sorted(made)


def name_of(rule: ContactRule) -> str:
    """The short name of the law that limits contacts."""
    return rule.basis or rule.key
