"""The laws in force: files, imported rates and confirmations, the same on every machine that shares the database."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from dunwell.bootstrap import make_dependencies
from dunwell.domain.claim import ClaimCertainty, claim_of
from dunwell.domain.claim_history import AmountFrom, ClaimHistory, ContractTerms, InterestTerms
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.policy import PolicyRef
from dunwell.domain.rate_import import RateImport
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import DebtorKind
from dunwell.intake import jurisdiction_files
from dunwell.services import laws
from dunwell.settings import Settings, SettingsError
from dunwell.store import cases, invoices, rates
from dunwell.store.database import Database
from dunwell.views.rates import stale_rates
from tests.builders import an_invoice, another_customer, keep_customer
from tests.domain.test_case import a_case

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
BUSINESS, CONSUMER = DebtorKind.BUSINESS, DebtorKind.CONSUMER


def an_import(series: str = "ecb-mro", last: date = date(2027, 1, 1), by: str = "ops") -> RateImport:
    steps = {date(2026, 9, 16): Decimal("2.65"), date(2026, 11, 4): Decimal("2.90")}
    return RateImport(series=series, last=last, rates=steps, source="ecb.csv", by=by, at=NOW)


def law_of(database: Database, code: str) -> Jurisdiction:
    with database.reading() as session:
        return laws.law_in_force(session, code)


def test_an_import_counts_on_every_machine(database: Database) -> None:
    before = law_of(database, "FR").series["ecb-mro"]
    assert before.on(date(2027, 1, 1)).provisional
    with database.writing() as session:
        rates.add_import(session, an_import())
    other_machine = Database(database.url)
    found = law_of(other_machine, "FR").series["ecb-mro"].on(date(2027, 1, 1))
    assert (found.rate, found.provisional, found.doubt) == (Decimal("2.90"), False, None)
    assert law_of(other_machine, "DE").series["de-base"] == law_of(database, "DE").series["de-base"]
    other_machine.close()


def test_the_later_of_two_imports_counts(database: Database) -> None:
    wrong = an_import().model_copy(update={"rates": {date(2026, 11, 4): Decimal(9)}})
    for imported in (wrong, an_import()):
        with database.writing() as session:
            rates.add_import(session, imported)
    assert law_of(database, "FR").series["ecb-mro"].on(date(2026, 12, 1)).rate == Decimal("2.90")


def test_a_confirmation_counts_on_every_machine(database: Database) -> None:
    with database.writing() as session:
        value = laws.confirm(session, "at", "lump_sum.business+public.2016-01-01", "legal", "RIS", NOW)
    assert value.key == "at.lump_sum.business+public.2016-01-01"
    other_machine = Database(database.url)
    rule = law_of(other_machine, "AT").lump_sum_rule(BUSINESS, BUSINESS, NOW.date())
    assert rule is not None
    assert rule.certainty.sure
    other_machine.close()


def test_a_confirmation_may_be_repeated_and_keeps_the_last_name(database: Database) -> None:
    for by in ("legal", "kim"):
        with database.writing() as session:
            laws.confirm(session, "it-legal-rate", "2026-01-01", by, None, NOW)
    with database.reading() as session:
        assert [one.by for one in rates.confirmations(session)] == ["kim"]


def test_an_imported_rate_needs_no_confirmation(database: Database) -> None:
    with database.writing() as session:
        laws.confirm(session, "it-legal-rate", "2026-01-01", "legal", None, NOW)
    assert law_of(database, "IT").series["it-legal-rate"].on(date(2026, 5, 1)).doubt is None
    other = {date(2025, 1, 1): Decimal("2.00"), date(2026, 1, 1): Decimal("1.75")}
    imported = an_import().model_copy(update={"series": "it-legal-rate", "rates": other, "last": date(2026, 12, 31)})
    with database.writing() as session:
        rates.add_import(session, imported)
    found = law_of(database, "IT").series["it-legal-rate"].on(date(2026, 5, 1))
    assert (found.rate, found.doubt) == (Decimal("1.75"), None)  # an import names who brought it and from where


@pytest.mark.parametrize(
    ("subject", "field", "by", "said"),
    [
        ("AT", "lump_sum", "legal", None),  # the only one of them that is unsure
        ("AT", "lump", "legal", "FIELD: 'lump' is no value of AT"),
        ("AT", "lump_sum.busines", "legal", "FIELD: 'lump_sum.busines' is no value of AT: use one of"),
        ("UK", "lump", "legal", "FIELD: 'lump' is no value of UK"),  # the law of GB
        ("ES", "interest", "legal", "FIELD: 'interest' is the beginning of several: interest.business"),
        (
            "AT",
            "lumpsum.business+public.2016-01-01",
            "legal",
            "FIELD: 'lumpsum.business+public.2016-01-01' is no value",
        ),
        (
            "AT",
            "interest.business+public.2016-01-01",
            "legal",
            "FIELD: interest.business+public.2016-01-01 is confirmed",
        ),
        ("SG", "lump_sum", "legal", "COUNTRY: 'SG' is no country and no series here"),
        (
            "de-bass",
            "2016-01-01",
            "legal",
            "COUNTRY: 'de-bass' is no country and no series here: did you mean 'de-base'?",
        ),
        ("AT", "lump_sum", "kim@acme.example", "by: must be a role"),
        ("AT", "lump_sum", "", "by: must be a role"),
    ],
)
def test_what_can_be_confirmed(database: Database, subject: str, field: str, by: str, said: str | None) -> None:
    with database.writing() as session:
        if said is None:
            assert laws.confirm(session, subject, field, by, None, NOW).key.startswith("at.lump_sum.business+public")
            return
        with pytest.raises(Refused) as refused:
            laws.confirm(session, subject, field, by, None, NOW)
        assert str(refused.value).startswith(said)
        assert rates.confirmations(session) == []


def governing(database: Database, **about: object) -> Jurisdiction:
    facts = {"jurisdiction": None, "residence": "FR", "kind": BUSINESS, "seller": "DE"} | about
    with database.reading() as session:
        return laws.governing_law(session, **facts)  # type: ignore[arg-type]


def test_the_governing_law(database: Database) -> None:
    assert governing(database).code == "DE"
    assert governing(database, kind=CONSUMER).code == "FR"
    assert governing(database, kind=None).code == "FR"
    assert governing(database, jurisdiction="UK").code == "GB"


@pytest.mark.parametrize("code", sorted(code for code, law in laws.files().items() if not law.complete))
def test_a_law_that_is_not_complete_refuses_with_what_is_missing(database: Database, code: str) -> None:
    with pytest.raises(Refused) as refused:
        governing(database, jurisdiction=code)
    law = laws.files()[code]
    assert (
        str(refused.value) == f"jurisdiction: no claim by the law of {law.name}: {'; '.join(law.missing)} is missing"
    )


def claim_certainty(law: Jurisdiction) -> tuple[ClaimCertainty, tuple[str, ...]]:
    """How sure the claim of an Austrian invoice is that fell due in July 2026 and was never paid."""
    history = ClaimHistory(
        currency="EUR",
        digits=2,
        issued_on=date(2026, 6, 1),
        due_on=date(2026, 7, 1),
        amounts=(AmountFrom(on=date(2026, 6, 1), amount=Decimal(1000)),),
    )
    terms = ContractTerms(interest=InterestTerms.STATUTORY, lump_sum=True)
    claim = claim_of(history, law, BUSINESS, BUSINESS, terms, date(2026, 9, 1))
    return claim.certainty, tuple(doubt.key for doubt in claim.doubts)


def test_a_claim_is_unconfirmed_until_its_values_are(database: Database) -> None:
    certainty, doubts = claim_certainty(law_of(database, "AT"))
    assert certainty is ClaimCertainty.UNCONFIRMED
    assert doubts == ("at.lump_sum.business+public.2016-01-01",)
    with database.writing() as session:
        for key in doubts:
            country, _, field = key.partition(".")
            laws.confirm(session, country, field, "legal", None, NOW)
    assert claim_certainty(law_of(database, "AT")) == (ClaimCertainty.CONFIRMED, ())


Keep = Callable[..., None]


@pytest.fixture
def keep(database: Database) -> Keep:
    """Keeps an invoice with its case."""

    def kept(
        invoice_id: str, *, country: str, kind: DebtorKind | None, rehearsal: bool = False, **about: str
    ) -> None:
        customer = another_customer(f"of-{invoice_id}", country=country, kind=kind)
        with database.writing() as session:
            keep_customer(session, customer)
        with database.writing(customer.customer_id) as session:
            ref = PolicyRef(name="gentle-saas", version=1)
            invoices.add_invoices(session, [(an_invoice(invoice_id=invoice_id, customer=customer, **about), ref)])
            case = a_case(invoice_id=invoice_id, customer_id=customer.customer_id)
            cases.add(session, [case], rehearsal=rehearsal, now=NOW)

    return kept


def test_laws_in_use(database: Database, keep: Keep) -> None:
    def in_use(seller: str | None) -> dict[str, str]:
        with database.reading() as session:
            return {code: one.reason for code, one in laws.laws_in_use(session, seller).items()}

    assert in_use(None) == {}
    assert in_use("UK") == {"GB": "SENDER_COUNTRY"}
    keep("a", country="FR", kind=CONSUMER)
    keep("b", country="IT", kind=BUSINESS)
    keep("c", country="IT", kind=BUSINESS, jurisdiction="ES")
    keep("d", country="RU", kind=CONSUMER, rehearsal=True)
    keep("e", country="SG", kind=CONSUMER)  # no law is known: no claim is made
    assert in_use(None) == {"FR": "open invoices", "ES": "open invoices"}
    assert in_use("DE") == {"DE": "SENDER_COUNTRY", "FR": "open invoices", "ES": "open invoices"}


def test_a_rate_that_no_customer_of_that_kind_needs_is_not_missed(database: Database, keep: Keep) -> None:
    """Between Polish businesses a half-year's rate counts; for a private person it moves on the day it changes."""
    day = date(2026, 11, 28)

    def stale() -> list[str]:
        with database.reading() as session:
            return [one["series"] for one in stale_rates(session, day, laws.laws_in_use(session, "PL"))]

    keep("a", country="PL", kind=BUSINESS)
    assert stale() == []
    keep("b", country="PL", kind=None)
    assert stale() == ["nbp-reference"]


def test_a_bad_file_is_found_when_a_process_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(jurisdiction_files.FOLDER, tmp_path / "jurisdictions")
    bad = tmp_path / "jurisdictions" / "de.toml"
    bad.write_text(bad.read_text(encoding="utf-8").replace('margin = "9"', "margin = 9.0"), encoding="utf-8")
    monkeypatch.setattr(jurisdiction_files, "FOLDER", tmp_path / "jurisdictions")
    laws.files.cache_clear()
    try:
        with pytest.raises(SettingsError) as said:
            make_dependencies(Settings(database_url=f"sqlite:///{tmp_path / 'd.sqlite'}"))
    finally:
        laws.files.cache_clear()
    assert "de.toml: interest 1 (business, public): statutory: margin" in str(said.value)
