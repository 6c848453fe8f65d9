"""A rehearsal of a real customer's invoices leaves the real account alone."""

from datetime import UTC, datetime

from dunwell.client.registration import Registrar
from dunwell.domain.channels import Channel
from dunwell.domain.clock import Clock
from dunwell.domain.terms import Access, Level
from dunwell.store import accounts, addresses, invoices, outbox
from dunwell.store.database import Database
from tests.builders import a_contact, a_customer, an_invoice, sample_deps, the_ladders

NOW = datetime(2027, 2, 22, 8, tzinfo=UTC)
CLOCK = Clock(rehearsal=True, speed=86_400, real=NOW, case=NOW)


def test_a_rehearsal_has_a_customer_and_contacts_of_its_own(database: Database) -> None:
    registrar = Registrar(sample_deps(database), the_ladders())
    real = registrar.register(an_invoice(), NOW).opening.case
    renamed = a_customer(name="Another Name", contacts=(a_contact(email="other@acme.example"),))
    played = registrar.register(an_invoice(invoice_id="played", customer=renamed), NOW, CLOCK).opening.case
    assert (real.customer_id, played.customer_id) == ("acme", "rehearsal.acme")
    with database.writing("rehearsal.acme") as session:
        accounts.place_hold(session, "rehearsal.acme", "played", Level.RESTRICTED, "played", NOW)
    with database.reading() as session:
        assert accounts.access(session, "acme") is Access.FULL
        assert accounts.access(session, "rehearsal.acme") is Access.RESTRICTED
        known = invoices.get_customer(session, "acme")
        assert (known.name, known.contacts[0].email) == ("Acme GmbH", "accounts_payable1@acme.example")
        assert not outbox.to_people(session, [], ["acme.accounts_payable.1"], NOW)


def test_an_address_a_rehearsal_closes_is_open_in_earnest(database: Database) -> None:
    address = "ap@acme.example"
    with database.writing() as session:
        addresses.close(session, Channel.EMAIL, address, "bounced", NOW, rehearsal=True)
        assert addresses.why_closed(session, Channel.EMAIL, address) is None
        assert addresses.why_closed(session, Channel.EMAIL, address, rehearsal=True) == "bounced"
        addresses.close(session, Channel.SMS, "+15005550006", "stopped", NOW)
        assert addresses.why_closed(session, Channel.SMS, "+15005550006", rehearsal=True) == "stopped"
