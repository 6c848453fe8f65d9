"""Lists of messages, in which the mails to payers have their place."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from dunwell.domain.channels import Channel
from dunwell.domain.policy import PolicyRef
from dunwell.domain.terms import MessageState, PayerState, ProviderCall
from dunwell.store import invoices, payers
from dunwell.store.database import Database
from dunwell.store.tables import MessageRow, PayerRow
from dunwell.views.outbox import latest
from tests.builders import an_invoice, keep_customer

NOW = datetime(2027, 3, 24, 9, tzinfo=UTC)


def _message(session: Session, message_id: str, hours: int, channel: Channel) -> None:
    at = NOW + timedelta(hours=hours)
    session.add(
        MessageRow(
            message_id=message_id,
            customer_id="acme",
            step="remind",
            message="remind",
            channel=channel,
            contact_id="acme.accounts_payable.1",
            address="ap@acme.example",
            subject="",
            body="",
            asks=True,
            amount=Decimal(1),
            state=MessageState.ACCEPTED,
            call=ProviderCall.ANSWERED,
            planned_at=at,
            claimed_at=at,
            sent_at=at,
        )
    )


def _payer(session: Session, payer_id: str, hours: int | None, state: PayerState) -> None:
    row = PayerRow(
        payer_id=payer_id,
        invoice_id="inv-1",
        customer_id="acme",
        link_id="l",
        who="Ana",
        name="Bo",
        email=f"{payer_id}@pay.example",
        email_key=payer_id,
        language="en",
        state=state,
        named_at=NOW,
        called_at=None if hours is None else NOW + timedelta(hours=hours),
    )
    payers.add(session, row)


def test_messages_and_mails_to_payers_are_one_list_by_their_time(database: Database) -> None:
    with database.writing("acme") as session:
        keep_customer(session, an_invoice().customer)
        invoices.add_invoices(session, [(an_invoice(), PolicyRef(name="gentle-saas", version=1))])
        _message(session, "a1", 1, Channel.EMAIL)
        _message(session, "a3", 3, Channel.SMS)
        _payer(session, "p2", 2, PayerState.SENT)
        _payer(session, "p4", 4, PayerState.DUE)  # a provider refused it: it is tried again
        _payer(session, "p5", None, PayerState.ASKED)
    whole = ["payer-p4", "a3", "payer-p2", "a1"]
    with database.reading() as session:

        def ids(state: MessageState | None, channel: Channel | None, first: int = 0, most: int = 9) -> list[str]:
            found, total = latest(session, state, channel, "acme", first, most)
            assert total >= len(found)
            return [row.message_id for row in found]

        assert ids(None, None) == whole and latest(session, None, None, None, 0, 0) == ([], 4)
        assert [ids(None, None, first, 2) for first in (0, 1, 2, 4)] == [whole[:2], whole[1:3], whole[2:], []]
        assert ids(None, Channel.SMS) == ["a3"] and ids(None, Channel.EMAIL) == ["payer-p4", "payer-p2", "a1"]
        assert ids(MessageState.CLAIMED, None) == ["payer-p4"]
        assert ids(MessageState.ACCEPTED, None, 1, 1) == ["payer-p2"]
        assert latest(session, None, None, "other", 0, 9) == ([], 0)
