"""The application as a whole: health, its description, its courier, and what it says when something breaks."""

import asyncio
import json
import logging
import re
import socket
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from sqlalchemy import text

from dunwell.bootstrap import NotReady
from dunwell.settings import Settings, SettingsError
from dunwell.store.database import Database
from dunwell.web.__main__ import _bound, open_service, serve
from dunwell.web.app import make_app
from dunwell.web.service import Service, read_keys
from tests.web.conftest import CUSTOMER, PHONE, TOKEN, Site, a_key, an_event, as_shown


async def test_health_names_what_does_not_answer(site: Site) -> None:
    answer = await site.http.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "server": "ok"})
    site.temporal.away = True
    answer = await site.http.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"database": "ok", "server": "does not answer"})


async def test_the_description_is_whole_and_loads_nothing_from_elsewhere(site: Site) -> None:
    assert (await site.http.get("/api/openapi.json")).status_code == 401
    answer = await site.http.get("/api/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"})
    described = answer.json()
    assert {
        "/api/invoices",
        "/api/cases/{invoice_id}/payment_received",
        "/api/accounts/{customer_id}/access",
    } <= set(described["paths"])
    for reference in re.findall(r'"\$ref": ?"#/([^"]+)"', json.dumps(described)):
        place: Any = described
        for part in reference.split("/"):
            place = place[part]
    assert "PaymentReceived" in described["components"]["schemas"]
    for page in ("/docs", "/redoc"):
        assert (await site.http.get(page)).status_code == 404


async def test_a_caller_who_hangs_up_is_no_fault_of_the_program(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    said = [{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}]
    answered: list[Any] = []

    async def receive() -> Any:
        return said.pop(0)

    async def send(message: Any) -> None:
        answered.append(message)

    scope = {"type": "http", "method": "POST", "path": "/console/sign-in", "query_string": b"", "root_path": ""}
    headers = [(b"host", b"localhost"), (b"sec-fetch-site", b"same-origin")]
    await make_app(site.service)(scope | {"headers": headers}, receive, send)
    assert (answered, caplog.messages) == ([], [])


async def test_while_the_service_runs_reports_travel_by_themselves(site: Site) -> None:
    site.case()
    site.message()
    site.message("m2", state="accepted", contact_id="acme.user.1")
    await site.sendgrid([an_event("bounce")])  # came while nobody was there to bring it
    app = make_app(site.service)
    async with app.router.lifespan_context(app):
        await until(lambda: len(site.temporal.signals) == 1)
        await site.sendgrid([an_event("bounce", message_id="m2", sg_event_id="second")])
        await until(lambda: len(site.temporal.signals) == 2)


async def test_a_round_that_fails_does_not_end_the_courier(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.case()
    site.message()
    await site.sendgrid([an_event("bounce")])
    real, failures = site.service.inbox.waiting, [OSError("the disk at home of Ada")]
    monkeypatch.setattr("dunwell.web.webhooks.dispatcher.EVERY", 0.01)

    def waiting(now: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(now)

    monkeypatch.setattr(site.service.inbox, "waiting", waiting)
    app = make_app(site.service)
    async with app.router.lifespan_context(app):
        await until(lambda: len(site.temporal.signals) == 1)


async def until(true: Any) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_database_that_breaks_makes_the_provider_try_again(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.case()
    site.message()
    with site.database.writing() as session:
        session.execute(text("alter table webhook_events rename to elsewhere"))
    with caplog.at_level(logging.DEBUG):
        broken = await site.sendgrid([an_event("unsubscribe")])
    assert (broken.status_code, site.closed()) == (503, None)
    assert str(CUSTOMER.contacts[0].email) not in caplog.text + broken.text
    with site.database.writing() as session:
        session.execute(text("alter table elsewhere rename to webhook_events"))
    assert (await site.sendgrid([an_event("unsubscribe")])).status_code == 200
    assert site.closed() == "stopped"


async def test_a_fault_of_the_program_is_told_without_its_text(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("ada@acme.example")

    monkeypatch.setattr(site.service.inbox, "take", broken)
    answer = await site.sendgrid([an_event("bounce")])
    assert answer.status_code == 500
    assert "ada@" not in answer.text + caplog.text
    assert "KeyError at test_app.py" in caplog.text


async def test_nothing_personal_is_logged_on_the_way(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.case()
    with caplog.at_level(logging.DEBUG, logger="dunwell"):
        await site.sms("please call me at home")
        await site.sms("STOP", "SM2")
        await site.twilio("inbound", {"MessageSid": "SM3", "From": PHONE, "Body": "hello"}, signed=False)
    assert "at home" not in caplog.text
    assert "+49" not in caplog.text
    assert "refused: twilio" in caplog.text


# Settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["hello", "QUJD", "-----BEGIN PUBLIC KEY-----"])
def test_a_key_that_is_none_is_named(value: str) -> None:
    with pytest.raises(SettingsError, match="SENDGRID_WEBHOOK_PUBLIC_KEY") as caught:
        read_keys(Settings(sendgrid_webhook_public_key=value))
    assert value not in str(caught.value)


def test_the_keys_of_the_settings() -> None:
    keys = read_keys(
        Settings(
            sendgrid_webhook_public_key=as_shown(a_key()),
            public_url="https://d.example/base/",
        )
    )
    assert keys.public_url == "https://d.example/base"
    assert set(keys.webhooks) == {"sendgrid"}
    assert read_keys(Settings(web_address="127.0.0.1:9")).public_url == "http://127.0.0.1:9"


async def test_the_service_opens_without_a_temporal_server(
    file_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    service: Service = await open_service(Settings(database_url=file_database.url, temporal_address="127.0.0.1:1"))
    assert await service.health() == {"database": None, "server": "does not answer"}
    service.database.close()


async def test_an_address_in_use_is_named(
    file_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(NotReady, match=f"WEB_ADDRESS {address} cannot be listened on"):
            await serve(Settings(database_url=file_database.url, temporal_address="127.0.0.1:1", web_address=address))


async def test_a_database_without_the_schema_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotReady, match="--set-up"):
        await open_service(Settings(database_url=f"sqlite:///{tmp_path}/new.sqlite"))


async def test_pieces_of_an_answer_leave_at_once() -> None:
    """Otherwise the body of each answer waits 40 ms for the acknowledgement of its head."""
    accepted = asyncio.get_running_loop().create_future()

    def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with _bound(uvicorn.Config("none", host="127.0.0.1", port=0)) as listener:
        async with await asyncio.start_server(note, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            assert await accepted
            writer.close()
