"""The description of the API: bodies and answers as they are, errors in one shape."""

from typing import Any
from unittest.mock import MagicMock

import jsonschema_rs
import pytest
from fastapi import FastAPI

from dunwell.domain.events import PERSONAL_DECISIONS
from dunwell.local.invoice_page import example
from dunwell.web.api.openapi import described
from dunwell.web.app import make_app
from tests.domain.test_events import GOOD
from tests.web.conftest import TOKEN, Site
from tests.web.described import check_described, description, validator

BEARER = {"Authorization": f"Bearer {TOKEN}"}


def body_of(path: str) -> Any:
    return validator(description()["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"])


@pytest.mark.parametrize("name", sorted(PERSONAL_DECISIONS))
def test_e4_every_event_has_an_address_with_its_own_body(name: str) -> None:
    body = body_of(f"/api/cases/{{invoice_id}}/{name}")
    body.validate(GOOD[name])
    body.validate(GOOD[name] | {"note": "free words"})
    for wrong in ({}, GOOD[name] | {"colour": "red"}, [GOOD[name]]):
        with pytest.raises(jsonschema_rs.ValidationError):
            body.validate(wrong)


def test_e4_an_invoice_is_described_field_by_field() -> None:
    body = body_of("/api/invoices")
    body.validate(example())
    body.validate([example(), example()])
    changes: list[dict[str, Any]] = [{"amount": None}, {"colour": "red"}, {"document": "a.pdf"}]
    for wrong in ({}, [], *(example() | change for change in changes)):
        with pytest.raises(jsonschema_rs.ValidationError):
            body.validate(wrong)


def test_e4_every_operation_has_its_own_description() -> None:
    service = MagicMock()
    service.keys.hosts = frozenset()
    found = FastAPI.openapi(make_app(service))["paths"]
    assert not [(one, path) for path, operations in found.items() for one in operations if not described(one, path)]


def test_e11_errors_are_described_as_they_are_sent() -> None:
    schemas = description()["components"]["schemas"]
    assert not [name for name in schemas if "HTTPValidation" in name or name == "ValidationError"]
    for path, operations in description()["paths"].items():
        for operation in operations.values():
            assert "authorization" not in [one["name"] for one in operation.get("parameters", [])], path


@pytest.mark.parametrize("due_by", ["abc", "2027-13-01T00:00Z", "2027-03-01", "2027-03-01T09:00", ""])
async def test_e11_a_parameter_that_cannot_be_read_is_refused_in_our_own_shape(site: Site, due_by: str) -> None:
    answer = await site.http.get("/api/tasks", params={"due_by": due_by}, headers=BEARER)
    assert answer.status_code == 422
    reason = "is not a time: use ISO 8601 with an offset, such as 2027-03-02T12:00Z"
    assert answer.json() == {"reason": reason, "field": "due_by"}
    check_described(answer)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/tasks", None, 200),
        ("GET", "/api/tasks?invoice_id=..%2F", None, 404),
        ("GET", "/api/tasks?invoice_id=nobody", None, 404),
        ("GET", "/api/cases/inv-1", None, 200),
        ("GET", "/api/cases/none", None, 404),
        ("GET", "/api/accounts/acme/access", None, 200),
        ("GET", "/api/accounts/acme", None, 200),
        ("POST", "/api/cases/inv-1/credit_returned", b"{}", 422),
        ("GET", "/api/accounts/none/access", None, 404),
        ("POST", "/api/invoices", b"[]", 422),
        ("POST", "/api/invoices", b"{", 400),
        ("POST", "/api/invoices", b'{"amount": "-5"}', 422),
        ("POST", "/api/invoices", b"[" + b"{}," * 500 + b"{}]", 413),
        ("POST", "/api/cases/inv-1/resume", b"[]", 422),
        ("POST", "/api/cases/inv-1/resume", b'{"by": "a@b.example"}', 422),
        ("POST", "/api/cases/none/resume", b'{"by": "kim"}', 404),
        ("GET", "/api/customers/acme", None, 200),
        ("GET", "/api/customers/none", None, 404),
        ("POST", "/api/customers/acme/set", b'{"language": "de", "by": "kim"}', 200),
        ("POST", "/api/customers/none/resume", b'{"by": "kim"}', 404),
        ("POST", "/api/customers/acme/pause", b'{"by": "a@b.example"}', 422),
        ("POST", "/api/contacts/none/open", b'{"by": "kim"}', 404),
        ("GET", "/livez", None, 200),
        ("GET", "/readyz", None, 200),
        ("GET", "/healthz", None, 200),
    ],
)
async def test_e4_answers_are_as_they_are_described(
    site: Site, method: str, path: str, body: bytes | None, status: int
) -> None:
    site.case()
    site.temporal.away = method == "GET" and path.startswith("/api/cases/")  # then the database's copy answers
    answer = await site.http.request(method, path, content=body, headers=BEARER)
    assert answer.status_code == status
    check_described(answer)
    if path.startswith("/api/"):
        check_described(await site.http.request(method, path, content=body))


async def test_e3_of_two_items_with_one_id_neither_is_started(site: Site) -> None:
    item = example()
    answer = await site.http.post("/api/invoices", json=[item, item], headers=BEARER)
    assert answer.status_code == 422
    check_described(answer)
    for one in answer.json()["items"]:
        (problem,) = one["problems"]
        assert problem["field"] == "invoice_id"
        assert "stands on item 2 too, so none of them is started" in problem["reason"]
