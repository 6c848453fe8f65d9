"""Commands that start cases for the invoices of a file, and that preview their steps."""

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.exc import SQLAlchemyError

from dunwell.bootstrap import NotReady, make_dependencies
from dunwell.client.bulk_start import RefusedInvoice, Result, start_all
from dunwell.client.cases import Cases
from dunwell.client.previews import contact_hours, due_far_off, notes_on, preview_facts, previewed, what_happens
from dunwell.client.registration import Registered, Registrar, known_cases, nobody_to_ask, without_people
from dunwell.client.starting import REHEARSAL_SPEED, Start
from dunwell.commands.common import (
    REFUSED,
    AsOf,
    Columns,
    File,
    FixedValues,
    InDialect,
    Json,
    check_set_up,
    connected,
    known_ladders,
    read_moment,
)
from dunwell.commands.output import local_time, print_json, print_table, say, warn
from dunwell.commands.principal import current_principal
from dunwell.commands.refused_file import RefusedFile, check_refused_file, keep_refused
from dunwell.domain.case import Case
from dunwell.domain.clock import FASTEST, Clock
from dunwell.domain.invoice import Customer, Invoice
from dunwell.domain.ladder import PreviewLine
from dunwell.domain.people_change import Change
from dunwell.domain.policy import Policy
from dunwell.domain.refusal import Refused
from dunwell.intake.csv_columns import read_column_map
from dunwell.intake.csv_dialect import read_dialect
from dunwell.intake.invoices import InvoiceFile, Refusal, read_file
from dunwell.intake.source_lines import reasons_by_place
from dunwell.services.dependencies import Dependencies
from dunwell.services.opening import foreseen
from dunwell.settings import load_settings
from dunwell.store.database import Database

_REFUSALS_SHOWN = 1_000
_NAMED = 5  # customers named in one line
_CHANGES_SHOWN = 200


def start(
    file: File,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Live through it in fast motion; no real provider is reached.")
    ] = False,
    speed: Annotated[
        float | None, typer.Option("--speed", help="Rehearsal: seconds of the case per real second (86400).")
    ] = None,
    as_of: AsOf = None,
    id_prefix: Annotated[
        str,
        typer.Option("--id-prefix", help="Rehearsal: goes before each invoice id, which stays free for real cases."),
    ] = "",
    dialect: InDialect = None,
    columns: Columns = None,
    fixed: FixedValues = None,
    refused: RefusedFile = None,
) -> None:
    """Start a case for every invoice of a file. Safe to run twice: nothing is started or sent again."""
    if not rehearse and (speed is not None or as_of is not None or id_prefix):
        raise typer.BadParameter("--speed, --as-of and --id-prefix only go with --rehearse")
    pace = REHEARSAL_SPEED if speed is None else speed
    if math.isnan(pace) or not 1 <= pace <= FASTEST:
        raise typer.BadParameter(f"--speed must lie between 1 and {FASTEST:.0f}")
    check_refused_file(refused, file)
    begins = read_moment("--as-of", as_of) if as_of else None
    read = _read(file, dialect, columns, fixed)
    found = [one.model_copy(update={"invoice_id": id_prefix + one.invoice_id}) for one in read.invoices]
    settings = load_settings()
    deps = make_dependencies(settings)
    check_set_up(deps.database)
    registrar, principal = Registrar(deps, known_ladders(deps.catalogue)), current_principal(deps.database)

    def register(some: Sequence[Invoice]) -> list[Registered | Refused]:
        now = datetime.now(UTC)
        clock = Clock(rehearsal=True, speed=pace, real=now, case=begins or now) if rehearse else Clock()
        registered = registrar.register_all(some, clock.case or now, clock, principal)
        changes.extend(change for one in registered if isinstance(one, Registered) for change in one.changes)
        return registered

    changes: list[Change] = []
    if rehearse:
        say(
            f"REHEARSAL from {(begins or datetime.now(UTC)):%Y-%m-%d %H:%M} UTC, {pace:,.0f} times real time. "
            "No real provider is reached; read the messages with `starter.py outbox`."
        )
    results: list[Result] = []

    async def run() -> str | None:
        case_client = Cases(await connected(settings), deps.database)
        with _progress(len(found)) as advance:

            def report(result: Result) -> None:
                results.append(result)
                advance()

            return await start_all(case_client, found, register, report)

    away = asyncio.run(run())
    deps.database.close()
    _warn_of_languages(registrar, found)
    now = datetime.now(UTC)
    for invoice in found:
        if far_off := due_far_off(invoice, now):
            warn(f"{invoice.invoice_id}: {far_off}")
    _print_changes(changes)
    not_started = [one for one in results if isinstance(one, RefusedInvoice)]
    problems: list[Refusal | RefusedInvoice] = [*read.refusals, *not_started]
    keep_refused(refused, read.source, _reasons(read, problems, id_prefix))
    _sum_up(results, problems, len(found), away)


def _warn_of_languages(registrar: Registrar, found: Sequence[Invoice]) -> None:
    """Name the customers who get messages in another language, because there are none in theirs."""
    customers: dict[str, list[str]] = {}
    for invoice in found:
        with suppress(Refused):
            if why := registrar.other_language(invoice):
                customers.setdefault(why, []).append(invoice.customer.customer_id)
    for why, ids in customers.items():
        names = list(dict.fromkeys(ids))
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        warn(f"language: {why}, for {', '.join(names[:_NAMED])}{more}. A language is one file in messages/.")


def _read(file: str, dialect: str | None, columns: Sequence[str] | None, fixed: Sequence[str] | None) -> InvoiceFile:
    asked, mapped = read_dialect(dialect or ""), read_column_map(columns or (), fixed_values=fixed or ())
    try:
        read = read_file(file, asked, mapped)
    except OSError as error:
        raise typer.BadParameter(f"{file}: cannot be read: {error.strerror or type(error).__name__}") from None
    if read.note:
        warn(read.note)
    return read


def _print_changes(changes: Sequence[Change]) -> None:
    """Print what the file changed about known customers and their contacts."""
    lines = list(dict.fromkeys(map(str, changes)))
    for line in lines[:_CHANGES_SHOWN]:
        say(f"changed: {line}")
    if len(lines) > _CHANGES_SHOWN:
        say(f"... and {len(lines) - _CHANGES_SHOWN} more changes; each stands in the timelines of its invoices")


def _reasons(read: InvoiceFile, problems: Sequence[Refusal | RefusedInvoice], id_prefix: str) -> dict[str, list[str]]:
    """Return why the line at each place is refused: as the file says it, or when its case was to be started."""
    reasons = reasons_by_place(read.refusals)
    for one in problems:
        if isinstance(one, RefusedInvoice):
            reasons.setdefault(read.places[one.invoice_id.removeprefix(id_prefix)], []).append(one.reason)
    return reasons


def _sum_up(
    results: list[Result], problems: Sequence[Refusal | RefusedInvoice], total: int, away: str | None
) -> None:
    _print_refusals(problems)
    left = total - len(results)
    if left:
        warn(f"{left} more not tried: the server went away. Run the same again; it starts only the rest.")
    counts = {kind: sum(result is kind for result in results) for kind in Start}
    refused = len({place for one in problems for place in _places(one)})
    named = [kind for kind in Start if kind not in {Start.PAID, Start.INTERRUPTED} or counts[kind]]
    if counts[Start.INTERRUPTED]:
        warn("interrupted: `starter.py reconcile` shows which; with --apply they begin again, at rest.")
    parts = [f"{counts[kind]} {kind.value}" for kind in named] + [f"{refused} refused"]
    say(", ".join(parts) + (f", {left} not tried" if left else ""))
    if problems or left or away or counts[Start.INTERRUPTED]:
        raise typer.Exit(REFUSED)


def _places(one: Refusal | RefusedInvoice) -> tuple[str, ...]:
    return (one.where, *one.also) if isinstance(one, Refusal) else (one.invoice_id,)


def _print_refusals(refused: Sequence[Refusal | RefusedInvoice]) -> None:
    for one in refused[:_REFUSALS_SHOWN]:
        warn(f"refused: {one}")
    if len(refused) > _REFUSALS_SHOWN:
        warn(f"... and {len(refused) - _REFUSALS_SHOWN} more problems")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("starting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal or not total) as bar:
        task = bar.add_task("starting", total=total)
        yield lambda: bar.advance(task)


def show_preview(
    file: File,
    as_of: AsOf = None,
    as_json: Json = False,
    dialect: InDialect = None,
    columns: Columns = None,
    fixed: FixedValues = None,
) -> None:
    """Show what would happen, when and why. It reckons that nobody pays or speaks; nothing is started."""
    now = read_moment("--as-of", as_of) if as_of else datetime.now(UTC)
    read = _read(file, dialect, columns, fixed)
    show_steps(make_dependencies(load_settings()), read.invoices, read.refusals, now, as_json)


def show_steps(
    deps: Dependencies, invoices: Sequence[Invoice], refusals: Sequence[Refusal], now: datetime, as_json: bool
) -> None:
    """Print what would happen to each invoice, and what was refused."""
    registrar = Registrar(deps, known_ladders(deps.catalogue))
    refused: list[Refusal | RefusedInvoice] = [*refusals]
    shown = []
    known, unasked = _known(deps.database, invoices)
    for invoice in invoices:
        try:
            policy = registrar.ladder(invoice)
            if invoice.invoice_id in unasked:
                raise nobody_to_ask()
        except Refused as problem:
            refused.append(RefusedInvoice(invoice.invoice_id, str(problem)))
            continue
        case = foreseen(invoice, policy, now)
        lines = previewed(deps, invoice, policy, case, now)
        notes = list(notes_on(deps, registrar, invoice, policy, now, known.get(invoice.invoice_id)))
        if as_json:
            shown.append(preview_facts(invoice, policy, case, lines, notes))
        else:
            _print_preview(invoice, policy, case, lines, notes)
    if as_json:
        print_json({"invoices": shown, "refused": [_refusal_facts(one) for one in refused]})
    else:
        _print_refusals(refused)
    if refused:
        raise typer.Exit(REFUSED)


def _known(database: Database, invoices: Sequence[Invoice]) -> tuple[dict[str, Case], set[str]]:
    """Return the cases that these invoices have already, by invoice, and the invoices with nobody to ask.

    Without a database that can be read no case and no customer is known.
    """
    with suppress(NotReady, SQLAlchemyError):
        check_set_up(database)
        with database.reading() as session:
            return known_cases(session, invoices), without_people(session, invoices)
    return {}, without_people(None, invoices)


def _refusal_facts(refusal: Refusal | RefusedInvoice) -> dict[str, Any]:
    if isinstance(refusal, RefusedInvoice):
        return {"where": f"invoice {refusal.invoice_id}", "field": "", "reason": refusal.reason}
    facts = {"where": refusal.where, "field": refusal.field, "reason": refusal.reason}
    further = {"value": refusal.value, "about": refusal.about or None}
    return facts | {name: said for name, said in further.items() if said is not None}


def _print_preview(
    invoice: Invoice, policy: Policy, case: Case, lines: Iterable[PreviewLine], notes: Sequence[str]
) -> None:
    customer: Customer = invoice.customer
    say(
        f"{invoice.invoice_id}: {_open(case)} due {invoice.due_on}, {customer.name}; "
        f"ladder {policy.name}@{policy.version}, {customer.time_zone}, "
        f"contacts {contact_hours(policy)} on business days"
    )
    for note in notes:
        say(f"  {note}")
    rows = [
        (
            local_time(line.at, customer.time_zone),
            line.step,
            what_happens(invoice, policy, line),
            line.why,
            "; ".join(line.closed),
        )
        for line in lines
    ]
    nothing = "Nothing would happen: its case ends at once, as paid." if case.ended else "Nothing would happen."
    print_table(("when there", "step", "what", "why", "days passed over"), rows, nothing)
    say("")


def _open(case: Case) -> str:
    """Return what is open, and of which amount if something was paid before."""
    amount = f"{case.money.amount} {case.currency}"
    if case.ended:
        rest = f", {case.credit} too much" if case.credit else f", {case.waived} waived" if case.waived else ""
        return f"wholly paid ({case.money.imported_paid} of {amount}{rest}),"
    return f"{case.open_amount} of {amount} open," if case.money.paid else amount
