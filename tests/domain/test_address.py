"""One key for each address, however it is spelled."""

import pytest

from dunwell.domain.address import address_key
from dunwell.domain.channels import Channel

POST = "Werkstraße 12\n10115 Berlin"


@pytest.mark.parametrize(
    ("channel", "one", "other"),
    [
        (Channel.EMAIL, "oda.out@x.example", "Oda.Out@X.Example"),
        (Channel.EMAIL, "oda.out@x.example", " oda.out@x.example "),
        (Channel.SMS, "+4915112345678", "+49 151 1234-5678"),
        (Channel.LETTER, POST, "WERKSTRASSE 12 \n\n 10115  Berlin"),
        (Channel.LETTER, POST, "Werkstraße 12, 10115 Berlin"),
    ],
)
def test_b5_spellings_of_one_address_have_one_key(channel: Channel, one: str, other: str) -> None:
    assert address_key(channel, one) == address_key(channel, other)


@pytest.mark.parametrize(
    ("channel", "one", "other"),
    [
        (Channel.EMAIL, "oda@x.example", "oda@y.example"),
        (Channel.EMAIL, "oda+a@x.example", "oda@x.example"),  # another mailbox where "+" means nothing
        (Channel.SMS, "+4915112345678", "+4915112345679"),
        (Channel.LETTER, POST, "Werkstraße 21\n10115 Berlin"),
    ],
)
def test_different_addresses_have_different_keys(channel: Channel, one: str, other: str) -> None:
    assert address_key(channel, one) != address_key(channel, other)


def test_a_number_has_one_key_on_every_channel_that_it_serves() -> None:
    assert len({address_key(channel, "+4915112345678") for channel in (Channel.SMS, Channel.CALL)}) == 1


@pytest.mark.parametrize(("channel", "address"), [(Channel.EMAIL, "a@x.example"), (Channel.LETTER, POST)])
def test_a_rehearsal_has_keys_of_its_own(channel: Channel, address: str) -> None:
    assert address_key(channel, address, rehearsal=True) != address_key(channel, address)
