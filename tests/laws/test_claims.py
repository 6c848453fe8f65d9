"""Claims over random laws and histories: they agree with a count day by day, and keep the laws of arithmetic."""

import os
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dunwell.domain.allocation import Designation
from dunwell.domain.claim import Claim, claim_of
from dunwell.domain.claim_history import ClaimHistory, ContractTerms, InterestTerms
from dunwell.domain.interest_rule import Compounding, DayCount, FixedAt, Lookup
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.rate_series import RateSeries
from dunwell.domain.terms import DebtorKind, Head
from tests.domain.claims import a_law
from tests.laws.claims_by_day import claim_by_days, rounded, shown

CLAIMS = int(os.environ.get("LAWS", "300")) // 2
"""`make laws` sets LAWS to 10,000, which makes 5,000 claims."""

_CONFIG = settings(max_examples=CLAIMS, deadline=None, suppress_health_check=list(HealthCheck))
_BEGIN = date(2023, 1, 1)
_STARTS = st.sampled_from([["due"], ["notice"], ["due", "notice"], ["due + 30 days"], ["issue + 30 days"]])


def _days(low: int, high: int) -> st.SearchStrategy[date]:
    """Days from `_BEGIN` on, many of them at the turn of a month or of a half-year, where rules make a difference."""
    days = [_BEGIN + timedelta(days=count) for count in range(low, high + 1)]
    turns = [day for day in days if day.day in (1, 31) or (day.month, day.day) == (2, 29)]
    halves = [day for day in days if (day.month, day.day) in ((1, 1), (6, 30), (7, 1), (12, 31))]
    return st.one_of(st.sampled_from(days), st.sampled_from(turns), st.sampled_from(halves))


_HAPPENS = _days(0, 900)


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


def _cents(low: int, high: int) -> st.SearchStrategy[Decimal]:
    return st.integers(low, high).map(lambda cents: Decimal(cents).scaleb(-2))


_RATES = st.integers(-100, 2500).map(lambda points: str(Decimal(points).scaleb(-2)))


@st.composite
def _series(draw: st.DrawFn) -> RateSeries:
    days = sorted(draw(st.sets(_days(10, 900), max_size=5)))
    return RateSeries.model_validate(
        {
            "name": "drawn",
            "title": "A drawn rate",
            "publisher": "Nobody",
            "source": "made for the test",
            "checked_on": date(2026, 11, 27),
            "certainty": "confirmed",
            "known_until": date(2030, 1, 1),
            "rates": [{"from": day, "rate": draw(_RATES)} for day in [date(2000, 1, 1), *days]],
        }
    )


@st.composite
def _rate(draw: st.DrawFn) -> dict[str, Any]:
    if draw(st.booleans()):
        return {"rate": str(abs(Decimal(draw(_RATES))))}
    return {
        "series": "drawn",
        "lookup": draw(st.sampled_from(Lookup)),
        "factor": draw(st.sampled_from(["1", "1", "0.8", "3"])),
        "margin": draw(st.sampled_from(["0", "5", "9.2"])),
    }


@st.composite
def laws(draw: st.DrawFn) -> Jurisdiction:
    """A law with one or two interest rules, of which the second changes the rate."""
    row = {
        "statutory": draw(_rate()),
        "contract_at_most": draw(_maybe(_rate())),
        "fixed_at": draw(_maybe(st.sampled_from(FixedAt))),
        "day_count": draw(st.sampled_from(DayCount)),
        "compounding": draw(st.sampled_from([*Compounding, *[Compounding.NONE] * 3])),
        "starts": draw(_STARTS),
        "through_payment_day": draw(st.sampled_from([True, True, False])),
        "open_interest_at_most": draw(st.sampled_from([None, None, "0.05", "1"])),
    }
    rows = [row]
    if draw(st.booleans()):
        rows.append({**row, "statutory": draw(_rate()), "valid_from": draw(_HAPPENS)})
    allocation = {
        "order": draw(st.permutations(list(Head))),
        "designation": draw(st.sampled_from(Designation)),
    }
    lump_sum = [{"amount": draw(st.sampled_from(["40", "0"]))}]
    return a_law(*rows, lump_sum=lump_sum, allocation=allocation, series={"drawn": draw(_series())})


@st.composite
def histories(draw: st.DrawFn) -> ClaimHistory:
    """An invoice of up to 3,000 with payments, money that went back, amendments, disputes and costs."""
    due_on = draw(_days(20, 300))
    amounts = [_BEGIN, *sorted(draw(st.sets(_HAPPENS, max_size=2)))]
    payments, reversals = [], []
    for number in range(draw(st.integers(0, 4))):
        paid = draw(_cents(1, 200_000))
        on = draw(_HAPPENS)
        named = draw(_maybe(st.sampled_from(Head)))
        payments.append({"payment_id": f"P{number}", "on": on, "amount": paid, "designation": named})
        left = paid
        for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
            back = min(draw(_cents(1, 200_000)), left)
            if back:
                later = on + timedelta(days=draw(st.integers(0, 200)))
                reversals.append({"payment_id": f"P{number}", "on": later, "amount": back})
                left -= back
    disputes = []
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        since = draw(_HAPPENS)
        lasts = draw(_maybe(st.integers(0, 200)))
        disputes.append(
            {
                "since": since,
                "until": None if lasts is None else since + timedelta(days=lasts),
                "amount": draw(_maybe(_cents(1, 200_000))),
                "rejected": draw(st.booleans()),
            }
        )
    noticed = draw(_maybe(st.integers(1, 200)))
    costs = draw(st.lists(st.fixed_dictionaries({"on": _HAPPENS, "amount": _cents(1, 5000)}), max_size=2))
    return ClaimHistory.model_validate(
        {
            "currency": "EUR",
            "digits": 2,
            "issued_on": _BEGIN,
            "due_on": due_on,
            "amounts": [{"on": on, "amount": draw(_cents(0, 300_000))} for on in amounts],
            "payments": sorted(payments, key=lambda one: one["on"]),
            "reversals": sorted(reversals, key=lambda one: one["on"]),
            "disputes": disputes,
            "noticed_on": None if noticed is None else due_on + timedelta(days=noticed),
            "costs": [{**cost, "code": "fee"} for cost in costs],
        }
    )


_TERMS = st.one_of(
    st.builds(ContractTerms, interest=st.just(InterestTerms.STATUTORY), lump_sum=st.booleans()),
    st.builds(
        ContractTerms,
        interest=st.just(InterestTerms.CONTRACT),
        contract_rate=_cents(0, 2500),
        lump_sum=st.booleans(),
    ),
)


_BESIDE = ("interest", "lump_sum", "costs")


def _heads(claim: Claim) -> dict[str, Decimal]:
    return {name: getattr(claim, name) for name in (*Head, "total", "disputed")}


def _claim(history: ClaimHistory, law: Jurisdiction, terms: ContractTerms, as_of: date) -> Claim:
    return claim_of(history, law, DebtorKind.BUSINESS, DebtorKind.BUSINESS, terms, as_of)


@given(histories(), laws(), _TERMS, _HAPPENS)
@_CONFIG
def test_a_claim_is_what_a_count_day_by_day_says(
    history: ClaimHistory, law: Jurisdiction, terms: ContractTerms, as_of: date
) -> None:
    claim, counted = _claim(history, law, terms, as_of), claim_by_days(history, law, terms, as_of)
    assert _heads(claim) == shown(counted, 2)
    beside = claim.beside.interest + claim.beside.lump_sum + claim.beside.costs
    assert beside == rounded(counted["beside"], 2)
    assert claim.overpaid == rounded(counted["overpaid"], 2)
    assert sum((period.amount for period in claim.periods), Decimal(0)) == rounded(counted["accrued"], 2)


@given(histories(), laws(), _TERMS, _HAPPENS, _HAPPENS)
@_CONFIG
def test_what_was_written_off_is_claimed_no_more_and_bears_nothing(
    history: ClaimHistory, law: Jurisdiction, terms: ContractTerms, as_of: date, off: date
) -> None:
    given_up = history.model_copy(update={"written_off_on": off})
    claim, counted = _claim(given_up, law, terms, as_of), claim_by_days(given_up, law, terms, as_of)
    assert claim.overpaid == rounded(counted["overpaid"], 2)
    assert sum((period.amount for period in claim.periods), Decimal(0)) == rounded(counted["accrued"], 2)
    if as_of < off:
        assert (_heads(claim), claim.given_up) == (shown(counted, 2), None)
        return
    assert not any(_heads(claim).values()) and claim.given_up is not None
    then = shown(claim_by_days(history, law, terms, off), 2)
    assert claim.given_up.principal == then["principal"] + then["disputed"]
    assert [getattr(claim.given_up, head) for head in _BESIDE] == [then[head] for head in _BESIDE]
    assert claim.given_up.total == then["total"] + then["disputed"]


@given(histories(), laws(), _TERMS, _HAPPENS)
@_CONFIG
def test_nothing_is_negative_and_the_heads_add_up(
    history: ClaimHistory, law: Jurisdiction, terms: ContractTerms, as_of: date
) -> None:
    claim = _claim(history, law, terms, as_of)
    heads = (claim.principal, claim.interest, claim.lump_sum, claim.costs)
    assert min(*heads, claim.disputed, claim.overpaid, *(period.amount for period in claim.periods)) >= 0
    assert claim.total == sum(heads)
    assert claim.accessory == claim.total - claim.principal
    days = [(period.first, period.last) for period in claim.periods]
    assert all(first <= last < later for (first, last), (later, _) in pairwise(days))


@given(histories(), laws(), _TERMS, _HAPPENS, st.integers(0, 400))
@_CONFIG
def test_a_claim_grows_with_time_while_nothing_is_paid_or_disputed(
    history: ClaimHistory, law: Jurisdiction, terms: ContractTerms, as_of: date, days: int
) -> None:
    quiet = history.model_copy(
        update={"payments": (), "reversals": (), "disputes": (), "amounts": history.amounts[:1]}
    )
    earlier, later = _claim(quiet, law, terms, as_of), _claim(quiet, law, terms, as_of + timedelta(days=days))
    assert earlier.principal == later.principal
    assert earlier.interest <= later.interest and earlier.total <= later.total


@given(histories(), laws(), _TERMS, _HAPPENS, _HAPPENS)
@_CONFIG
def test_a_period_that_is_cut_in_two_bears_the_same_interest(
    history: ClaimHistory, law: Jurisdiction, terms: ContractTerms, as_of: date, cut: date
) -> None:
    """An amendment to the amount that the invoice has anyway makes the computation stop on that day."""
    same = {"on": cut, "amount": history.amount_on(cut)}
    amounts = sorted([*(row.model_dump() for row in history.amounts), same], key=lambda row: row["on"])
    stopped = ClaimHistory.model_validate({**history.model_dump(), "amounts": amounts})
    assert _claim(stopped, law, terms, as_of) == _claim(history, law, terms, as_of)


@given(histories(), laws(), _TERMS, _HAPPENS)
@_CONFIG
def test_what_happens_later_does_not_count(
    history: ClaimHistory, law: Jurisdiction, terms: ContractTerms, as_of: date
) -> None:
    by_then: dict[str, Any] = {
        name: tuple(one for one in getattr(history, name) if one.on <= as_of)
        for name in ("payments", "reversals", "costs")
    }
    by_then["amounts"] = tuple(row for row in history.amounts if row.on <= as_of) or history.amounts[:1]
    by_then["disputes"] = tuple(one for one in history.disputes if one.since <= as_of)
    known = history.model_copy(update=by_then)
    assert _claim(known, law, terms, as_of) == _claim(history, law, terms, as_of)
