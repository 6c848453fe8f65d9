"""The statement of account: what was open on a day, in the customer's language."""

from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from dunwell.domain.checkpoint import Receipt, Reversal
from dunwell.domain.policy import PolicyRef
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import DebtorKind
from dunwell.services.account_statement_letter import statement_letter
from dunwell.services.account_statements import AccountStatement, statement_of
from dunwell.store import credits, invoices, payments
from dunwell.store.database import Database
from dunwell.store.tables import CreditUseRow
from tests.builders import a_customer, an_invoice, at, sample_deps, the_catalogue
from tests.services.conftest import ServiceHarness

NOW = datetime(2027, 4, 20, 9, tzinfo=UTC)


def told(database: Database, *events: tuple[str, str, dict[str, Any]], **facts: Any) -> ServiceHarness:
    """An invoice of 1,200 euros, due on 1 March 2027, that was told these events."""
    harness = ServiceHarness(sample_deps(database))
    customer = a_customer().model_copy(
        update={name: facts.pop(name) for name in ("language", "kind") if name in facts}
    )
    harness.open(an_invoice(customer=customer, **facts))
    for name, when, content in events:
        harness.record(name, when, **content)
    return harness


def paid(payment_id: str, amount: str) -> dict[str, Any]:
    return {"payment_id": payment_id, "amount": amount, "currency": "EUR"}


def stated(harness: ServiceHarness, day: date | None = None) -> AccountStatement:
    with harness.deps.database.reading() as session:
        return statement_of(session, harness.deps, harness.case.customer_id, day, NOW)


def printed(harness: ServiceHarness, day: date | None = None) -> str:
    with harness.deps.database.reading() as session:
        found = statement_letter(
            session, harness.deps, statement_of(session, harness.deps, harness.case.customer_id, day, NOW)
        )
    return " ".join(page.extract_text() for page in PdfReader(BytesIO(found.content)).pages)


def test_it_is_exact_on_each_day(file_database: Database) -> None:
    harness = told(
        file_database,
        ("payment_received", "2027-03-10 09:00", paid("P1", "500.00")),
        ("payment_reversed", "2027-03-20 09:00", {"payment_id": "P1", "reason": "returned", "amount": "100.00"}),
        ("payment_received", "2027-04-01 09:00", paid("P2", "850.00")),
    )
    for day, open_amount in ((9, "1200.00"), (10, "700.00"), (19, "700.00"), (20, "800.00"), (31, "800.00")):
        (one,) = stated(harness, date(2027, 3, day)).invoices
        assert (day, str(one.open)) == (day, open_amount)
    found = stated(harness)
    assert found.invoices == ()
    assert [(one.on.day, str(one.amount)) for one in found.movements] == [
        (10, "500.00"),
        (20, "-100.00"),
        (1, "850.00"),
    ]
    assert [str(one.amount) for one in found.credits] == ["50.00"]
    assert stated(harness, date(2027, 3, 31)).credits == ()


def test_credit_that_was_used_later_and_came_back_is_credit_of_before_only_once(file_database: Database) -> None:
    harness = told(file_database, ("payment_received", "2027-03-10 09:00", paid("P1", "1250.00")))
    other = an_invoice(invoice_id="inv-2", number="2")
    with harness.deps.database.writing() as session:
        invoices.add_invoices(session, [(other, PolicyRef(name="gentle-saas", version=1))])
        moment, amount = at("2027-03-20 09:00"), Decimal("50.00")
        payments.put_receipt(
            session, "inv-2", Receipt(payment_id="U1", amount=amount, received_at=moment), "EUR", moment
        )
        credits.use(
            session,
            CreditUseRow(
                credit_id="U1",
                from_invoice=harness.case.invoice_id,
                to_invoice="inv-2",
                amount=amount,
                currency="EUR",
                by="agent-7",
                at=moment,
            ),
        )
        back = Reversal(payment_id="U1", key="R1", amount=amount, reason="wrong", at=moment)
        payments.put_reversal(session, "inv-2", back, moment)
    assert [str(one.amount) for one in stated(harness, date(2027, 3, 15)).credits] == ["50.00"]


def test_what_was_written_off_is_open_until_that_day(file_database: Database) -> None:
    harness = told(file_database, ("write_off", "2027-04-05 09:00", {"reason": "insolvent", "by": "manager-1"}))
    assert len(stated(harness, date(2027, 4, 4)).invoices) == 1
    assert stated(harness, date(2027, 4, 5)).invoices == ()


def test_what_was_cancelled_was_never_owed(file_database: Database) -> None:
    harness = told(file_database, ("cancel", "2027-04-05 09:00", {"reason": "duplicate", "by": "billing"}))
    assert stated(harness, date(2027, 3, 9)).invoices == ()


def test_a_day_to_come_and_a_customer_nobody_knows_are_refused(file_database: Database) -> None:
    harness = told(file_database)
    with pytest.raises(Refused, match="still to come"):
        stated(harness, date(2027, 4, 21))
    with file_database.reading() as session, pytest.raises(Refused, match="is not known"):
        statement_of(session, harness.deps, "nobody", None, NOW)


def test_the_total_adds_up_and_what_is_disputed_is_not_in_it(file_database: Database) -> None:
    harness = told(
        file_database,
        ("dispute_opened", "2027-03-05 09:00", {"reason": "quantity", "opened_by": "user", "amount": "200.00"}),
    )
    text = printed(harness)
    assert "€1,200.00" in text and "€1,000.00" in text and "-€200.00" in text.replace("\N{MINUS SIGN}", "-")


@pytest.mark.parametrize("language", the_catalogue().languages)
def test_each_language_has_it(file_database: Database, language: str) -> None:
    harness = told(file_database, ("payment_received", "2027-03-10 09:00", paid("P1", "500.00")), language=language)
    labels, text = the_catalogue().labels(language), printed(harness)
    for name in ("customer_number", "due", "invoiced", "open", "total_due", "payments", "date"):
        assert labels[name] in text, name
    assert "{" not in text


def test_unconfirmed_interest_is_not_stated(file_database: Database) -> None:
    harness = told(file_database, interest="statutory", kind=DebtorKind.BUSINESS)
    (one,) = stated(harness).invoices
    assert one.interest == one.lump_sum == Decimal(0)
