"""The shipped ladders by name, version and digest, as they were released: tests/intake/released.txt.

python -m tests.intake.released    adds what is new; a line that exists is never changed
"""

import hashlib
import json
from pathlib import Path

from dunwell.domain.policy import Policy
from dunwell.intake.policy_files import read_ladders, traits_of
from dunwell.texts.catalogue import Catalogue

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_suffix(".txt")


def digest(policy: Policy) -> str:
    """Stands for all that the ladder says; a key that came later and has its usual value says nothing."""
    said = policy.model_dump(mode="json", exclude_defaults=True)
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:24]


def shipped() -> dict[tuple[str, int], str]:
    """Digest by name and version."""
    ladders = read_ladders(traits_of(Catalogue.load(ROOT / "messages")))
    return {(policy.name, policy.version): digest(policy) for policy in ladders.values()}


def released() -> dict[tuple[str, int], str]:
    """The same, as released."""
    rows = (line.split() for line in FILE.read_text(encoding="utf-8").splitlines())
    return {(name, int(version)): found for name, version, found in rows}


if __name__ == "__main__":
    both = shipped() | (released() if FILE.exists() else {})
    lines = [f"{name} {version} {found}" for (name, version), found in sorted(both.items())]
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
