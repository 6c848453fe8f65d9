"""Only the whole token, as a bearer token, lets a caller in."""

import hmac
from contextlib import suppress

import pytest

from dunwell.web.auth import check_bearer
from dunwell.web.request_body import Problem

TOKEN = "long-random-value"


def _on_the_wire(header: str) -> str:
    """A header as the server decodes it: the UTF-8 of the caller read as Latin-1."""
    return header.encode().decode("latin-1")


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (f"Bearer {TOKEN}", TOKEN),
        (f"bEARER \t {TOKEN} ", TOKEN),
        (_on_the_wire("Bearer geheimnisvoll-à"), "geheimnisvoll-à"),  # its last byte, A0, is no space
    ],
)
def test_the_token_lets_in(header: str, token: str) -> None:
    check_bearer(header, token, "CODEC_TOKEN")


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("", TOKEN),
        ("Bearer", TOKEN),
        ("Bearer ", TOKEN),
        (TOKEN, TOKEN),
        (f"Basic {TOKEN}", TOKEN),
        (f"Bearer {TOKEN}x", TOKEN),
        (f"Bearer {TOKEN[:-1]}", TOKEN),
        (f"Bearer {TOKEN.upper()}", TOKEN),
        (f"Bearer {TOKEN} {TOKEN}", TOKEN),
        ("Bearer \u20ac", TOKEN),
        ("Bearer ", ""),  # an empty token lets nobody in
        ("Bearer", ""),
    ],
)
def test_everything_else_is_refused_and_the_token_not_told(header: str, token: str) -> None:
    with pytest.raises(Problem) as refused:
        check_bearer(header, token, "CODEC_TOKEN")
    assert refused.value.status == 401
    assert refused.value.headers == {"WWW-Authenticate": "Bearer"}
    assert "CODEC_TOKEN" in refused.value.reason
    assert TOKEN not in refused.value.reason


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"Bearer {TOKEN[:3]}", f"Basic {TOKEN}", ""])
def test_the_comparison_takes_as_long_for_every_token(monkeypatch: pytest.MonkeyPatch, header: str) -> None:
    compared: list[bytes] = []
    real = hmac.compare_digest

    def counted(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    with suppress(Problem):
        check_bearer(header, TOKEN, "CODEC_TOKEN")
    assert compared == [TOKEN.encode()]
