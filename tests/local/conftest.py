"""Every test here runs in an empty folder, with none of the developer's own configuration in sight."""

import os
from pathlib import Path

import pytest

from settings import Settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("TEMPORAL_") or name.lower() in Settings.model_fields:
            monkeypatch.delenv(name)
    # Temporal looks for its profile file under one of these.
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
