"""The house as README draws it and as the import contracts guard it."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def _contracts() -> list[dict[str, object]]:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return list(config["tool"]["importlinter"]["contracts"])


def _rooms(folder: Path) -> set[str]:
    """The packages and modules of a folder, as README writes them."""
    packages = {f"{path.name}/" for path in folder.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    modules = {path.name for path in folder.glob("*.py") if path.name != "__init__.py"}
    return packages | modules


def _drawn() -> tuple[set[str], set[str]]:
    """The names README draws in the root, and those it draws inside dunwell/."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## How it is built")[2]
    drawing = [line for line in text.partition("Imports point down")[0].splitlines() if line.startswith("    ")]
    inside = {name for line in drawing if line.startswith("      ") for name in _names(line)}
    outside = {name for line in drawing if not line.startswith("      ") for name in _names(line)}
    return outside, inside


def _names(line: str) -> list[str]:
    return [word for word in re.split(r"  +", line.strip()) if re.fullmatch(r"[a-z_]+(/|\.py)", word)]


def test_readme_draws_every_room() -> None:
    outside, inside = _drawn()
    assert inside == _rooms(ROOT / "dunwell")
    assert {name for name in outside if name not in {"docs/", "policies/", "messages/", "jurisdictions/"}} == (
        {"dunwell/"} | _rooms(ROOT)
    )


def test_every_room_stands_in_a_contract() -> None:
    layers = [contract for contract in _contracts() if contract["type"] == "layers"]
    by_name = {name for contract in layers for name in re.findall(r"[\w.]+", str(contract["layers"]))}
    for path in (ROOT / "dunwell").iterdir():
        if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py"))):
            name = path.stem
            assert name.startswith("__") or {name, f"dunwell.{name}"} <= by_name, f"{name} stands in no contract"
    assert {"workflows", "activities", "bench"} <= by_name


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        pytest.param("workflows/options.py", "import dunwell.client.cases", "Arrows point down", id="upwards"),
        pytest.param("dunwell/domain/money.py", "import dunwell.store.tables", "Arrows point down", id="domain"),
        pytest.param("dunwell/texts/markup.py", "import dunwell.store.tables", "Texts know", id="beside"),
        pytest.param(
            "dunwell/services/message_claims.py", "import worker", "Nothing imports an entry point", id="worker"
        ),
        pytest.param(
            "dunwell/services/message_claims.py",
            "import dunwell.gateways.twilio.client",
            "A provider's folder",
            id="provider",
        ),
        pytest.param(
            "dunwell/services/message_claims.py", "import temporalio.activity", "know nothing of the", id="engine"
        ),
        pytest.param("dunwell/attic.py", "VALUE = 1", "Every room", id="a room without a place"),
    ],
)
def test_a_planted_wrong_import_breaks_a_contract(tmp_path: Path, module: str, line: str, contract: str) -> None:
    for package in ("dunwell", "workflows", "activities", "bench"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "worker.py", "starter.py"):
        shutil.copy(ROOT / file, tmp_path / file)
    planted = tmp_path / module
    planted.write_text((planted.read_text(encoding="utf-8") if planted.exists() else "") + f"\n{line}\n")
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    broken = "\n".join(text for text in done.stdout.splitlines() if text.endswith("BROKEN"))
    assert contract in broken or contract in done.stdout + done.stderr, done.stdout
