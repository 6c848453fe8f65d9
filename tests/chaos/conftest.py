"""What the tests of the checker share."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def copy(good: Path, tmp_path: Path) -> Path:
    """A copy of the evidence of a good run, which each module writes in its fixture `good`, to plant faults in."""
    return shutil.copytree(good, tmp_path / "copy")
