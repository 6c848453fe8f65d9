"""The small product: what its people see by the access of their account, and what it does when nobody answers."""

import json
import time
from collections.abc import Iterator
from threading import Thread

import pytest
import requests

from dunwell.gateways.timed_signature import sign
from dunwell.local.product import CHANGES, AccessCheck, Answer, Product, account_page, front_page
from tests.gateways.fakes import Answer as Given
from tests.gateways.fakes import FakeProvider

PAGE = "https://dunning.example/r/0123456789abcdefghijkl"
SECRET = "the secret of the product"


def access(level: str, **more: str) -> Given:
    body = {"customer_id": "C-1", "access": level, "work_on_hold": False, "holds": []} | more
    return Given(200, body=json.dumps(body).encode(), headers={"ETag": f'"{level}"'})


@pytest.fixture
def dunwell() -> Iterator[FakeProvider]:
    with FakeProvider() as fake:
        yield fake


@pytest.fixture
def product(dunwell: FakeProvider) -> Iterator[Product]:
    with Product(0, AccessCheck(dunwell.url, "dwl_key"), ["C-1", "a/b <c>"], SECRET) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(5)


def change(product: Product, secret: str = SECRET, customer_id: object = "C-1") -> int:
    body = json.dumps({"customer_id": customer_id, "access": "full"}).encode()
    headers = {"Dunwell-Signature": sign(body, secret, int(time.time()))}
    return requests.post(f"{product.url}{CHANGES}", data=body, headers=headers, timeout=30).status_code


def seen(product: Product) -> str:
    return requests.get(f"{product.url}/accounts/C-1", timeout=30).text


def test_who_is_limited_is_led_to_the_page_that_says_why(product: Product, dunwell: FakeProvider) -> None:
    dunwell.next(access("restricted", page_url=PAGE))
    page = seen(product)
    assert f'<a href="{PAGE}">' in page
    assert "Your documents" in page
    assert "Exports" not in page
    (asked,) = dunwell.requests
    assert (asked.path, asked.headers["authorization"]) == ("/api/accounts/C-1/access", "Bearer dwl_key")


def test_an_answer_is_kept_until_a_change_is_told(product: Product, dunwell: FakeProvider) -> None:
    dunwell.next(access("restricted", page_url=PAGE), access("full"))
    assert "limited" in seen(product)
    assert "limited" in seen(product)
    assert len(dunwell.requests) == 1
    assert change(product) == 204
    assert "full access" in seen(product)
    assert dunwell.requests[1].headers["if-none-match"] == '"restricted"'


def test_an_unchanged_answer_stands(product: Product, dunwell: FakeProvider) -> None:
    dunwell.next(access("suspended", page_url=PAGE), Given(304, body=b""))
    assert "suspended" in seen(product)
    change(product)
    page = seen(product)
    assert "suspended" in page
    assert "Your documents" not in page
    assert len(dunwell.requests) == 2


def test_people_are_let_in_while_nobody_answers(product: Product, dunwell: FakeProvider) -> None:
    dunwell.next(*[Given(503)] * 2, access("restricted"), Given(503), Given(200, body=b"[]"))
    assert [("full access" in seen(product)) for _ in range(2)] == [True, True]
    assert "limited" in seen(product)
    for _ in range(2):  # the last answer counts for a day
        change(product)
        assert "limited" in seen(product)


def test_an_answer_of_yesterday_counts_no_more(dunwell: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    dunwell.next(access("suspended"), Given(503))
    check = AccessCheck(dunwell.url, "dwl_key")
    assert check.of("C-1").access == "suspended"
    began = time.monotonic()
    monkeypatch.setattr("dunwell.local.product.time.monotonic", lambda: began + 90_000)
    assert check.of("C-1").access == "full"


def test_whom_nobody_bills_has_full_access(dunwell: FakeProvider) -> None:
    dunwell.next(Given(404))
    assert AccessCheck(dunwell.url, "dwl_key").of("C-1").access == "full"


def test_only_changes_that_are_signed_are_taken(product: Product, dunwell: FakeProvider) -> None:
    dunwell.next(access("restricted"))
    seen(product)
    assert change(product, "another secret") == 400
    assert change(product, customer_id=["C-1"]) == 204  # it names no account of ours
    seen(product)
    assert len(dunwell.requests) == 1
    assert requests.post(f"{product.url}/accounts/C-1", data=b"{}", timeout=30).status_code == 404


def test_an_account_is_shown_as_its_id_and_no_other_is(product: Product) -> None:
    assert "a/b &lt;c&gt;" in front_page(product.accounts)
    assert '"/accounts/a%2Fb%20%3Cc%3E"' in front_page(product.accounts)
    assert "&lt;c&gt;" in account_page("<c>", Answer())
    assert requests.get(f"{product.url}/accounts/C-2", timeout=30).status_code == 404
