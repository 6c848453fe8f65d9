"""The same commit has the same verdict, also on a machine that is busy."""

import re
from pathlib import Path

from hypothesis import settings

from tests.gateways.fakes import PATIENT

TESTS = Path(__file__).parent
_SHORT = re.compile(r"\btimeout(?:=|\()(\d+(?:\.\d+)?)\b")


def test_t1_what_hypothesis_draws_is_fixed() -> None:
    fixed = settings.get_profile("fixed")
    assert fixed.derandomize
    assert fixed.deadline is None


def test_t2_no_test_waits_less_than_ten_seconds_for_an_answer() -> None:
    """An answer that is not to come is waited for with HASTY of tests/gateways/fakes.py."""
    short = {
        f"{path.relative_to(TESTS)}: {found[0]}"
        for path in TESTS.rglob("*.py")
        if path != Path(__file__)
        for found in _SHORT.finditer(path.read_text(encoding="utf-8"))
        if float(found[1]) < PATIENT
    }
    assert short - {"local/test_settings.py: timeout=5"} == set()  # that one is part of a database URL
