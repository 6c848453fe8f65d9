"""Reads the tables of docs/stages.md."""

from pathlib import Path

_PAGE = Path(__file__).parents[2] / "docs" / "stages.md"

STAYS, REFUSED = "·", "✗"


def tables() -> tuple[list[list[str]], ...]:
    """Each table as rows of cells, its header first: the columns, the events, and the table itself."""
    found: list[list[list[str]]] = []
    inside = False
    for line in _PAGE.read_text(encoding="utf-8").splitlines():
        row = line.startswith("|")
        if row and not inside:
            found.append([])
        if row and not line.startswith("|---"):
            found[-1].append([cell.strip().strip("*`") for cell in line.strip("|").split("|")])
        inside = row
    return tuple(found)


def explained(number: int) -> list[str]:
    """The names in the first column of a legend: 0 explains the columns, 1 the events."""
    return [name for name, _ in tables()[number][1:]]


def cells() -> list[tuple[str, str, str]]:
    """(event, standing, what the page says). A row that is too short or too long is an error."""
    (_, *standings), *rows = tables()[2]
    return [
        (event, standing, cell)
        for event, *outcomes in rows
        for standing, cell in zip(standings, outcomes, strict=True)
    ]
