"""docs/faults.md and the tests agree: each fault that was found has a test of its name."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
WITHOUT = {"F11"}
"""Told to people in docs/security.md, and nothing that a program could check."""


def listed() -> set[str]:
    return set(re.findall(r"^\| ([A-FT]\d+) \|", (ROOT / "docs" / "faults.md").read_text(encoding="utf-8"), re.M))


def tested() -> set[str]:
    named = re.compile(r"def test_([abcdeft]\d+)_")
    return {
        found.upper()
        for path in (ROOT / "tests").rglob("test_*.py")
        for found in named.findall(path.read_text(encoding="utf-8"))
    }


def test_each_fault_that_was_found_has_a_test() -> None:
    assert listed() - WITHOUT - tested() == set()


def test_each_test_of_a_fault_is_explained() -> None:
    assert tested() - listed() == set()
