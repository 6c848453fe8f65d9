"""The codec server: who may read what Temporal keeps sealed, and from which page."""

import json
from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload, Payloads

from dunwell.client.cases import Cases
from dunwell.codec import KeyRing, Seal, sealed_with
from dunwell.domain.sealed import SEALED
from dunwell.settings import Settings
from dunwell.web.__main__ import full_app
from tests.web.conftest import TOKEN as API_TOKEN
from tests.web.conftest import Site

TOKEN = "token-of-the-codec"
UI = "https://temporal.example"
OLD, NEW = "old:" + "b2xk" * 10 + "b2w=", "new:" + "bmV3" * 10 + "bmU="
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'{"amount": "1200.00"}')


def settings(**changes: Any) -> Settings:
    keys, token = SecretStr(f"{NEW},{OLD}"), SecretStr(TOKEN)
    given: dict[str, Any] = {"payload_keys": keys, "codec_token": token, "codec_origin": UI}
    return Settings(_env_file=None, **given | changes)


def web(site: Site, chosen: Settings) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=full_app(site.service, chosen))
    return httpx.AsyncClient(transport=transport, base_url="http://inside.example")


def as_json(*payloads: Payload) -> str:
    return json_format.MessageToJson(Payloads(payloads=payloads))


async def sealed(keys: str = OLD) -> Payload:
    return (await Seal(KeyRing.parse(keys)).encode([PLAIN]))[0]


async def test_sealed_payloads_are_opened_and_plain_ones_shown_as_they_are(site: Site) -> None:
    async with web(site, settings()) as http:
        answer = await http.post("/codec/decode", content=as_json(await sealed(), PLAIN), headers=BEARER)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert list(json_format.Parse(answer.text, Payloads()).payloads) == [PLAIN, PLAIN]


async def test_what_the_ui_sends_is_sealed_with_the_first_key(site: Site) -> None:
    async with web(site, settings()) as http:
        answer = await http.post("/codec/encode", content=as_json(PLAIN), headers=BEARER)
    (payload,) = json_format.Parse(answer.text, Payloads()).payloads
    assert payload.metadata["encoding"] == SEALED
    assert await Seal(KeyRing.parse(NEW)).decode([payload]) == [PLAIN]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        pytest.param({}, as_json(PLAIN), 401, id="no token"),
        pytest.param({"Authorization": "Bearer token-of-the-api"}, as_json(PLAIN), 401, id="token of the API"),
        pytest.param({"Authorization": f"Basic {TOKEN}"}, as_json(PLAIN), 401, id="other scheme"),
        pytest.param(BEARER, "", 400, id="empty body"),
        pytest.param(BEARER, b"\xff\xfe", 400, id="no text"),
        pytest.param(BEARER, "[1]", 400, id="no object"),
        pytest.param(BEARER, '{"payloads": [{"data": 5}]}', 400, id="no base64 text"),
        pytest.param(BEARER, '{"payload": []}', 400, id="another field"),
        pytest.param(BEARER, "x" * (1024 * 1024 + 1), 413, id="too long"),
        pytest.param(BEARER, '{"payloads": []}', 200, id="nothing to open"),
    ],
)
@pytest.mark.parametrize("path", ["/codec/decode", "/codec/encode"])
async def test_answers(site: Site, path: str, headers: dict[str, str], body: str | bytes, status: int) -> None:
    async with web(site, settings()) as http:
        answer = await http.post(path, content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert "1200" not in answer.text
    assert status == 200 or json.loads(answer.text)["reason"]


async def test_a_payload_that_no_key_opens_is_named(site: Site) -> None:
    async with web(site, settings(payload_keys=SecretStr(NEW))) as http:
        answer = await http.post("/codec/decode", content=as_json(await sealed(OLD)), headers=BEARER)
    assert answer.status_code == 422
    assert "'old'" in answer.json()["reason"]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        pytest.param(UI, True, id="the UI"),
        pytest.param("https://temporal.example.evil.example", False, id="a longer name"),
        pytest.param("http://temporal.example", False, id="without TLS"),
        pytest.param("null", False, id="a sandboxed page"),
    ],
)
async def test_only_the_pages_of_the_ui_may_ask(site: Site, origin: str, allowed: bool) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "authorization,content-type,x-namespace"
    async with web(site, settings()) as http:
        before = await http.options("/codec/decode", headers=asked)
        answer = await http.post("/codec/decode", content=as_json(PLAIN), headers=BEARER | {"Origin": origin})
        refused = await http.post("/codec/decode", content=as_json(PLAIN), headers={"Origin": origin})
    assert (before.status_code == 200) == allowed
    assert refused.status_code == 401
    for one in (before, answer, refused):
        assert one.headers.get("access-control-allow-origin") == (UI if allowed else None)


@pytest.mark.parametrize(
    "missing",
    [
        pytest.param({"codec_token": None, "codec_origin": None}, id="no token"),
        pytest.param({"payload_keys": None, "codec_token": None, "codec_origin": None}, id="no keys"),
    ],
)
async def test_without_token_or_keys_there_is_no_such_door(site: Site, missing: dict[str, None]) -> None:
    async with web(site, settings(**missing)) as http:
        assert (await http.post("/codec/decode", content=as_json(PLAIN), headers=BEARER)).status_code == 404


async def test_without_an_origin_no_page_may_ask(site: Site) -> None:
    async with web(site, settings(codec_origin=None)) as http:
        answer = await http.post("/codec/decode", content=as_json(PLAIN), headers=BEARER | {"Origin": UI})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


async def test_the_api_says_which_key_it_lacks(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(*_: object) -> object:
        return await sealed_with(KeyRing.parse(NEW)).decode([await sealed(OLD)])

    monkeypatch.setattr(Cases, "status", ask)
    async with web(site, settings()) as http:
        answer = await http.get("/api/cases/INV-1", headers={"Authorization": f"Bearer {API_TOKEN}"})
    assert answer.status_code == 503
    assert "'old', which PAYLOAD_KEYS does not hold" in answer.json()["reason"]
