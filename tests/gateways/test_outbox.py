from datetime import UTC, datetime

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.terms import MessageState
from dunwell.gateways.base import DeliveryError
from dunwell.gateways.outbox.client import OutboxGateway
from tests.gateways.fakes import an_envelope


@pytest.mark.parametrize(
    ("channel", "to", "state", "closes"),
    [
        (Channel.EMAIL, "ada@debtor.example", MessageState.DELIVERED, None),
        (Channel.EMAIL, "bounce@debtor.example", MessageState.BOUNCED, "bounced"),
        (Channel.EMAIL, "Bounce+7@debtor.example", MessageState.BOUNCED, "bounced"),
        (Channel.EMAIL, "ada@bounce.example", MessageState.DELIVERED, None),  # the domain does not count
        (Channel.SMS, "+15551230001", MessageState.DELIVERED, None),
        (
            Channel.SMS,
            "+15005550006",
            MessageState.DELIVERED,
            None,
        ),  # Twilio's magic sender, fine as recipient
        (Channel.CALL, "+15005550004", MessageState.DELIVERED, None),  # magic for SMS only
    ],
)
def test_delivered_at_once(channel: Channel, to: str, state: MessageState, closes: str | None) -> None:
    receipt = OutboxGateway(channel).send(an_envelope(channel, to))
    assert (receipt.state, receipt.closes_address) == (state, closes)


@pytest.mark.parametrize(
    ("to", "code", "closes"),
    [
        ("+15005550001", "21211", "bounced"),
        ("+15005550002", "21612", None),
        ("+15005550003", "21408", None),
        ("+15005550004", "21610", "stopped"),
        ("+15005550009", "21614", "bounced"),
    ],
)
def test_magic_recipients_fail_as_published(to: str, code: str, closes: str | None) -> None:
    with pytest.raises(DeliveryError) as caught:
        OutboxGateway(Channel.SMS).send(an_envelope(Channel.SMS, to))
    error = caught.value
    assert (error.code, error.permanent, error.closes_address) == (code, True, closes)
    assert to not in str(error)


def test_the_same_message_has_the_same_id() -> None:
    gateway = OutboxGateway(Channel.EMAIL)
    ids = {gateway.send(an_envelope()).provider_id for _ in range(2)}
    ids.add(gateway.send(an_envelope(message_id="another")).provider_id)
    assert ids == {"outbox-INV-7/first-reminder/c1/email", "outbox-another"}


def test_a_message_without_a_written_outcome_may_be_sent_again() -> None:
    assert OutboxGateway(Channel.EMAIL).find(an_envelope(), datetime(2026, 3, 2, tzinfo=UTC)) is None
