"""Whether an answer is as the API describes it."""

import json
import re
from functools import cache
from typing import Any
from unittest.mock import MagicMock

import httpx
import jsonschema_rs

from dunwell.web.app import make_app


@cache
def description() -> dict[str, Any]:
    service = MagicMock()
    service.keys.hosts = frozenset()
    return make_app(service).openapi()


def validator(schema: dict[str, Any]) -> Any:
    """A check of JSON values against a schema of the description."""
    return jsonschema_rs.validator_for(schema | {"components": description()["components"]})


def _operation(method: str, path: str) -> dict[str, Any] | None:
    paths = description()["paths"]
    shapes = {template: re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template)) for template in paths}
    found = [template for template, shape in shapes.items() if re.fullmatch(shape, path)]
    exact = sorted(found, key=lambda template: template.count("{"))
    operation = paths[exact[0]].get(method.lower()) if exact else None
    return operation if isinstance(operation, dict) else None


def check_described(response: httpx.Response) -> None:
    """The answer's status is described for its address, and its body fits the schema. Other addresses pass."""
    request = response.request
    operation = _operation(request.method, request.url.path)
    if operation is None:
        return
    described = operation["responses"]
    assert str(response.status_code) in described, f"{request.method} {request.url.path}: {response.status_code}"
    content = described[str(response.status_code)].get("content")
    if content is None:
        assert not response.content
        return
    schema = content["application/json"]["schema"]
    validator(schema).validate(json.loads(response.content))
