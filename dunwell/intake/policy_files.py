"""Reads the policy files. Every *.toml file of the folder is a policy."""

from collections.abc import Mapping
from pathlib import Path

from dunwell.domain.ladder_file import parse_policy
from dunwell.domain.ladder_problems import PolicyError, Problem
from dunwell.domain.policy import Policy, Trait
from dunwell.domain.toml_text import TomlFault, parse_toml
from dunwell.intake.jurisdiction_files import read_jurisdictions
from dunwell.texts.catalogue import Catalogue

FOLDER = Path(__file__).parents[2] / "policies"
DEFAULT_LADDER = "gentle-saas"


def traits_of(catalogue: Catalogue) -> dict[str, Trait]:
    """Return the traits of every message of the catalogue, in the form that the policy check needs."""
    return {key: Trait(**traits.model_dump()) for key, traits in catalogue.traits.items()}


def read_ladder(path: Path, traits: Mapping[str, Trait]) -> Policy:
    """Read one policy file. Raises PolicyError with every problem of the file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(str(path), f"cannot be read: {error.strerror}") from error
    return read_ladder_text(content, str(path), traits)


def read_ladder_text(content: bytes, name: str, traits: Mapping[str, Trait]) -> Policy:
    """Read the content of a policy file. `name` is how problems name it. Raises PolicyError with every problem."""
    try:
        data = parse_toml(content)
    except TomlFault as error:
        raise _unreadable(name, str(error)) from None
    laws = read_jurisdictions() if data.get("jurisdictions") else {}  # thirty files, which few ladders need
    return parse_policy(data, name, traits, laws)


def read_ladders(traits: Mapping[str, Trait], folder: Path = FOLDER) -> dict[str, Policy]:
    """Read every policy file of the folder, by name. Raises PolicyError for the first bad file."""
    return {path.stem: read_ladder(path, traits) for path in sorted(folder.glob("*.toml"))}


def _unreadable(name: str, reason: str) -> PolicyError:
    return PolicyError((Problem(file=name, step=None, reason=reason),))
