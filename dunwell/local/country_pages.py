"""Writes a page of every country's law from its file: python -m dunwell.local.country_pages

docs/countries/<CODE>.md describes jurisdictions/<code>.toml, and docs/countries/README.md lists them.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from dunwell.domain.allocation import AllocationRule, DebtOrder, Designation
from dunwell.domain.claim_history import ContractTerms, InterestTerms
from dunwell.domain.claim_rates import ClaimRates
from dunwell.domain.contact_limits import ContactRule
from dunwell.domain.governing_law import SELLER
from dunwell.domain.interest_rule import (
    Compounding,
    DayCount,
    FixedAt,
    InterestRule,
    Lookup,
    Rate,
    Start,
    StartEvent,
)
from dunwell.domain.jurisdiction import Acknowledgement, FeeAllowed, FeeRule, Jurisdiction, LimitationRule
from dunwell.domain.legal_fact import Certainty, LegalFact
from dunwell.domain.lump_sums import Band, LumpSumRule, Per
from dunwell.domain.rate_series import BaseRounding, RateSeries
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import DebtorKind, Head
from dunwell.intake.jurisdiction_files import read_jurisdictions

PAGES = Path(__file__).parents[2] / "docs" / "countries"

NO_ADVICE = (
    "This is no legal advice. It is what this release was made with; check it with a lawyer before you rely on it, "
    "and see [jurisdictions.md](../jurisdictions.md) for how values are confirmed and newer rates imported."
)
_DAY = timedelta(days=1)
_SURE = {
    Certainty.CONFIRMED: "confirmed",
    Certainty.COMPUTED: "computed from a confirmed rule",
    Certainty.SINGLE_SOURCE: "**one source only**",
    Certainty.MEMORY: "**not looked up**",
}
_LOOKUP = {
    Lookup.DAILY: "of each day",
    Lookup.MONTHLY: "of the first day of each month",
    Lookup.YEARLY: "of 1 January",
    Lookup.ON_FIRST_DAY: "of 1 January and 1 July",
    Lookup.BEFORE_HALF: "of 31 December and 30 June",
}
_ROUNDING = {
    BaseRounding.NONE: "",
    BaseRounding.UP_TO_HALF: ", rounded up to the next half point,",
    BaseRounding.MOVES_OF_HALF: ", without moves of less than half a point,",
}
_START = {
    StartEvent.DUE: "the due date",
    StartEvent.NOTICE: "the first reminder that arrived",
    StartEvent.ISSUE: "the day of the invoice",
}
_FIXED = {
    FixedAt.DUE_DATE: "The rate of the due date is kept.",
    FixedAt.FIRST_DAY: "The rate of the first day of default is kept.",
    None: "A new rate counts for running claims from its day on.",
}
_DAY_COUNT = {
    DayCount.ACT_ACT: "over 365 days, in leap years 366",
    DayCount.ACT_365: "over 365 days",
    DayCount.ACT_360: "over 360 days",
    DayCount.THIRTY_360: "by months of 30 and years of 360 days",
    DayCount.MONTHS: "by months",
}
_COMPOUNDING = {
    Compounding.NONE: "Interest bears no interest.",
    Compounding.YEARLY: "Interest bears interest after each full year.",
    Compounding.MONTHLY: "Interest bears interest after each month.",
    Compounding.DAILY: "Interest bears interest after each day.",
}
_FEE = {
    FeeAllowed.NEVER: "No fee may be asked for.",
    FeeAllowed.IF_AGREED: "A fee may be asked for if it was agreed.",
    FeeAllowed.ALWAYS: "A fee may be asked for.",
}
_HEAD = {
    Head.COSTS: "costs",
    Head.LUMP_SUM: "lump sum",
    Head.INTEREST: "interest",
    Head.PRINCIPAL: "principal",
}
_WORD = {
    Designation.BINDS: "The customer's word decides otherwise.",
    Designation.CREDITOR_MAY_REFUSE: "The creditor may refuse a payment for which the customer names another order.",
    Designation.NEEDS_CONSENT: "Another order needs the creditor's consent.",
    Designation.IGNORED: "The customer's word changes nothing.",
}
_DEBTS = {
    DebtOrder.CUSTOMER_NAMES: "the one that the customer names",
    DebtOrder.CREDITOR_NAMES: "the one that the creditor names",
    DebtOrder.DUE: "one that is due",
    DebtOrder.LESS_SECURED: "the less secured",
    DebtOrder.MORE_ONEROUS: "the more onerous",
    DebtOrder.MOST_INTEREST: "the one that it is most in the debtor's interest to discharge",
    DebtOrder.OLDER: "the older",
    DebtOrder.PRO_RATA: "all, pro rata",
}
_ACKNOWLEDGED = {
    Acknowledgement.RESTARTS: "An acknowledgement or a part payment starts the time anew.",
    Acknowledgement.RESTARTS_IF_WRITTEN: "A written acknowledgement starts the time anew.",
    Acknowledgement.NOTHING: "An acknowledgement changes nothing.",
}


class _Period(NamedTuple):
    first: date
    last: date
    rate: Decimal | None  # None: not known


def pages(laws: Mapping[str, Jurisdiction]) -> dict[str, str]:
    """Return the text of each file of docs/countries, by file name."""
    made = {f"{code}.md": "\n".join(_page(law)) + "\n" for code, law in laws.items()}
    return made | {"README.md": "\n".join(_list(laws)) + "\n"}


def _list(laws: Mapping[str, Jurisdiction]) -> Iterator[str]:
    yield "# Countries\n"
    yield f"Made by `make docs` from the files of `jurisdictions/`. {NO_ADVICE}\n"
    yield "| country | law | what is missing |"
    yield "|---|---|---|"
    for code, law in sorted(laws.items(), key=lambda item: item[1].name):
        state = "complete" if law.complete else "**no claim is made**"
        yield f"| [{law.name}]({code}.md) ({code}) | {state} | {'; '.join(law.missing)} |"


def _page(law: Jurisdiction) -> Iterator[str]:
    file = f"jurisdictions/{law.code.lower()}.toml"
    yield f"# {law.name} ({law.code})\n"
    yield f"Made by `make docs` from [{file}](../../{file}). {NO_ADVICE}\n"
    if law.missing:
        yield "**No claim is made by this law**, because this is missing:\n"
        yield from (f"- {sentence}" for sentence in law.missing)
        yield ""
    if law.note:
        yield f"{law.note}\n"
    yield from _section("Interest for late payment", law.interest, lambda row: _interest(row, law.series))
    yield from _rates(law)
    yield from _section("Lump sum for recovery", law.lump_sum, _lump_sum)
    yield from _section("Fees for reminders", law.fee, _fee, "Nothing is recorded, so that no fee may be asked for.")
    yield from _section("What a payment meets first", law.allocation, _allocation)
    yield from _section("Limitation", law.limitation, _limitation)
    yield from _section("Contact", law.contact, _contact, "No limits are recorded beside those of the policy.")
    yield from _series(law)


def _section(
    title: str, rows: Sequence[LegalFact], told: object, otherwise: str = "Nothing is recorded."
) -> Iterator[str]:
    yield f"## {title}\n"
    if not rows:
        yield f"{otherwise}\n"
        return
    for row in rows:
        yield f"- **{_kinds(row)}**, since {row.valid_from}: {' '.join(told(row))}"  # type: ignore[operator]
        if row.note:
            yield f"  {row.note}"
        if row.gap:
            yield f"  **Not computed:** {row.gap}"
        yield f"  *{_cited(row)}*"
    yield ""


def _cited(row: LegalFact) -> str:
    law = f"{row.basis}; " if row.basis else ""
    fields = [f"{name}: {_SURE[sure]}" for name, sure in row.certainty_of.items() if sure is not row.certainty]
    apart = f" ({', '.join(fields)})" if fields else ""
    if row.certainty is Certainty.MEMORY:
        return f"{law}{_SURE[row.certainty]}, to be checked in {row.source}{apart}"
    return f"{law}read in {row.source}, {row.checked_on}, {_SURE[row.certainty]}{apart}"


def _kinds(row: LegalFact) -> str:
    return ", ".join(row.customers) if len(row.customers) < len(DebtorKind) else "all customers"


# Interest --------------------------------------------------------------------------------------------------


def _interest(row: LegalFact, series: Mapping[str, RateSeries]) -> Iterator[str]:
    assert isinstance(row, InterestRule)
    if row.statutory is None:
        yield "Nothing without a contract."
    else:
        rate, days = _rate(row.statutory, series), _DAY_COUNT[row.day_count]
        yield f"{rate}, from the day after {_starts(row.starts)}, {days}."
        if row.statutory.series is not None:
            yield _FIXED[row.fixed_at]
        yield _COMPOUNDING[row.compounding]
        if not row.through_payment_day:
            yield "The day of payment bears none."
    if row.contract_at_most is not None:
        yield f"A contract may give at most {_rate(row.contract_at_most, series)}."
    if row.open_interest_at_most is not None:
        yield f"Open interest never exceeds {row.open_interest_at_most} times the open principal."


def _rate(rate: Rate, series: Mapping[str, RateSeries]) -> str:
    if rate.rate is not None:
        return f"{rate.rate} % a year"
    base = f"{series[rate.series or ''].title} {_LOOKUP[rate.lookup]}{_ROUNDING[rate.rounding]}"
    plus = f" plus {rate.offset} points" if rate.offset else ""
    times = f"{rate.factor} times " if rate.factor != 1 else ""
    margin = f" plus {rate.margin} points" if rate.margin else ""
    base = f"({base}{plus})" if times and plus else f"{base}{plus}"
    return f"{times}{base}{margin}"


def _starts(starts: Sequence[Start]) -> str:
    words = (_START[one.event] + (f" and {one.days} days" if one.days else "") for one in starts)
    return " or ".join(words)


def _rates(law: Jurisdiction) -> Iterator[str]:
    for customers in dict.fromkeys(row.customers for row in law.interest):
        rows = [row for row in law.interest if row.customers == customers]
        if all(row.statutory is None or row.statutory.series is None for row in rows):
            continue
        yield f"### Rates for {_kinds(rows[0])}\n"
        yield "| from | to | % a year |"
        yield "|---|---|--:|"
        for first, last, rate in reversed(_periods(law, rows)):
            yield f"| {first} | {last} | {'not known' if rate is None else rate} |"
        yield "\nLater rates are provisional: the last known one stands for them.\n"


def _periods(law: Jurisdiction, rows: Sequence[InterestRule]) -> list[_Period]:
    """Return the rates of a default that begins on each day, days with one rate put together, oldest first."""
    parties = rows[0].customers[0], SELLER
    first, last = rows[0].valid_from, _last_day(law, rows[-1])
    changes = _applied(law, parties, first).days_of_change(first, last)
    found: list[_Period] = []
    for day, following in zip([first, *changes], [*changes, last + _DAY], strict=True):
        rate = _on(law, parties, day)
        if found and found[-1].rate == rate:
            found[-1] = found[-1]._replace(last=following - _DAY)
        else:
            found.append(_Period(day, following - _DAY, rate))
    return found[1:] if found[0].rate is None else found


def _applied(law: Jurisdiction, parties: tuple[DebtorKind, DebtorKind], day: date) -> ClaimRates:
    return ClaimRates(law, parties, ContractTerms(interest=InterestTerms.STATUTORY), day, day)


def _on(law: Jurisdiction, parties: tuple[DebtorKind, DebtorKind], day: date) -> Decimal | None:
    try:
        applied = _applied(law, parties, day).on(day)
    except Refused:
        return None
    return None if applied is None else applied.rate


def _last_day(law: Jurisdiction, row: InterestRule) -> date:
    if row.statutory is None or row.statutory.series is None:
        return row.valid_from
    return row.statutory.lookup.last_day(law.series[row.statutory.series].known_until)


def _series(law: Jurisdiction) -> Iterator[str]:
    if not law.series:
        return
    yield "## Base rates\n"
    for name, series in law.series.items():
        unsure = [
            f"{step.valid_from} {_SURE[step.certainty]}"
            for step in series.rates
            if step.certainty not in (None, series.certainty)
        ]
        file = f"[{name}](../../jurisdictions/rates/{name}.toml)"
        yield f"- **{series.title}** ({file}), by {series.publisher}: known until {series.known_until}."
        if series.note:
            yield f"  {series.note}"
        apart = f" ({', '.join(unsure)})" if unsure else ""
        yield f"  *Read in {series.source}, {series.checked_on}, {_SURE[series.certainty]}{apart}*"


# The other tables ------------------------------------------------------------------------------------------


def _lump_sum(row: LegalFact) -> Iterator[str]:
    assert isinstance(row, LumpSumRule)
    if row.amount is not None and not row.amount:
        yield "None."
        return
    if row.amount is not None:
        yield f"{row.amount} {row.currency}"
    else:
        limits = [f"at least {row.minimum} {row.currency}"] if row.minimum is not None else []
        limits += [f"at most {row.maximum} {row.currency}"] if row.maximum is not None else []
        yield "; ".join([*(_band(band, row) for band in row.bands), *limits]) + ","
    yield "for each instalment." if row.per is Per.INSTALMENT else "for each invoice."
    if row.once_asked:
        yield "Only once a letter has asked for it, in place of the sum without a letter."
    if row.arises is not None:
        yield f"It arises after {_starts([row.arises])}."
    if row.set_off:
        yield "It is set off against legal costs."


def _band(band: Band, row: LumpSumRule) -> str:
    limit = f"up to {band.up_to}" if band.up_to is not None else f"below {band.below}" if band.below else "above"
    where = f"{limit} {row.debt_currency or row.currency}" if limit != "above" else limit
    parts = [f"{band.amount} {row.currency}"] if band.amount else []
    parts += [f"{band.percent} % of the part of this band"] if band.percent else []
    return f"{where}: {' and '.join(parts)}"


def _fee(row: LegalFact) -> Iterator[str]:
    assert isinstance(row, FeeRule)
    yield _FEE[row.allowed]
    if row.first_free:
        yield "The first reminder is free."
    if row.only_cost:
        yield "No more than what the reminder itself cost."
    if row.at_most is not None:
        yield f"At most {row.at_most} {row.currency} each."
    if row.times is not None:
        yield f"At most {row.times} times."
    if row.days_apart is not None:
        yield f"At least {row.days_apart} days apart."


def _allocation(row: LegalFact) -> Iterator[str]:
    assert isinstance(row, AllocationRule)
    yield f"{', '.join(_HEAD[head] for head in row.order)}. {_WORD[row.designation]}"
    yield f"Of several debts: {', else '.join(_DEBTS[one] for one in row.several_debts)}."


def _limitation(row: LegalFact) -> Iterator[str]:
    assert isinstance(row, LimitationRule)
    months = f" and {row.months} months" if row.months else ""
    end = ", to the end of the year" if row.to_year_end else ""
    yield f"{row.years} years{months} after the due date{end}. {_ACKNOWLEDGED[row.acknowledgement]}"


def _contact(row: LegalFact) -> Iterator[str]:
    assert isinstance(row, ContactRule)
    return row.sentences()


def main() -> None:
    PAGES.mkdir(exist_ok=True)
    for name, text in pages(read_jurisdictions()).items():
        (PAGES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
