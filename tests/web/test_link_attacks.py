"""What strangers try at the links of customers. docs/security.md holds the table with these counts."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from string import ascii_letters, digits
from urllib.parse import quote

import pytest

from dunwell.domain.links import LinkKind
from dunwell.store import links as link_store
from dunwell.store.tables import Base
from tests.web.conftest import CUSTOMER, SENT, Site
from tests.web.test_customer_page_links import LONG_AGO, issue, opened, settle, without_form_id

ROOT = Path(__file__).parents[2]
ALPHABET = digits + ascii_letters


def random_tokens(token: str) -> Iterator[str]:
    chance = Random(18)
    for _ in range(500):
        yield "".join(chance.choices(ALPHABET, k=22))


def torn(token: str) -> Iterator[str]:
    for length in range(1, 22):
        yield token[:length]
        yield token[length:]


def lengthened(token: str) -> Iterator[str]:
    for more in ("x", "0", ".", "/", "/x", "%20", "?", token, "=" * 42, "%2F..%2F" + token):
        yield token + (quote(more, safe="/%") if more != "?" else "%3F")


def one_sign_off(token: str) -> Iterator[str]:
    for place in range(22):
        for sign in (ALPHABET[(ALPHABET.index(token[place]) + 1) % 62], "-"):
            yield token[:place] + sign + token[place + 1 :]


def case_flipped(token: str) -> Iterator[str]:
    yield token.upper()
    yield token.lower()
    yield token.swapcase()
    for place, sign in enumerate(token):
        if sign.isalpha():
            yield token[:place] + sign.swapcase() + token[place + 1 :]


def not_ascii(token: str) -> Iterator[str]:
    for sign in (
        "\N{FULLWIDTH DIGIT ONE}",
        "\N{CYRILLIC SMALL LETTER A}",
        "\N{ZERO WIDTH SPACE}",
        "\N{GRINNING FACE}",
    ):
        yield quote(sign + token[1:])
        yield quote(token + sign)
    yield "%00" + token[1:]
    yield "%ff%fe" + token[2:]
    yield "".join(f"%{ord(sign):02x}" for sign in token) + "%00"


def doubled_slashes(token: str) -> Iterator[str]:
    yield f"/{token}"
    yield f"{token}//"
    yield f"//{token}"
    yield f"{token[:11]}/{token[11:]}"
    yield f"./x/{token}"


def huge(token: str) -> Iterator[str]:
    for length in (65, 1_000, 10_000, 60_000):
        yield token + "x" * length
        yield "x" * length


ATTACKS = {
    "random tokens": random_tokens,
    "torn, from either end": torn,
    "lengthened": lengthened,
    "one sign changed": one_sign_off,
    "case flipped": case_flipped,
    "not ASCII, control characters": not_ascii,
    "doubled slashes": doubled_slashes,
    "huge": huge,
}


@pytest.fixture
def same_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first link has one and the same token in every run, so that what is tried can be counted."""
    monkeypatch.setattr("dunwell.services.links.token_hex", lambda size: "18" * size)


@pytest.mark.usefixtures("same_token")
@pytest.mark.parametrize("name", ATTACKS)
async def test_nothing_but_the_whole_token_opens_anything(site: Site, name: str) -> None:
    site.case()
    site.message()
    token = issue(site)
    tried = [one for one in ATTACKS[name](token) if one != token]
    answers = [await opened(site, one, **{"Accept-Language": "en"}) for one in tried]
    assert {answer.status_code for answer in answers} == {404}
    assert len({without_form_id(answer.text) for answer in answers}) == 1
    assert (await opened(site, token)).status_code == 200
    assert _told()[name] == len(tried), f"docs/security.md: {name} are {len(tried)}"


@pytest.mark.parametrize(
    ("name", "kinds"), [("of another kind", [LinkKind.RESTRICTION, LinkKind.REPLY])], ids=["another kind"]
)
async def test_a_token_opens_its_own_kind_of_page_only(site: Site, name: str, kinds: list[LinkKind]) -> None:
    site.case()
    site.message()
    pages = {LinkKind.PAGE: "i", LinkKind.RESTRICTION: "r"}
    tokens = {kind: issue(site, kind=kind) for kind in LinkKind}
    tried = [(kind, path) for kind in tokens for own, path in pages.items() if own is not kind]
    for kind, path in tried:
        assert (await site.http.get(f"/{path}/{tokens[kind]}")).status_code == 404
    assert _told()[name] == len(tried)


async def test_head_tells_no_more_than_get(site: Site) -> None:
    site.case()
    site.message()
    for token, status in ((issue(site), 200), ("A" * 22, 404)):
        answer = await opened(site, token, "HEAD")
        assert (answer.status_code, answer.text) == (status, "")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
async def test_other_methods_do_nothing(site: Site, method: str) -> None:
    site.case()
    site.message()
    assert (await opened(site, issue(site), method)).status_code == 405


async def test_looking_changes_nothing(site: Site) -> None:
    site.case()
    site.message()
    token = issue(site)
    before = _everything(site)
    for _ in range(20):
        await opened(site, token)
    assert _everything(site) == before and site.temporal.signals == []


async def test_no_token_is_logged_or_stored_or_sent_to_others(
    site: Site, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Planted tokens, live, expired, revoked and foreign, are in no log line, no table and no foreign address."""
    caplog.set_level(logging.DEBUG)
    site.case()
    site.message()
    site.message("m2", step="other")
    live, other = issue(site, made_at=LONG_AGO), issue(site, "m2")
    planted = [live, other, "PlantedPlantedPlantedX"]
    pages = [await opened(site, one) for one in planted]
    settle(site, LONG_AGO)
    pages += [await opened(site, one) for one in planted]
    with site.database.writing() as session:
        ids = [row.link_id for row in link_store.of_customer(session, CUSTOMER.customer_id)]
        link_store.revoke(session, ids, "agent-7", "forwarded", SENT)
    pages += [await opened(site, one) for one in planted]
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]  # the caller's
    said = "\n".join(ours) + "".join(capsys.readouterr()) + _everything(site)
    for token in planted:
        assert token not in said
    for page in pages:
        assert page.headers["referrer-policy"] == "no-referrer" and "no-store" in page.headers["cache-control"]
        policy = page.headers["content-security-policy"]
        assert "script-src" not in policy and "default-src 'none'" in policy and "://" not in policy
        loaded = re.findall(r'<(?:img|script|link|iframe|source)[^>]+(?:src|href)="([^"]+)"', page.text)
        assert all(one.startswith("/i/static/") for one in loaded), loaded


def _everything(site: Site) -> str:
    """Every value that the database holds."""
    with site.database.reading() as session:
        return "\n".join(str(row) for table in Base.metadata.sorted_tables for row in session.execute(table.select()))


def _told() -> dict[str, int]:
    """The table of docs/security.md: what was tried, and how often."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8").partition("## Attacks on links")[2]
    return {name: int(count) for name, count in re.findall(r"^\| ([^|]+?) \| (\d+) \|", text, re.MULTILINE)}
