"""`starter.py webhook`: who is told of events, without a server or a worker."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dunwell.gateways.signed_post import verify
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests.gateways.conftest import product  # noqa: F401
from tests.gateways.fakes import Answer, FakeProduct
from tests.local.conftest import Run


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/dunwell.sqlite"
    database = Database(url)
    migrate(database)
    database.close()
    monkeypatch.setenv("DATABASE_URL", url)


def test_a_webhook_is_added_tried_listed_and_removed(run: Run, product: FakeProduct) -> None:  # noqa: F811
    added = run("webhook", "add", product.url, "--events", "paid, promise", "--json").json
    name = added["subscription_id"]
    assert added["events"] == ["promise", "paid"]
    tried = run("webhook", "test", name)
    assert (tried.code, tried.out) == (0, "127.0.0.1 took it: 204\n")
    (request,) = product.requests
    verify(request.body, request.headers["dunwell-signature"], added["secret"], datetime.now(UTC))
    assert request.json["event"] == "test"
    product.next(Answer(500))
    failed = run("webhook", "test", name)
    assert (failed.code, "500" in failed.err) == (1, True)
    (listed,) = run("webhook", "list", "--json").json
    assert (listed["subscription_id"], listed["pending"], listed["failed"]) == (name, 0, 0)
    told = run("webhook", "deliveries", name, "--json").json
    assert [(one["event"], one["state"], one["answer"], one["next_at"]) for one in told] == [
        ("test", "failed", "500", None),
        ("test", "delivered", "204", None),
    ]
    assert added["secret"] not in json.dumps([listed, told])
    assert "127.0.0.1" in run("webhook", "list").out
    assert "204" in run("webhook", "deliveries", "--state", "delivered").out
    assert run("webhook", "resend", name).out.startswith("0 notifications")
    assert run("webhook", "remove", name).code == 0
    assert run("webhook", "list", "--json").json == []


def test_the_secret_is_shown_once(run: Run) -> None:
    said = run("webhook", "add", "https://subscriber.example/hook").out
    assert "secret  whsec_" in said
    assert "whsec_" not in run("webhook", "list").out + run("webhook", "list", "--json").out


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("add", "http://subscriber.example/"), "url"),
        (("add", "https://10.0.0.1/"), "url"),
        (("add", "https://subscriber.example/", "--events", "colour"), "events"),
        (("test", "sub_none"), "subscription"),
        (("remove", "sub_none"), "subscription"),
        (("resend", "sub_none"), "subscription"),
        (("deliveries", "sub_none"), "subscription"),
    ],
)
def test_what_cannot_be_is_refused(run: Run, arguments: tuple[str, ...], field: str) -> None:
    said = run("webhook", *arguments)
    assert (said.code, said.err.startswith(f"refused: {field}")) == (1, True), said.err


def test_private_addresses_are_permitted_by_a_setting(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_PRIVATE_ADDRESSES", "true")
    assert run("webhook", "add", "https://10.0.0.1/").code == 0
