"""Formats results as aligned Markdown tables, for the terminal and for docs/."""

from collections.abc import Sequence


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table whose first column is text and whose others are figures."""
    lines = [[*heads], [":--", *("--:" for _ in heads[1:])], *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that this percentage of `values` does not exceed. `values` must not be empty."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, -int(-len(ranked) * percent // 100) - 1))]
