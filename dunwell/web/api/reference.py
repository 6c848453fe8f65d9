"""The API's reference as a page, made of its OpenAPI description. It loads nothing, neither script nor style."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

_HERE = Path(__file__).parent
_STYLE = (_HERE / "templates" / "reference.css").read_text(encoding="utf-8")
_HASH = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_TEMPLATES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """A field, a parameter or an answer: its name, what it may be, and what it means."""

    name: str
    kind: Markup
    about: str
    needed: bool = False


async def reference(request: Request) -> HTMLResponse:
    """Answer the page. It is the same for everybody and holds no data, so it needs no key."""
    described = request.app.openapi()
    text = _TEMPLATES.get_template("reference.html").render(
        style=Markup(_STYLE),
        title=described["info"]["title"],
        about=described["info"]["description"],
        operations=list(_operations(described["paths"])),
        webhooks=list(_operations(described["webhooks"])),
        schemas=[(name, schema.get("description", ""), rows_of(schema)) for name, schema in _schemas(described)],
    )
    return HTMLResponse(text, headers=_HEADERS)


def _schemas(described: Schema) -> list[tuple[str, Schema]]:
    return sorted(described["components"]["schemas"].items())


def _operations(paths: Schema) -> Iterator[dict[str, Any]]:
    for path, operations in paths.items():
        for method, one in operations.items():
            yield {
                "method": method.upper(),
                "path": path,
                "summary": one["summary"],
                "about": one.get("description", ""),
                "guarded": bool(one["security"]),
                "parameters": [_parameter(item) for item in one.get("parameters", ())],
                "body": _body_of(one.get("requestBody")),
                "answers": [Row(status, _body_of(answer), answer["description"]) for status, answer in _answers(one)],
            }


def _parameter(item: Schema) -> Row:
    return Row(item["name"], kind_of(item["schema"]), item.get("description", ""), item.get("required", False))


def _answers(operation: Schema) -> list[tuple[str, Schema]]:
    return sorted(operation["responses"].items())


def _body_of(holder: Schema | None) -> Markup:
    content = (holder or {}).get("content", {})
    if "application/json" in content:
        return kind_of(content["application/json"]["schema"])
    return escape(" or ".join(content))  # a file: there is no more to say of it than its kind


def rows_of(schema: Schema) -> list[Row]:
    """Return the fields of an object's schema."""
    needed = schema.get("required", ())
    return [
        Row(name, kind_of(one), one.get("description", ""), name in needed)
        for name, one in schema.get("properties", {}).items()
    ]


def kind_of(schema: Schema) -> Markup:
    """Return in a few words what a value may be; a schema with a name is a link to it."""
    if "$ref" in schema:
        return Markup('<a href="#{0}">{0}</a>').format(schema["$ref"].rpartition("/")[2])
    words = [schema["const"]] if "const" in schema else schema.get("enum")
    if words is not None:
        return Markup(", ").join(Markup("<code>{}</code>").format(word) for word in words)
    for several, between in (("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")):
        if several in schema:
            return Markup(between).join(kind_of(one) for one in schema[several])
    if schema.get("type") == "array":
        return Markup("list of {}").format(kind_of(schema.get("items", {})))
    if schema.get("properties"):
        fields = Markup(", ").join(Markup("{} {}").format(row.name, row.kind) for row in rows_of(schema))
        return Markup("{{{}}}").format(fields)
    kind = schema.get("format") or schema.get("type", "any")
    return escape(" or ".join(kind) if isinstance(kind, list) else kind)
