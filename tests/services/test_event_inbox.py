"""Provider events are applied under the lock of the customers whom they concern, also when that changes meanwhile."""

import pytest
from sqlalchemy.orm import Session

from dunwell.domain.channels import Channel
from dunwell.domain.terms import MessageState
from dunwell.gateways.events import ProviderEvent
from dunwell.services import event_inbox
from dunwell.services.event_inbox import Inbox
from dunwell.services.provider_event import owners_of
from dunwell.store import accounts
from dunwell.store.database import Database
from tests.builders import a_contact, a_customer, an_invoice, at, sample_deps
from tests.services.conftest import ServiceHarness

NOW = "2027-03-02 09:00"


def test_a_message_recorded_between_look_and_lock_is_reported_under_its_customers_lock(
    file_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = ServiceHarness(sample_deps(file_database))
    harness.open(an_invoice(customer=a_customer(contacts=(a_contact(),))))
    harness.carry_out("first-reminder", NOW)
    (sent,) = harness.messages()
    looks, locked = list[tuple[str, ...]](), list[tuple[str, ...]]()

    def looked_too_early(session: Session, event: ProviderEvent) -> tuple[str, ...]:
        looks.append(owners_of(session, event) if looks else ())
        return looks[-1]

    def lock(session: Session, customers: tuple[str, ...]) -> None:
        locked.append(tuple(customers))

    monkeypatch.setattr(event_inbox, "owners_of", looked_too_early)
    monkeypatch.setattr(accounts, "lock", lock)
    event = ProviderEvent(
        event_id="e1",
        kind="failed",
        channel=Channel.EMAIL,
        message_id=sent.message_id,
        state=MessageState.FAILED,
    )
    assert Inbox(file_database).take("sendgrid", [event], at(NOW)) == 1
    assert locked[:2] == [(), ("acme",)]
    assert Inbox(file_database).take("sendgrid", [event], at(NOW)) == 0
