"""A database of an earlier release, in which a contact's id was its place in the file, gets ids that stay."""

import pytest
from sqlalchemy import text

from dunwell.domain.channels import Channel
from dunwell.store import contacts, outbox
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests.builders import at

BEFORE = "0006"
NOW = "2027-03-01 09:00:00+00:00"


def _fill(database: Database) -> None:
    """Ada left and Bob moved up a place: he is there twice, and the first reminder went to each of his two ids."""
    people = [
        ("acme.accounts_payable.1", "accounts_payable", 0, "Bob", "bob@acme.example"),
        ("acme.accounts_payable.2", "accounts_payable", 1, "Bob", "Bob@acme.example"),
        ("acme.user.1", "user", 2, "Uma", "uma@acme.example"),
    ]
    messages = [
        ("m1", "acme.accounts_payable.1", "ada@acme.example", "first-reminder"),
        ("m2", "acme.accounts_payable.2", "bob@acme.example", "first-reminder"),
        ("m3", "acme.accounts_payable.2", "bob@acme.example", "second-reminder"),
    ]
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "insert into customers (customer_id, name, country, time_zone, language)"
                " values ('acme', 'Acme', 'DE', 'Europe/Berlin', 'en')"
            )
        )
        for contact_id, role, position, name, email in people:
            connection.execute(
                text(
                    "insert into contacts (contact_id, customer_id, role, position, name, email)"
                    " values (:i, 'acme', :r, :p, :n, :e)"
                ),
                {"i": contact_id, "r": role, "p": position, "n": name, "e": email},
            )
        connection.execute(
            text(
                "insert into invoices (invoice_id, number, customer_id, amount, currency, digits, issued_on, due_on,"
                " policy_name, policy_version)"
                " values ('inv-1', '1', 'acme', '10.00', 'EUR', 2, '2027-02-01', '2027-03-01', 'gentle-saas', 1)"
            )
        )
        for message_id, contact_id, address, step in messages:
            connection.execute(
                text(
                    "insert into messages (message_id, customer_id, step, message, channel, contact_id, address,"
                    " subject, body, asks, amount, state, call, planned_at, claimed_at)"
                    " values (:m, 'acme', :s, 'friendly', 'email', :c, :a, '', '', :yes, '10.00', 'delivered',"
                    " 'answered', :now, :now)"
                ),
                {"m": message_id, "s": step, "c": contact_id, "a": address, "yes": True, "now": NOW},
            )
            connection.execute(
                text(
                    "insert into message_invoices (invoice_id, step, contact_id, channel, message_id, warning)"
                    " values ('inv-1', :s, :c, 'email', :m, :yes)"
                ),
                {"m": message_id, "s": step, "c": contact_id, "yes": True},
            )
        connection.execute(
            text(
                "insert into tasks (task_id, invoice_id, step, kind, contact_id, due_at, reason, script, state)"
                " values ('t', 'inv-1', 'call', 'call', 'acme.accounts_payable.2', :now, '', '', 'open')"
            ),
            {"now": NOW},
        )


@pytest.fixture
def migrated(database_url: str) -> Database:
    database = Database(database_url)
    migrate(database, BEFORE)
    _fill(database)
    migrate(database)
    return database


def test_b1_one_person_with_two_ids_becomes_one_contact(migrated: Database) -> None:
    with migrated.reading() as session:
        people = {one.contact_id: one for one in contacts.people(session, ["acme"])["acme"]}
        asked = [one.contact_id for one in contacts.for_invoice(session, "inv-1")]
        task = session.execute(text("select contact_id from tasks")).scalar_one()
    assert people["acme.accounts_payable.2"].retired_at is not None
    assert asked == ["acme.accounts_payable.1", "acme.user.1"]
    assert task == "acme.accounts_payable.1"
    migrated.close()


def test_b1_after_the_migration_nothing_is_sent_twice(migrated: Database) -> None:
    with migrated.reading() as session:
        for step in ("first-reminder", "second-reminder"):
            assert outbox.find(session, "inv-1", step, "acme.accounts_payable.1", Channel.EMAIL, "") is not None
        since = at("2027-02-01 09:00")
        assert len(outbox.to_people(session, [], ["acme.accounts_payable.1"], since)) == 3
    migrated.close()
