"""Requests to addresses that others name: which of them may be reached."""

import socket
from typing import Any

import pytest

from dunwell.gateways.public_address import is_public
from dunwell.gateways.signed_post import SignedPost, Unreachable
from tests.gateways.fakes import HASTY, Answer, FakeProduct


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2a00:1450:4001:80b::200e", True),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize("found", [["10.0.0.8"], ["8.8.8.8", "127.0.0.1"], ["::1"]])
def test_a_name_that_leads_to_a_private_address_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch, found: list[str]
) -> None:
    connected: list[Any] = []
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in found]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: connected.append(address))
    with pytest.raises(Unreachable, match="NotPublic"):
        SignedPost(timeout=HASTY, total=HASTY, public=True).send("https://inside.example/", b"{}", "secret", "k")
    assert connected == []


def test_a_public_name_is_connected_to_at_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[Any] = []
    lookups: list[str] = []

    def look_up(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        lookups.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8" if len(lookups) < 2 else host, port))]

    def connect(_: socket.socket, address: Any) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(Unreachable, match="ConnectionError"):
        SignedPost(timeout=HASTY, total=HASTY, public=True).send("https://rebound.example/", b"{}", "secret", "k")
    assert (lookups, connected) == (["rebound.example", "8.8.8.8"], [("8.8.8.8", 443)])


def test_no_redirect_is_followed(product: FakeProduct) -> None:
    with FakeProduct() as other:
        product.next(Answer(307, headers={"Location": other.url}))
        assert SignedPost(public=True).send(product.url, b"{}", "secret", "k") == 307
        assert other.requests == []
