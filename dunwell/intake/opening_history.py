"""The checks of what happened to an invoice before it was imported: what was paid, which steps were done."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time
from decimal import Decimal

from dunwell.domain.invoice import EarlierPayment, EarlierReminder
from dunwell.intake import amount_checks, day_checks, text_checks
from dunwell.intake.csv_dialect import Dialect
from dunwell.intake.currencies import Currency
from dunwell.intake.numbers_and_dates import Decimals, amount_by
from dunwell.intake.refusals import InvalidValue, kind

_MOST = 100
_PAYMENT = frozenset({"payment_id", "amount", "received_at"})
_REMINDER = frozenset({"step", "on"})
_STEP = re.compile(r"[a-z][a-z0-9-]{0,39}")
_WRITTEN = "write one amount, or a list of {payment_id, amount, received_at}"
_STEPS = "write a list of {step, on}, or text such as first-reminder=2027-03-02"


def paid(value: object, unit: Currency | None, dialect: Dialect | None = None) -> tuple[EarlierPayment, ...]:
    """Return the earlier payments, given as one amount or as a list. The amount 0 means none."""
    if not isinstance(value, list):
        return () if _is_nothing(value) else (EarlierPayment(amount=amount_checks.amount(value, unit, dialect)),)
    payments = tuple(_payment(item, unit) for item in _limited(value))
    ids = [one.payment_id for one in payments if one.payment_id]
    if len(set(ids)) < len(ids):
        raise InvalidValue("names a payment_id twice: write each payment once")
    return payments


def reminded(value: object) -> tuple[EarlierReminder, ...]:
    """Return the steps that were done elsewhere, with their days, oldest first."""
    if isinstance(value, str):
        value = [_pair(part) for part in value.split(",")]
    if not isinstance(value, list):
        raise InvalidValue(f"is {kind(value)}: {_STEPS}")
    reminders = tuple(_reminder(item) for item in _limited(value))
    if len({one.step for one in reminders}) < len(reminders):
        raise InvalidValue("names a step twice: write the day on which it was last done")
    return tuple(sorted(reminders, key=lambda one: one.on))


def _limited(items: list[object]) -> list[object]:
    if len(items) > _MOST:
        raise InvalidValue(f"has {len(items)} items: at most {_MOST} fit")
    return items


def _is_nothing(value: object) -> bool:
    if isinstance(value, str):
        return any(amount_by(decimals, value.strip()) == 0 for decimals in Decimals)
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool) and value == 0


def _payment(item: object, unit: Currency | None) -> EarlierPayment:
    facts = _object(item, _PAYMENT, _WRITTEN)
    if facts.get("amount") is None:
        raise InvalidValue(f"has a payment without an amount: {_WRITTEN}")
    name, moment = facts.get("payment_id"), facts.get("received_at")
    return EarlierPayment(
        payment_id=None if name is None else text_checks.text(name, 100),
        amount=amount_checks.amount(facts["amount"], unit),
        received_at=None if moment is None else _moment(moment),
    )


def _reminder(item: object) -> EarlierReminder:
    facts = _object(item, _REMINDER, _STEPS)
    step, day = facts.get("step"), facts.get("on")
    if not isinstance(step, str) or not _STEP.fullmatch(step) or day is None:
        raise InvalidValue(f"has an item without a step and its day: {_STEPS}")
    return EarlierReminder(step=step, on=day_checks.day(day))


def _object(item: object, known: frozenset[str], form: str) -> Mapping[str, object]:
    if not isinstance(item, Mapping) or not known.issuperset(item):
        raise InvalidValue(f"has an item that is not understood: {form}")
    return item


def _pair(text: str) -> dict[str, str]:
    step, _, day = text.partition("=")
    return {"step": step.strip(), "on": day.strip()}


def _moment(value: object) -> datetime:
    """Return a time, which must have an offset; a day means its start in UTC."""
    word = text_checks.text(value, 40)
    if len(word) == len("2027-03-01"):
        return datetime.combine(day_checks.day(word), time(0), tzinfo=UTC)
    try:
        moment: datetime | None = datetime.fromisoformat(word)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidValue("holds a received_at that is no day and no time with an offset: write 2027-03-01")
    return moment
