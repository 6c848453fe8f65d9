"""What is claimed for late payment: who says so, and how a newer record changes it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from dunwell.client.customers import Customers
from dunwell.client.registration import Registered, Registrar
from dunwell.domain.claim_history import ContractTerms, InterestTerms
from dunwell.domain.claim_terms import checked_interest, contract_terms
from dunwell.domain.refusal import Refused
from dunwell.store import invoices, timeline
from dunwell.store.database import Database
from tests.builders import sample_deps, the_ladders
from tests.client.test_registration import NOW, bill

NOTHING = ContractTerms()
SILENT = the_ladders()["gentle-saas"]
_CLAIMING_STEP = SILENT.steps[0].model_copy(update={"interest": "statutory", "lump_sum": True})
CLAIMING = SILENT.model_copy(update={"steps": (_CLAIMING_STEP, *SILENT.steps[1:])})
STATUTORY = ContractTerms(interest=InterestTerms.STATUTORY, lump_sum=True)


def test_nothing_is_claimed_unless_somebody_says_so() -> None:
    assert contract_terms((None, None), (None, None), SILENT) == NOTHING
    assert contract_terms((None, None), (None, None), CLAIMING) == STATUTORY


def test_the_invoice_counts_before_the_customer_and_the_customer_before_the_ladder() -> None:
    assert contract_terms((None, "none"), (None, "none"), CLAIMING) == NOTHING
    assert contract_terms(("statutory", "none"), ("statutory", "none"), SILENT) == STATUTORY
    agreed = ContractTerms(interest=InterestTerms.CONTRACT, contract_rate=Decimal("8.5"))
    assert contract_terms(("8.5", "statutory"), ("none", None), CLAIMING) == agreed


@pytest.mark.parametrize("text", ["statutory", "none", "8.5", "100", "0.0001", "12.3456"])
def test_words_and_rates_that_are_taken(text: str) -> None:
    assert checked_interest(text) == text


@pytest.mark.parametrize("text", ["-8.5", "0", "0.00", "100.01", "8.12345", "8,5", "8 %", "1e1", "NaN", ""])
def test_rates_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is "):
        checked_interest(text)


def terms(database: Database, invoice_id: str) -> tuple[str | None, str | None, str | None]:
    with database.reading() as session:
        row = invoices.get_row(session, invoice_id)
    assert row is not None
    return row.interest, row.lump_sum, row.jurisdiction


def register(database: Database, **facts: Any) -> Registered:
    registrar = Registrar(sample_deps(database), the_ladders())
    return registrar.register(bill("inv-1", **facts), NOW + timedelta(minutes=len(facts)))


def test_a_newer_record_changes_the_terms_and_an_older_form_leaves_them(database: Database) -> None:
    register(database, interest="statutory")
    found = register(database, interest="8.5", lump_sum="statutory")
    assert [str(change) for change in found.changes] == [
        "acme, invoice inv-1: interest changed from statutory to 8.5",
        "acme, invoice inv-1: lump sum changed from none to statutory",
    ]
    assert register(database).changes == ()
    assert terms(database, "inv-1") == ("8.5", "statutory", None)
    with database.reading() as session:
        told = [entry.reason for _, entry in timeline.read(session, "inv-1") if entry.kind == "contacts"]
    assert "the invoice: interest changed from statutory to 8.5, by its record" in told


def test_a_customer_s_terms_are_corrected_by_hand(database: Database) -> None:
    register(database)
    customers = Customers(sample_deps(database))
    customers.set_customer("acme", {"kind": "business", "interest": "9", "lump_sum": "statutory"}, "agent-7")
    with database.reading() as session:
        row = invoices.customer_row(session, "acme")
        assert (row.kind, row.interest, row.lump_sum) == ("business", "9", "statutory")
    with pytest.raises(Refused, match="interest: is more than 100 per cent"):
        customers.set_customer("acme", {"interest": "101"}, "agent-7")
