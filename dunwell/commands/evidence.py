"""Commands about evidence files: writing the whole record of a case, and checking such a file."""

from pathlib import Path
from typing import Annotated

import typer

from dunwell.commands.common import opened_database
from dunwell.domain.evidence import VerifiedChain, verify
from dunwell.settings import load_settings
from dunwell.views.evidence import as_text, check, gather, write_new


def evidence(
    invoice: Annotated[str | None, typer.Argument(metavar="INVOICE", help="The invoice_id.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write here. Default: standard output.")
    ] = None,
    verify_file: Annotated[
        Path | None, typer.Option("--verify", metavar="FILE", help="Check a file written before.")
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="As a chronology for people to read.")] = False,
) -> None:
    """Write all that is known of a case, line by line in a chain of hashes; or check such a file."""
    if (invoice is None) == (verify_file is None):
        raise typer.BadParameter("name an INVOICE, or a file with --verify FILE")
    if verify_file is not None:
        if out is not None:
            raise typer.BadParameter("--out does not go with --verify")
        verified = check(verify_file)
        typer.echo(as_text(verified).encode() if text else f"ok: {_summary(verified)}\n", nl=False)
        return
    settings = load_settings()
    with opened_database(settings) as database:
        content = gather(database, str(invoice), settings.sender_country)
    verified = verify(content)
    shown = as_text(verified).encode() if text else content
    if out is None:
        typer.echo(shown, nl=False)  # bytes: no terminal setting may change one of them
        typer.echo(_summary(verified), err=True)
    else:
        write_new(out, shown)
        typer.echo(f"{out}: {_summary(verified)}")


def _summary(verified: VerifiedChain) -> str:
    return f"{len(verified.records)} records, chain head {verified.head}"
