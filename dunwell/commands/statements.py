"""Commands about bank statements: what one would bring, its booking, and how the CSV files of a bank are read."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from dunwell.client.cases import Cases
from dunwell.client.statements import StatementBooking, read_and_preview
from dunwell.commands.common import REFUSED, Columns, InDialect, Json, from_database, opened_database, with_cases_of
from dunwell.commands.output import print_json, print_table, say, warn
from dunwell.commands.principal import current_principal, principal_in
from dunwell.domain.refusal import Refused
from dunwell.domain.statement_layout import StatementLayout
from dunwell.intake.csv_dialect import read_dialect
from dunwell.intake.statement_layouts import layout_of
from dunwell.services.statements import StatementLine, StatementPreview
from dunwell.settings import load_settings
from dunwell.store import statement_layouts
from dunwell.views.statements import preview_facts

_SHOWN = 200
_LONGEST = 60


def statement(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="camt.052, .053, .054, MT940, MT942, OFX, or CSV.")],
    book: Annotated[
        bool, typer.Option("--book", help="Book it; without this, what would happen is shown only.")
    ] = False,
    accept_partial: Annotated[
        bool, typer.Option("--accept-partial", help="Book what can be read of a file that is damaged or incomplete.")
    ] = False,
    layout: Annotated[
        str | None, typer.Option("--layout", metavar="NAME", help="How a CSV file is read; see statement-layout.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every entry, known and outgoing ones too.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a bank statement would bring, and with --book book it.

    Nothing is booked twice: not when the same file comes again, not from files that overlap, and not from files of
    another format that tell the same. Money is booked by our own payment reference, or by invoice numbers and their
    exact sum; all else is proposed to a person, or waits in `starter.py unmatched`.
    """
    settings = load_settings()
    with opened_database(settings) as database:
        content = _content(file)
        days, now = settings.unmatched_days, datetime.now(UTC)
        preview, found = read_and_preview(database, days, content, file.name, layout, now)
        if book:

            async def run(cases: Cases) -> StatementPreview:
                booking = StatementBooking(database, cases, days)
                who = current_principal(database)
                return await booking.book(preview, found, who, accept_partial=accept_partial)

            if preview.problems and not accept_partial and not as_json:
                _show_problems(preview)
            preview = with_cases_of(database, settings, run)
    if as_json:
        print_json(preview_facts(preview) | {"booked": book})
    else:
        _show(preview, everything=everything, booked=book)
    if preview.problems and not accept_partial:
        raise typer.Exit(REFUSED)


def statement_layout(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Such as the bank's name.")] = None,
    account: Annotated[str | None, typer.Option("--account", help="Our account: its IBAN.")] = None,
    currency: Annotated[str, typer.Option("--currency", help="That of the account.")] = "EUR",
    columns: Columns = None,
    dialect: InDialect = None,
    as_json: Json = False,
) -> None:
    """Say once how the CSV files of a bank are read, or show how they are.

    --map 'Buchungstag=booked_on' says what a column holds: booked_on; amount, or money_in and money_out; and as far
    as there are value_on, currency, text, references, reference, end_to_end_id, payer_name, payer_iban, balance.
    Several columns may hold text or references. --dialect says what files leave open: decimal-comma,day-first.
    """
    settings = load_settings()
    if name is None or (account is None and not columns):
        known = from_database(
            settings,
            lambda session: {
                one: statement_layouts.find(session, one)
                for one in (statement_layouts.names(session) if name is None else [name])
            },
        )
        if as_json:
            print_json(known)
        else:
            _show_layouts(known)
        return
    if not account:
        raise Refused("--account", "is missing: say the IBAN of the account whose files these are")
    made = _layout(account, currency, columns or [], dialect)
    with opened_database(settings) as database, database.writing_beside_customers() as session:
        statement_layouts.put(session, name, made, principal_in(session), datetime.now(UTC))
    say(f"{name}: kept; read a file by `starter.py statement FILE --layout {name}`")


def _layout(account: str, currency: str, columns: Sequence[str], dialect: str | None) -> StatementLayout:
    way = read_dialect(dialect or "")
    held = defaultdict[str, list[str]](list)
    for item in columns:
        title, mark, field = (part.strip() for part in item.rpartition("="))
        if not mark or not title:
            raise Refused("--map", f"{item[:_LONGEST]!r} is not COLUMN=FIELD: write --map 'Buchungstag=booked_on'")
        held[field].append(title)
    try:
        return layout_of(account, currency, held, way)
    except Refused as refused:
        of_columns = refused.field == "message"
        advice = "; `statement-layout --help` lists what a column may hold" if of_columns else ""
        raise Refused("--map" if of_columns else f"--{refused.field}", refused.reason + advice) from None


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Refused("FILE", f"{file.name} cannot be read: {error.strerror}") from None


def _show(preview: StatementPreview, *, everything: bool, booked: bool) -> None:
    known = ", the very same file was booked before" if preview.known else ""
    entries = "1 entry" if len(preview.lines) == 1 else f"{len(preview.lines)} entries"
    say(f"{preview.name}: {preview.format.value}, {entries}{known}")
    for remark in preview.remarks:
        say(f"note: {remark}")
    _show_problems(preview)
    lines = [line for line in preview.lines if everything or not line.quiet]
    print_table(
        ("booked on", "amount", "from", "text", "what follows", "invoices", "why"),
        [_cells(line) for line in lines[:_SHOWN]],
    )
    if len(lines) > _SHOWN:
        say(f"and {len(lines) - _SHOWN} more; --json shows all")
    print_table(("what follows", "entries", "sum"), [_total(one) for one in preview_facts(preview)["totals"]])
    if not booked:
        say("nothing is booked: add --book")


def _show_problems(preview: StatementPreview) -> None:
    for problem in preview.problems[:_SHOWN]:
        warn(f"problem: {problem}")


def _cells(line: StatementLine) -> tuple[str, ...]:
    entry = line.entry
    sign = "" if entry.direction.value == "in" else "-"
    parts = ", ".join(f"{part.invoice_id}={part.amount}" for part in line.parts)
    return (
        str(entry.booked_on),
        f"{sign}{entry.amount} {entry.currency}",
        entry.payer_name or entry.payer_iban or "",
        " ".join((*entry.references, entry.text))[:_LONGEST],
        line.verdict.value,
        parts,
        line.why,
    )


def _total(one: dict[str, Any]) -> tuple[str, str, str]:
    return one["verdict"].value, str(one["entries"]), f"{Decimal(one['sum'])} {one['currency']}"


def _show_layouts(known: dict[str, StatementLayout]) -> None:
    rows = [
        (
            name,
            one.account,
            one.currency,
            ", ".join(f"{'+'.join(titles)}={field}" for field, titles in one.columns.items()),
            ", ".join(filter(None, (one.decimals, one.days, one.separator, one.encoding))) or "as each file shows",
        )
        for name, one in known.items()
    ]
    print_table(("layout", "account", "currency", "columns", "written"), rows, "no layout is kept yet")
