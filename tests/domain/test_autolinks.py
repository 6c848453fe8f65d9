"""What is a link in a name, what is only a domain, and what is neither."""

import pytest

from dunwell.domain.autolinks import WORD_JOINER, domain_in, link_in, unlinked


@pytest.mark.parametrize(
    "text",
    [
        "Pay at https://evil.example/x",
        "HTTP://evil.example",
        "www.evil.example GmbH",
        "evil.com/pay now",
        "Acme (pay.evil.co.uk/x)",
        "ftp://a",
        "mailto:x@evil.com",
        "Ada ada@evil.com",
        "evil.com:8080",
    ],
)
def test_f8_an_address_is_a_link(text: str) -> None:
    assert link_in(text)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("Booking.com B.V.", "Booking.com"),
        ("BOOKING.COM", "BOOKING.COM"),
        ("the amazon.co.uk shop", "amazon.co.uk"),
        ("(check24.de)", "check24.de"),
        ("münchen.de e.V.", "münchen.de"),
    ],
)
def test_f8_a_bare_domain_is_none_yet_and_is_parted(text: str, domain: str) -> None:
    assert (link_in(text), domain_in(text)) == (None, domain)
    parted = unlinked(text)
    assert domain_in(parted) is None
    assert parted.replace(WORD_JOINER, "") == text
    assert domain_in(unlinked(text, " ")) is None


@pytest.mark.parametrize(
    "text",
    [
        "Meyer GmbH & Co.KG", "Meyer GmbH & Co. KG", "Müller & Co.kg", "S.p.A. Fratelli", "J.R. Smith",
        "St.John Rivers", "Dr. de Vries", "Acme B.V.", "Acme e.V.", "Nr.7", "3.5 GmbH", "A.de Vries", "2026/0001",
        "RE.2026/17", "i.L.",
        "Ölwerke a.D.", "Version 2.0/3", "Tel: none", "株式会社みどり印刷", "AT&T Inc.", "Yahoo! Inc", "Sp. z o.o.",
    ],
)  # fmt: skip
def test_f8_ordinary_names_are_left_alone(text: str) -> None:
    assert (link_in(text), domain_in(text), unlinked(text)) == (None, None, text)
