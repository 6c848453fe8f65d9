"""What pages without a login show of an address."""

import pytest

from dunwell.domain.channels import AddressKind
from dunwell.texts.masked_addresses import masked

MAILBOX, NUMBER, POSTAL = AddressKind.MAILBOX, AddressKind.NUMBER, AddressKind.POSTAL


@pytest.mark.parametrize(
    ("kind", "address", "shown"),
    [
        (MAILBOX, "ada@x.de", "a•••@x.de"),
        (MAILBOX, "a@x.de", "a•••@x.de"),
        (MAILBOX, '"strange@local"@x.de', '"•••@x.de'),
        (MAILBOX, "été@exemple.fr", "é•••@exemple.fr"),
        (MAILBOX, "no address", "•••"),
        (MAILBOX, "@x.de", "•••"),
        (MAILBOX, "ada@", "•••"),
        (NUMBER, "+4930123412", "+49 ••• 12"),
        (NUMBER, "+1 202 555 0123", "+1 ••• 23"),
        (NUMBER, "+359 2 981 1234", "+359 ••• 34"),
        (NUMBER, "+2901234", "+290 •••"),
        (NUMBER, "030 1234", "•••"),
        (NUMBER, "", "•••"),
        (POSTAL, "Ada Lovelace\nMain St 1\n10115 Berlin", "•••"),
    ],
)
def test_an_address_is_recognised_by_those_who_know_it(kind: AddressKind, address: str, shown: str) -> None:
    assert masked(kind, address) == shown
