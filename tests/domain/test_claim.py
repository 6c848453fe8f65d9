"""What may be claimed on a day: allocation, disputes, reversals, lump sums, the end of a claim, its certainty."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from dunwell.domain.claim import ClaimCertainty
from dunwell.domain.claim_history import ContractTerms, InterestTerms
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.lump_sum_claim import SumApart
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import DebtorKind, Head
from dunwell.intake.jurisdiction_files import read_jurisdictions
from tests.domain.claims import (
    SERIES,
    STATUTORY,
    WITH_LUMP_SUM,
    a_law,
    above,
    an_invoice,
    at,
    claimed,
    day,
    heads,
    paid,
)

LAWS = read_jurisdictions()
_SIMPLE = a_law(at("10"), lump_sum=[{"amount": "40"}])
FEE = {"on": day("03-01"), "amount": "5", "code": "reminder"}


# Allocation ------------------------------------------------------------------------------------------------


def _allocating_as(code: str) -> Jurisdiction:
    """The law of a country for allocation; interest of 10 per cent and a lump sum of 40 keep the sums simple."""
    rows = {"interest": _SIMPLE.interest, "lump_sum": _SIMPLE.lump_sum, "missing": ()}
    return LAWS[code].model_copy(update=rows)


@pytest.mark.parametrize(
    ("code", "named", "left"),
    [
        # 1,000 with 20 of interest, a lump sum of 40 and a fee of 5; 100 are paid; what is left of each head
        ("DE", None, ("965.00", "0.00", "0.00", "0.00")),  # costs, interest, principal
        ("DE", "principal", ("900.00", "20.00", "40.00", "5.00")),  # the payment was kept
        ("FR", None, ("920.00", "0.00", "40.00", "5.00")),  # interest first
        ("ES", "principal", ("920.00", "0.00", "40.00", "5.00")),  # needs the seller's consent, which nobody records
        ("IT", None, ("965.00", "0.00", "0.00", "0.00")),  # no principal before interest and costs
        ("IT", "principal", ("965.00", "0.00", "0.00", "0.00")),
        ("CH", None, ("965.00", "0.00", "0.00", "0.00")),
        ("RU", None, ("905.00", "20.00", "40.00", "0.00")),  # default interest after the principal
        ("GB", None, ("920.00", "0.00", "40.00", "5.00")),
        ("GB", "costs", ("925.00", "0.00", "40.00", "0.00")),  # then the order of the law
        ("GB", "lump_sum", ("960.00", "0.00", "0.00", "5.00")),  # the customer's word binds
        ("AR", None, ("920.00", "0.00", "40.00", "5.00")),
        ("AR", "principal", ("900.00", "20.00", "40.00", "5.00")),
    ],
)  # fmt: skip
def test_what_a_payment_meets(code: str, named: str | None, left: tuple[str, ...]) -> None:
    history = an_invoice("1000", "2026-01-31", payments=[paid("04-14", "100", named)], costs=[FEE])
    before = claimed(an_invoice("1000", "2026-01-31", costs=[FEE]), _allocating_as(code), "04-14", WITH_LUMP_SUM)
    assert heads(before) == ("1000.00", "20.00", "40.00", "5.00")
    assert heads(claimed(history, _allocating_as(code), "04-14", WITH_LUMP_SUM)) == left


def test_the_payments_day_bears_interest_and_the_next_one_on_the_rest() -> None:
    history = an_invoice("1000", "2026-01-31", payments=[paid("04-14", "120")])
    claim = claimed(history, a_law(at("10")), "06-26")
    assert [(str(one.first), str(one.last), one.days, str(one.balance)) for one in claim.periods] == [
        ("2026-02-01", "2026-04-14", 73, "1000.00"),
        ("2026-04-15", "2026-06-26", 73, "900.00"),
    ]
    assert heads(claim) == ("900.00", "18.00", "0.00", "0.00")


def test_a_law_may_leave_out_the_payments_day() -> None:
    law = a_law(at("10", through_payment_day=False))
    history = an_invoice("1000", "2026-01-31", payments=[paid("04-15", "120")])
    assert heads(claimed(history, law, "04-15")) == ("900.00", "0.00", "0.00", "0.00")
    assert claimed(an_invoice("1000", "2026-01-31"), law, "04-15").periods[0].days == 73


# The end ---------------------------------------------------------------------------------------------------


def test_a_payment_of_exactly_the_principal_leaves_the_accessory_claim() -> None:
    """The law lets it meet interest first; the case ends all the same, and nothing more accrues."""
    history = an_invoice("1000", "2026-01-31", payments=[paid("04-14", "1000")], costs=[FEE])
    for as_of in ("04-14", "2027-04-14"):
        claim = claimed(history, _allocating_as("DE"), as_of, WITH_LUMP_SUM)
        assert claim.settled
        assert heads(claim) == ("0.00", "20.00", "40.00", "5.00")
        assert claim.accessory == claim.total == 65


def test_what_is_paid_beyond_the_principal_meets_the_rest_in_the_laws_order() -> None:
    history = an_invoice("1000", "2026-01-31", payments=[paid("04-14", "1030")], costs=[FEE])
    assert heads(claimed(history, _allocating_as("DE"), "05-01", WITH_LUMP_SUM)) == ("0.00", "20.00", "15.00", "0.00")
    assert heads(claimed(history, _allocating_as("FR"), "05-01", WITH_LUMP_SUM)) == ("0.00", "0.00", "30.00", "5.00")
    all_of_it = an_invoice("1000", "2026-01-31", payments=[paid("04-14", "1070")], costs=[FEE])
    claim = claimed(all_of_it, _allocating_as("DE"), "05-01", WITH_LUMP_SUM)
    assert (str(claim.total), str(claim.overpaid)) == ("0.00", "5.00")


def test_two_parts_that_cover_the_principal_end_it_too() -> None:
    """The first part met interest, so that some principal is open by law: what is open is shown as accessory."""
    history = an_invoice("1000", "2026-01-31", payments=[paid("04-14", "520"), paid("04-15", "480")])
    claim = claimed(history, a_law(at("10")), "06-01")
    assert heads(claim) == ("0.00", "20.14", "0.00", "0.00")


def test_a_returned_payment_opens_the_claim_again_from_the_next_day() -> None:
    back = {"payment_id": "04-14", "on": day("04-30"), "amount": "1000"}
    history = an_invoice("1000", "2026-01-31", payments=[paid("04-14", "1000")], reversals=[back])
    claim = claimed(history, a_law(at("10")), "05-10")
    assert not claim.settled
    assert [(str(one.first), str(one.last)) for one in claim.periods] == [
        ("2026-02-01", "2026-04-14"),
        ("2026-05-01", "2026-05-10"),
    ]
    assert heads(claim) == ("1000.00", "22.74", "0.00", "0.00")


def test_a_part_that_goes_back_opens_what_the_payment_met_last() -> None:
    back = {"payment_id": "04-14", "on": day("04-14"), "amount": "90"}
    history = an_invoice("1000", "2026-01-31", payments=[paid("04-14", "100")], reversals=[back])
    assert heads(claimed(history, a_law(at("10")), "04-14")) == ("1000.00", "10.00", "0.00", "0.00")


# Amendments and disputes -----------------------------------------------------------------------------------


def test_an_amendment_holds_from_its_day() -> None:
    amounts = [{"on": day("2026-01-01"), "amount": "1000"}, {"on": day("04-15"), "amount": "500"}]
    history = an_invoice("1000", "2026-01-31", amounts=amounts)
    claim = claimed(history, a_law(at("10")), "06-26")
    assert [(one.days, str(one.balance)) for one in claim.periods] == [(73, "1000.00"), (73, "500.00")]
    assert heads(claim) == ("500.00", "30.00", "0.00", "0.00")


def test_an_amendment_frees_money_of_the_latest_payment_first() -> None:
    """Of the second payment 100 are free then and meet the interest; when it goes back, that is open again."""
    amounts = [{"on": day("2026-01-01"), "amount": "1000"}, {"on": day("04-15"), "amount": "800"}]
    payments = [paid("04-14", "600"), {**paid("04-14", "300"), "payment_id": "second"}]
    back = {"payment_id": "second", "on": day("04-15"), "amount": "300"}
    history = an_invoice("1000", "2026-01-31", amounts=amounts, payments=payments, reversals=[back])
    law = a_law(at("10"), allocation={"order": ["principal", "interest", "lump_sum", "costs"]})
    assert heads(claimed(history, law, "04-15")) == ("200.00", "20.00", "0.00", "0.00")


def _disputed(amount: str | None = None, until: str | None = None, *, rejected: bool = False) -> list[dict[str, Any]]:
    return [
        {"since": day("02-01"), "until": day(until) if until else None, "amount": amount, "rejected": rejected},
    ]


def test_what_is_disputed_stands_apart_and_bears_no_interest() -> None:
    history = an_invoice("1000", "2026-01-31", disputes=_disputed("500"))
    claim = claimed(history, a_law(at("10")), "04-14")
    assert heads(claim) == ("500.00", "10.00", "0.00", "0.00")
    assert (str(claim.disputed), str(claim.total)) == ("500.00", "510.00")


def test_payments_meet_the_part_that_is_not_disputed_first() -> None:
    history = an_invoice("1000", "2026-01-31", disputes=_disputed("500"), payments=[paid("01-15", "500")])
    claim = claimed(history, a_law(at("10")), "04-14")
    assert heads(claim) == ("0.00", "0.00", "0.00", "0.00")
    assert claim.disputed == 500


def test_a_rejected_dispute_was_none() -> None:
    rejected = an_invoice("1000", "2026-01-31", disputes=_disputed(until="04-01", rejected=True))
    assert claimed(rejected, a_law(at("10")), "03-31").interest == 0
    assert claimed(rejected, a_law(at("10")), "04-14").interest == 20


def test_days_of_a_dispute_that_ended_otherwise_bear_no_interest() -> None:
    amounts = [{"on": day("2026-01-01"), "amount": "1000"}, {"on": day("02-03"), "amount": "900"}]
    upheld = an_invoice("1000", "2026-01-31", amounts=amounts, disputes=_disputed(until="02-03"))
    claim = claimed(upheld, a_law(at("10")), "04-16")
    assert [(str(one.first), one.days, str(one.balance)) for one in claim.periods] == [("2026-02-03", 73, "900.00")]


# When default begins ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("starts", "noticed", "first"),
    [
        (["due"], None, "2026-02-01"),
        (["notice"], None, None),
        (["notice"], "02-10", "2026-02-11"),
        (["notice", "due + 30 days"], None, "2026-03-03"),
        (["notice", "due + 30 days"], "02-10", "2026-02-11"),
        (["notice + 14 days"], "02-10", "2026-02-25"),
        (["issue + 29 days"], None, "2026-02-01"),  # never before the due date
    ],
)
def test_the_first_day_of_default(starts: list[str], noticed: str | None, first: str | None) -> None:
    history = an_invoice("1000", "2026-01-31", noticed_on=day(noticed) if noticed else None)
    claim = claimed(history, a_law(at("10", starts=starts)), "06-01")
    assert (str(claim.first_day) if claim.first_day else None) == first
    assert [str(one.first) for one in claim.periods] == ([first] if first else [])


# Compounding and limits ------------------------------------------------------------------------------------


def test_interest_of_a_full_year_bears_interest() -> None:
    law = a_law(at("10", compounding="yearly"))
    claim = claimed(an_invoice("1000", "2023-02-28"), law, "2025-02-28")
    assert [(str(one.first), str(one.balance)) for one in claim.periods] == [
        ("2023-03-01", "1000.00"),
        ("2024-03-01", "1100.27"),  # 366 days over 365
    ]
    assert heads(claim) == ("1000.00", "210.30", "0.00", "0.00")


def test_a_start_on_29_february_capitalises_on_1_march() -> None:
    claim = claimed(an_invoice("1000", "2024-02-28"), a_law(at("10", compounding="yearly")), "2025-03-01")
    assert [str(one.first) for one in claim.periods] == ["2024-02-29", "2025-03-01"]


def test_interest_grows_no_further_than_the_law_lets_it() -> None:
    law = a_law(at("50", open_interest_at_most="1"))
    assert claimed(an_invoice("1000", "2020-01-31"), law, "2026-01-31").interest == 1000


# Lump sums -------------------------------------------------------------------------------------------------

POUNDS = {"bands": [{"below": "1000", "amount": "40"}, {"amount": "70"}], "currency": "GBP"}


def test_bands_look_at_what_is_open_on_the_first_day() -> None:
    law = a_law(at("10"), lump_sum=[POUNDS], currency="GBP")
    early = an_invoice("1000", "2026-01-31", "GBP", payments=[paid("01-31", "1")])
    late = an_invoice("1000", "2026-01-31", "GBP", payments=[paid("02-01", "1")])
    disputed = an_invoice("1000", "2026-01-31", "GBP", disputes=_disputed("1"))
    assert [claimed(one, law, "03-01", WITH_LUMP_SUM).lump_sum for one in (early, late, disputed)] == [40, 70, 40]


def test_nothing_is_due_of_what_was_paid_in_time() -> None:
    history = an_invoice("1000", "2026-01-31", payments=[paid("01-31", "1000")])
    assert claimed(history, _SIMPLE, "06-01", WITH_LUMP_SUM).total == 0


def test_a_lump_sum_in_another_currency_is_shown_in_its_own() -> None:
    law = a_law(at("10"), lump_sum=[{"amount": "40", "currency": "EUR"}], currency="PLN")
    history = an_invoice("5000", "2026-01-31", "PLN")
    claim = claimed(history, law, "02-01", WITH_LUMP_SUM)
    assert claim.lump_sum == 0 and claim.total == claim.principal + claim.interest
    assert claim.lump_sum_apart == SumApart(currency="EUR", amount=Decimal(40))
    converted = claimed(history, law, "02-01", WITH_LUMP_SUM.model_copy(update={"exchange_rate": Decimal("4.2567")}))
    assert (converted.lump_sum, converted.lump_sum_apart) == (Decimal("170.27"), None)


def test_bands_in_another_currency_choose_nothing() -> None:
    claim = claimed(an_invoice("5000", "2026-01-31"), a_law(at("10"), lump_sum=[POUNDS]), "02-01", WITH_LUMP_SUM)
    assert claim.lump_sum == 0
    assert claim.left_out == ("the lump sum is not claimed: its bands are in GBP and the invoice is in EUR",)


def test_a_scale_that_a_letter_may_ask_for_is_not_claimed_by_itself() -> None:
    flat, scale = {"amount": "40", "gap": "write a letter"}, {"bands": [{"percent": "15"}], "once_asked": True}
    claim = claimed(an_invoice("1000", "2026-01-31"), a_law(at("10"), lump_sum=[flat, scale]), "02-25", WITH_LUMP_SUM)
    assert (str(claim.lump_sum), claim.gaps) == ("40.00", ("write a letter",))


def test_a_lump_sum_may_wait_for_a_notice() -> None:
    law = a_law(at("10"), lump_sum=[{"amount": "40", "arises": "notice + 14 days"}])
    history = an_invoice("1000", "2026-01-31", noticed_on=day("02-10"))
    for as_of, sum_ in (("02-24", 0), ("02-25", 40)):
        assert claimed(history, law, as_of, WITH_LUMP_SUM).lump_sum == sum_


def test_a_customer_of_unknown_kind_owes_no_lump_sum_and_the_rate_for_consumers() -> None:
    business, consumer = at("10", customers=["business"]), at("5", customers=["consumer", "public"])
    law = a_law(business, consumer, lump_sum=[{"amount": "40"}])
    claim = claimed(an_invoice("1000", "2026-01-31"), law, "02-01", WITH_LUMP_SUM, customer=None)
    assert str(claim.periods[0].rate) == "5"
    assert claim.lump_sum == 0
    assert claim.left_out == ("the lump sum is not claimed: the kind of the customer is unknown",)


# Rates -----------------------------------------------------------------------------------------------------


def test_a_rule_holds_from_its_day() -> None:
    law = a_law(at("10"), at("8", valid_from=day("03-01")))
    claim = claimed(an_invoice("1000", "2026-01-31"), law, "04-01")
    assert [(one.days, str(one.rate)) for one in claim.periods] == [(28, "10"), (32, "8")]


@pytest.mark.parametrize(("fixed_at", "rate"), [("due_date", "12.15"), ("first_day", "10.15"), (None, "10.15")])
def test_a_rate_may_be_that_of_the_due_date(fixed_at: str | None, rate: str) -> None:
    """Due on the last day of a half-year, at a base that changed by 2 points."""
    series = {"drawn": SERIES["ecb-mro"].model_copy(update={"rates": SERIES["ecb-mro"].rates[:3]})}
    steps = SERIES["ecb-mro"].rates
    series["drawn"] = series["drawn"].model_copy(
        update={
            "rates": (
                steps[0].model_copy(update={"rate": Decimal("4.15")}),
                steps[1].model_copy(update={"valid_from": date(2025, 7, 1), "rate": Decimal("2.15")}),
            )
        }
    )
    law = a_law(above("drawn", "8", "on_first_day", fixed_at=fixed_at), series=series)
    claim = claimed(an_invoice("1000", "2025-06-30"), law, "2025-12-01")
    assert [str(one.rate) for one in claim.periods] == [rate]


def test_a_rate_below_zero_is_none() -> None:
    assert claimed(an_invoice("1000", "2020-01-31"), a_law(above("de-base", "0")), "2020-06-01").interest == 0


def test_a_contract_rate_stays_under_the_laws_limit() -> None:
    limit = {"series": "ecb-mro", "lookup": "on_first_day", "factor": "2", "margin": "11"}
    law = a_law(at("10", contract_at_most=limit))
    for agreed, rate in (("12", "12"), ("24", "15.30")):
        terms = ContractTerms(interest=InterestTerms.CONTRACT, contract_rate=Decimal(agreed))
        claim = claimed(an_invoice("1000", "2026-01-31"), law, "02-28", terms)
        assert str(claim.periods[0].rate) == rate


def test_after_the_last_known_day_the_last_rate_is_provisional() -> None:
    law = a_law(above("de-base", "9"))
    known = claimed(an_invoice("1000", "2026-11-30"), law, "2026-12-31")
    assert known.certainty is ClaimCertainty.CONFIRMED
    claim = claimed(an_invoice("1000", "2026-11-30"), law, "2027-01-01")
    assert claim.certainty is ClaimCertainty.PROVISIONAL
    assert claim.reasons == ("de-base: the rate after 2026-12-31 is not known yet",)
    assert [(one.days, one.provisional, str(one.rate)) for one in claim.periods] == [
        (31, False, "10.52"),
        (1, True, "10.52"),
    ]


def test_a_rate_read_before_the_half_year_is_known_until_its_end() -> None:
    law = a_law(above("ecb-mro", "8", "before_half"))
    assert SERIES["ecb-mro"].known_until < day("12-31")
    assert claimed(an_invoice("1000", "2026-11-30"), law, "2026-12-31").certainty is ClaimCertainty.CONFIRMED


def test_values_that_nobody_confirmed_are_named() -> None:
    law = a_law(
        {**above("de-base", "9"), "certainty_of": {"day_count": "memory"}},
        lump_sum=[{"amount": "40", "certainty": "single_source"}],
    )
    claim = claimed(an_invoice("1000", "2015-12-31"), law, "2016-02-01", WITH_LUMP_SUM)
    assert claim.certainty is ClaimCertainty.UNCONFIRMED
    assert [doubt.key for doubt in claim.doubts] == ["xx.interest.day_count", "de-base.2016-01-01", "xx.lump_sum"]
    assert claim.reasons[0] == "xx.interest.day_count: not looked up"
    confirmed = law.confirmed([doubt.key for doubt in claim.doubts])
    again = claimed(an_invoice("1000", "2015-12-31"), confirmed, "2016-02-01", WITH_LUMP_SUM)
    assert (again.certainty, again.total) == (ClaimCertainty.CONFIRMED, claim.total)


def test_what_is_not_used_is_not_doubted() -> None:
    law = a_law(at("10"), lump_sum=[{"amount": "40", "certainty": "memory"}], allocation={"certainty": "memory"})
    assert claimed(an_invoice("1000", "2026-01-31"), law, "06-01").certainty is ClaimCertainty.CONFIRMED
    history = an_invoice("1000", "2026-01-31", payments=[paid("02-10", "10")])
    assert [doubt.key for doubt in claimed(history, law, "06-01").doubts] == ["xx.allocation"]


# Refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("law", "due_on", "said"),
    [
        (None, "2026-01-31", "jurisdiction: is not known here"),
        (LAWS["BG"], "2025-12-30", "jurisdiction: Bulgaria: rates before 2026-01-01 are missing"),
        (LAWS["AR"], "2026-01-31", "jurisdiction: no claim by the law of Argentina: "),
        (a_law(above("de-base", "9")), "2015-06-01", "Utopia: rates of de-base before 2016-01-01 are missing"),
        (a_law(above("norges-bank", "8")), "2017-06-01", "Utopia: the rate of norges-bank on 2017-06-02 is missing"),
        (
            a_law(at("5", customers=["consumer"])),
            "2026-01-31",
            "no interest rule for a business that owes a business",
        ),
    ],
)
def test_what_the_law_does_not_say_is_refused(law: Jurisdiction | None, due_on: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        claimed(an_invoice("1000", due_on), law, "2026-11-01")
    assert said in str(refused.value)


def test_a_debt_in_default_from_the_first_known_day_is_claimed() -> None:
    assert claimed(an_invoice("1000", "2025-12-31"), LAWS["BG"], "2026-01-01").periods[0].first == date(2026, 1, 1)


def test_old_rates_do_not_matter_to_what_was_paid_in_time() -> None:
    history = an_invoice("1000", "2025-12-01", payments=[paid("2025-12-01", "1000")])
    assert claimed(history, LAWS["BG"], "2026-03-01", WITH_LUMP_SUM).total == 0


# Rounding --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "digits", "interest"),
    [("EUR", 2, "2.47"), ("JPY", 0, "2"), ("KWD", 3, "2.466"), ("EUR", 4, "2.4658")],
)
def test_interest_is_rounded_once_to_the_currencys_digits(currency: str, digits: int, interest: str) -> None:
    claim = claimed(an_invoice("1000", "2026-01-31", currency, digits), a_law(at("10")), "02-09")
    assert str(claim.interest) == interest


def test_a_half_is_rounded_up() -> None:
    assert str(claimed(an_invoice("73", "2026-01-31"), a_law(at("2.5")), "02-01").interest) == "0.01"
    assert str(claimed(an_invoice("72", "2026-01-31"), a_law(at("2.5")), "02-01").interest) == "0.00"


def test_periods_add_up_to_the_interest() -> None:
    payments = [paid(f"02-{number:02}", "3.33", "principal") for number in range(1, 28)]
    history = an_invoice("1000", "2026-01-31", payments=payments)
    claim = claimed(history, a_law(at("9.99")), "02-28")
    assert len(claim.periods) == 28
    assert sum(one.amount for one in claim.periods) == claim.interest


def test_a_claim_names_its_basis() -> None:
    claim = claimed(an_invoice("1000", "2026-01-31"), LAWS["DE"], "06-01", WITH_LUMP_SUM)
    assert claim.basis == {
        Head.INTEREST: ("§§ 286, 288 Abs. 2 BGB",),
        Head.LUMP_SUM: ("§ 288 Abs. 5 BGB",),
    }


def test_json_has_the_names_of_the_contract() -> None:
    written = claimed(an_invoice("1000", "2026-01-31"), LAWS["DE"], "06-01").model_dump(mode="json", by_alias=True)
    for key in ("currency", "principal", "disputed", "interest", "lump_sum", "costs", "total", "periods"):
        assert key in written
    assert {"from", "to", "days", "balance", "base", "margin", "rate", "amount"} <= written["periods"][0].keys()


# Countries -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "currency", "kind", "amount", "due_on", "as_of", "interest"),
    [
        ("DE", "EUR", "business", "10000", "2024-10-31", "2025-02-28", "388.34"),
        ("FR", "EUR", "business", "10000", "2026-05-01", "2026-07-01", "203.12"),
        ("ES", "EUR", "business", "10000", "2025-04-30", "2025-09-30", "442.18"),
        ("IT", "EUR", "business", "10000", "2025-04-30", "2025-09-30", "442.18"),
        ("BG", "EUR", "consumer", "10000", "2026-05-31", "2026-07-31", "174.14"),
        ("GB", "GBP", "business", "5000", "2025-12-15", "2026-03-31", "177.88"),
        ("GB", "GBP", "consumer", "5000", "2025-12-15", "2026-03-31", "0.00"),
        ("PL", "PLN", "business", "12400", "2026-01-31", "2026-03-16", "209.27"),
        ("CH", "CHF", "business", "1000", "2026-01-31", "2026-12-31", "0.00"),  # nobody reminded
    ],
)
def test_the_laws_of_the_files_give_the_published_results(
    code: str, currency: str, kind: str, amount: str, due_on: str, as_of: str, interest: str
) -> None:
    claim = claimed(an_invoice(amount, due_on, currency), LAWS[code], as_of, STATUTORY, DebtorKind(kind))
    assert str(claim.interest) == interest


def test_a_german_invoice_paid_in_three_parts_across_a_change_of_the_rate() -> None:
    payments = [paid("2026-06-10", "2000"), paid("2026-07-05", "3000", "principal"), paid("2026-07-20", "1000")]
    history = an_invoice("10000", "2026-05-31", payments=payments)
    claim = claimed(history, LAWS["DE"], "2026-07-31", WITH_LUMP_SUM)
    assert [(str(one.first), one.days, str(one.balance), str(one.rate)) for one in claim.periods] == [
        ("2026-06-01", 10, "10000.00", "10.27"),
        ("2026-06-11", 20, "8068.14", "10.27"),  # 40.00 and 28.14 of interest were met first
        ("2026-07-01", 5, "8068.14", "10.52"),
        ("2026-07-06", 15, "5068.14", "10.52"),  # for the principal alone, and kept
        ("2026-07-21", 11, "4147.08", "10.52"),
    ]
    assert heads(claim) == ("4147.08", "13.15", "0.00", "0.00")


def test_a_polish_claim_names_its_lump_sum_in_euros() -> None:
    claim = claimed(an_invoice("12400", "2026-01-31", "PLN"), LAWS["PL"], "2026-03-16", WITH_LUMP_SUM)
    assert claim.lump_sum_apart == SumApart(currency="EUR", amount=Decimal(70))
