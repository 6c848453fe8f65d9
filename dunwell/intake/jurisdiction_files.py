"""Reads the files of jurisdictions/: every *.toml is the law of a country, every one in its rates/ a base rate."""

from functools import cache
from pathlib import Path
from typing import Any

from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.jurisdiction_file import LawError, LawFault, parse_jurisdiction, parse_series
from dunwell.domain.rate_series import RateSeries
from dunwell.domain.toml_text import TomlFault, parse_toml

FOLDER = Path(__file__).parents[2] / "jurisdictions"


@cache
def known_codes() -> frozenset[str]:
    """Return the codes of the countries whose law has a file, such as "DE", complete or not."""
    return frozenset(path.stem.upper() for path in FOLDER.glob("*.toml"))


def read_series(folder: Path = FOLDER) -> dict[str, RateSeries]:
    """Read every base rate, by name. Raises LawError with the faults of every bad file."""
    found: dict[str, RateSeries] = {}
    faults: list[LawFault] = []
    for path in sorted((folder / "rates").glob("*.toml")):
        try:
            found[path.stem] = parse_series(_read(path), str(path))
        except LawError as error:
            faults += error.faults
    if faults:
        raise LawError(faults)
    return found


def read_jurisdictions(folder: Path = FOLDER) -> dict[str, Jurisdiction]:
    """Read the law of every country, by its code such as "DE". Raises LawError with the faults of every bad file."""
    series = read_series(folder)
    found: dict[str, Jurisdiction] = {}
    faults: list[LawFault] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            law = parse_jurisdiction(_read(path), str(path), series)
            found[law.code] = law
        except LawError as error:
            faults += error.faults
    if faults:
        raise LawError(faults)
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        return parse_toml(path.read_bytes())
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from error
    except TomlFault as error:
        raise _unreadable(path, str(error)) from None


def _unreadable(path: Path, reason: str) -> LawError:
    return LawError([LawFault(file=str(path), place=None, reason=reason)])
