"""Our payment reference: issued once, in every message that asks for money, and known when it comes back."""

import json
from collections.abc import Sequence
from decimal import Decimal

import pytest

from dunwell.domain.evidence import verify
from dunwell.domain.payment_reference import found_in, grouped, reference_for
from dunwell.store import payment_references
from dunwell.store.tables import InvoiceRow, PaymentReferenceRow
from dunwell.texts.sms import sms_parts
from dunwell.views.evidence import gather
from tests.builders import a_contact, a_customer, an_invoice
from tests.services.conftest import ServiceHarness
from tests.services.languages import ASKING, CATALOGUE, LANGUAGES, OPTIONAL, facts

FIRST = "2027-03-02 09:00"
PAYER = a_customer(contacts=(a_contact(),))


def invoices_of(harness: ServiceHarness, text: str) -> list[set[str]]:
    """The invoices for which the references in this text were issued."""
    with harness.deps.database.reading() as session:
        return [found for found in payment_references.invoices_of(session, found_in(text)).values() if found]


def opened(harness: ServiceHarness, names: Sequence[str]) -> list[ServiceHarness]:
    found = []
    for name in names:
        one = ServiceHarness(harness.deps)
        one.open(an_invoice(invoice_id=name, number=f"N-{name}", customer=PAYER, amount=Decimal("80.00")))
        found.append(one)
    return found


def test_a_reminder_names_the_reference_of_its_invoice(harness: ServiceHarness) -> None:
    (one,) = opened(harness, ["A"])
    one.carry_out("first-reminder", FIRST)
    (mail,) = one.messages()
    assert grouped(reference_for(["A"])) in mail.body
    assert invoices_of(one, mail.body) == [{"A"}]


def test_a_message_about_several_invoices_has_a_reference_of_them_together(harness: ServiceHarness) -> None:
    first, *_ = opened(harness, ["A", "B", "C"])
    first.carry_out("first-reminder", FIRST)
    (mail,) = first.messages()
    assert invoices_of(first, mail.body) == [{"A", "B", "C"}]


def test_two_sets_of_invoices_never_share_a_reference(harness: ServiceHarness) -> None:
    """Two digests that begin alike: the one that comes later gets another, and keeps it."""
    opened(harness, ["A", "B"])
    with harness.deps.database.writing("acme") as session:
        for row in session.query(PaymentReferenceRow).filter_by(invoice_id="B"):
            session.delete(row)
        session.add(PaymentReferenceRow(reference=reference_for(["B"]), invoice_id="A"))
    with harness.deps.database.writing("acme") as session:
        issued = payment_references.issue(session, ["B"])
    assert issued == reference_for(["B"], attempt=1)
    with harness.deps.database.writing("acme") as session:
        assert payment_references.issue(session, ["B"]) == payment_references.reference_of(session, ["B"]) == issued


def test_every_invoice_has_its_own_from_the_start(harness: ServiceHarness) -> None:
    opened(harness, ["A", "B"])
    with harness.deps.database.reading() as session:
        for row in session.query(InvoiceRow):
            assert payment_references.invoices_of(session, [reference_for([row.invoice_id])]) == {
                reference_for([row.invoice_id]): {row.invoice_id}
            }


def test_the_evidence_lists_them(harness: ServiceHarness) -> None:
    first, *_ = opened(harness, ["A", "B"])
    first.carry_out("first-reminder", FIRST)
    header = verify(gather(harness.deps.database, "A")).records[0]
    assert reference_for(["A"]) in json.dumps(header, default=str)
    assert reference_for(["A", "B"]) in json.dumps(header, default=str)


@LANGUAGES
@ASKING
@pytest.mark.parametrize("joint", [False, True], ids=["alone", "joint"])
def test_every_message_that_asks_names_it_in_every_language(key: str, language: str, joint: bool) -> None:
    changes = OPTIONAL if joint else {**OPTIONAL, "others": ()}
    composed = CATALOGUE.compose(key, language, facts(**changes))
    assert grouped("RF96C6B80S6PQA") in " ".join(composed.text.split())
    without_link = CATALOGUE.compose(key, language, facts(**{**changes, "payment_url": None, "short_url": None}))
    assert "RF96C6B80S6PQA" in without_link.numbered.filled  # WhatsApp has the room


@LANGUAGES
def test_a_text_message_names_it_where_it_costs_no_further_one(language: str) -> None:
    short = CATALOGUE.compose("reminder-first", language, facts(iban="DE89370400440532013000")).short
    bare = CATALOGUE.compose("reminder-first", language, facts(iban="DE89370400440532013000", reference="")).short
    assert sms_parts(short) == sms_parts(bare)
    longer = f"{bare} RF96C6B80S6PQA"
    assert ("RF96C6B80S6PQA" in short) or sms_parts(longer) > sms_parts(bare) or len(longer) > 150
