"""The figures as rows of a CSV file: one number a row, named by section, item and figure."""

import csv
from collections.abc import Iterator
from typing import Any, TextIO

from dunwell.views.facts import Facts

HEADS = ("as_of", "currency", "section", "item", "figure", "value")

_ITEMS: dict[str, tuple[str, ...]] = {
    "ageing": ("bucket",),
    "months": ("from", "to"),
    "steps": ("policy", "step"),
    "calls": ("kind", "result"),
    "deliverability": ("channel",),
    "trend": ("day",),
}
"""The lists of figures, and the fields that name an item of each."""


def write_csv(file: TextIO, found: Facts) -> None:
    """Write the figures of all currencies. What cannot be computed is an empty value."""
    writer = csv.writer(file)
    writer.writerow(HEADS)
    for one in found["figures"]:
        for row in _rows(one, ""):
            writer.writerow((found["as_of"], one["currency"], *row))


def _rows(facts: Facts, section: str) -> Iterator[tuple[str, str, str, Any]]:
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from _rows(value, name)
        elif name in _ITEMS and isinstance(value, list):
            for item in value:
                yield from _item(item, section or name, _ITEMS[name])
        elif name != "currency":
            yield section, "", name, _cell(value)


def _item(item: Facts, section: str, named_by: tuple[str, ...]) -> Iterator[tuple[str, str, str, Any]]:
    label = " ".join(str(item[name]) for name in named_by)
    for name, value in item.items():
        if name in named_by:
            continue
        if isinstance(value, dict):
            for key, amount in value.items():
                yield section, label, f"{name} {key}", _cell(amount)
        else:
            yield section, label, name, _cell(value)


def _cell(value: Any) -> Any:
    return "" if value is None else value
