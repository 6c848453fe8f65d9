"""Reads the files of jurisdictions/debt_advice: every *.toml names the services of a country."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from dunwell.domain.debt_advice import DebtAdvice
from dunwell.domain.refusal import refusal_of
from dunwell.domain.toml_text import TomlFault, parse_toml

FOLDER = Path(__file__).parents[2] / "jurisdictions" / "debt_advice"
_SERVICES = TypeAdapter(tuple[DebtAdvice, ...])


@cache
def debt_advice(folder: Path = FOLDER) -> Mapping[str, Sequence[DebtAdvice]]:
    """Return the services of each country, by its code such as "GB". Raises ValueError naming file and field."""
    return {path.stem.upper(): _read(path) for path in sorted(folder.glob("*.toml"))}


def _read(path: Path) -> Sequence[DebtAdvice]:
    try:
        data = parse_toml(path.read_bytes())
        if set(data) != {"service"}:
            raise ValueError(f"{path.name}: holds [[service]] tables and nothing else")
        return _SERVICES.validate_python(data["service"])
    except TomlFault as error:
        raise ValueError(f"{path.name}: {error}") from None
    except ValidationError as error:
        raise ValueError(f"{path.name}: service {refusal_of(error)}") from None
