"""What the repository may not hold: unpinned requirements, package indexes, secrets. Works without a network."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")
LOCK = "requirements-lock.txt"

PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[a-z0-9,_-]+\])?==(?P<version>[A-Za-z0-9.!+]+)( ; [^#]+)?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
FORBIDDEN = {
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "SendGrid key": re.compile(r"\bSG\.[\w-]{16,}\.[\w-]{16,}"),
    "Stripe key": re.compile(r"\b[sr]k_live_\w{10,}"),
    "AWS key": re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    "Twilio key": re.compile(r"\bSK[0-9a-f]{32}\b"),
    "GitHub token": re.compile(r"\bgh[pousr]_\w{30,}"),
    "token of a cloud": re.compile(r"\beyJ[\w-]{20,}\.eyJ[\w-]{20,}\.[\w-]{20,}"),
    "package index": re.compile(
        r"--(extra-)?index-url|--find-links|--trusted-host|PIP_(EXTRA_)?INDEX|\b[\w.-]*(pypi|pythonhosted)\.\w+/|/simple/"
    ),
}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: what is tracked cannot be told")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def lines_of(name: str) -> list[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def pins_of(name: str) -> dict[str, str]:
    """Version by normalised name, without hashes; a line that is no plain pin fails."""
    pins = {}
    for line in (written.removesuffix("\\").strip() for written in lines_of(name)):
        if line.startswith("--hash="):
            assert HASH.fullmatch(line), f"{name}: {line!r} is no SHA-256 hash"
            continue
        found = PIN.fullmatch(line)
        assert found, f"{name}: {line!r} is no pin; write name==version"
        pins[re.sub(r"[-_.]+", "-", found["name"]).lower()] = found["version"]
    return pins


def finds(text: str) -> list[str]:
    return [kind for kind, pattern in FORBIDDEN.items() if pattern.search(text)]


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_is_pinned_as_the_lock_has_it(name: str) -> None:
    lock = pins_of(LOCK)
    different = {package: (version, lock.get(package)) for package, version in pins_of(name).items()}
    assert {package: two for package, two in different.items() if two[0] != two[1]} == {}


def test_f10_every_pin_of_the_lock_has_hashes() -> None:
    """pip --require-hashes, which make install uses, accepts nothing else."""
    blocks = re.split(r"\n(?=[A-Za-z])", (ROOT / LOCK).read_text(encoding="utf-8").partition("\naiohappy")[2])
    assert len(blocks) > 50
    assert [block.splitlines()[0] for block in blocks if not HASH.search(block)] == []


def test_f10_the_licence_and_the_notice_are_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    assert [name for name in pins_of("requirements.txt") if name not in notice] == []


def test_no_tracked_file_holds_a_secret_or_an_index() -> None:
    found = {
        str(path.relative_to(ROOT)): kinds
        for path in tracked()
        if path != Path(__file__) and (kinds := finds(path.read_bytes().decode("utf-8", "replace")))
    }
    assert found == {}


def test_no_settings_database_or_key_file_is_tracked() -> None:
    kinds = {".key", ".pem", ".p12", ".pfx", ".sqlite", ".db"}
    names = {str(path.relative_to(ROOT)) for path in tracked() if path.suffix in kinds or path.name == ".env"}
    assert names == set()


def test_the_example_of_settings_holds_no_value() -> None:
    assert [line for line in lines_of(".env.example") if not re.fullmatch(r"[A-Z_]+=", line)] == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("SG." + "a" * 22 + "." + "b" * 43, "SendGrid key"),
        ("sk_" + "live_" + "c" * 24, "Stripe key"),
        ("AKIA" + "D" * 16, "AWS key"),
        ("-----BEGIN " + "EC PRIVATE KEY-----", "private key"),
        ("SK" + "0" * 32, "Twilio key"),
        ("ghp_" + "e" * 36, "GitHub token"),
        (".".join(["eyJ" + "f" * 30, "eyJ" + "g" * 30, "h" * 30]), "token of a cloud"),
        ("--index-" + "url https://packages.example/", "package index"),
        ("https://files.python" + "hosted.org/packages", "package index"),
    ],
    ids=lambda value: value if " " in value and len(value) < 20 else "",
)
def test_the_search_finds_what_it_looks_for(text: str, kind: str) -> None:
    assert finds(f"before {text} after") == [kind]
