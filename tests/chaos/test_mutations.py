"""Every build that is broken on purpose can still be built, and each guarantee that the checker judges has one."""

from pathlib import Path

import pytest

from tests.chaos.checker import RULES
from tests.chaos.mutations.__main__ import PATCHES, guarantee
from tests.patched import ROOT, apply


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_every_mutation_fits_this_tree(patch: Path) -> None:
    apply(patch, ROOT, "--check")


def test_every_guarantee_of_the_checker_is_broken_by_a_mutation() -> None:
    judged = {rule.partition(" ")[0] for rule in RULES} | {"G11"}  # by the replays
    assert {guarantee(patch) for patch in PATCHES} == judged
