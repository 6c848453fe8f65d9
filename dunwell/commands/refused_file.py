"""The file of refused lines that a command writes: the lines as they stand in the file, with the reasons."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from dunwell.commands.output import say, warn
from dunwell.intake.source_lines import SourceLines, refused_lines

RefusedFile = Annotated[
    Path | None,
    typer.Option("--refused", metavar="FILE", help="Write the refused lines there, as CSV with their reasons."),
]


def check_refused_file(refused: Path | None, file: str) -> None:
    """Raise typer.BadParameter where the refused lines would replace the file that they come from."""
    if refused is not None and file != "-" and refused.resolve() == Path(file).resolve():
        raise typer.BadParameter("--refused names the file that is read: write the refused lines to another one")


def keep_refused(refused: Path | None, source: SourceLines | None, reasons: Mapping[str, Sequence[str]]) -> None:
    """Write the refused lines, in place of those of an earlier run; without any, the titles alone."""
    if refused is None:
        return
    if source is None:
        warn(f"{refused.name} is not written: no line of the file could be told from another")
        return
    try:
        refused.write_text(f"\ufeff{refused_lines(source, reasons)}", encoding="utf-8", newline="")
    except OSError as error:
        raise typer.BadParameter(f"{refused}: cannot be written: {error.strerror or type(error).__name__}") from None
    say(f"{len(reasons)} refused {'line' if len(reasons) == 1 else 'lines'} written to {refused}")
