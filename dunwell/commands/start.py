"""Commands that start cases for the invoices of a file, and that preview their steps."""

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dunwell.bootstrap import make_dependencies
from dunwell.client.bulk_start import RefusedInvoice, Result, start_all
from dunwell.client.cases import Cases
from dunwell.client.registration import Registered, Registrar
from dunwell.client.starting import REHEARSAL_SPEED, Start
from dunwell.commands.common import (
    REFUSED,
    AsOf,
    Columns,
    File,
    InDialect,
    Json,
    check_set_up,
    connected,
    known_ladders,
    read_moment,
)
from dunwell.commands.law_notes import law_notes
from dunwell.commands.output import local_time, print_json, print_table, say, warn, window
from dunwell.commands.principal import current_principal
from dunwell.domain.case import Case
from dunwell.domain.clock import FASTEST, Clock
from dunwell.domain.invoice import Customer, Invoice
from dunwell.domain.ladder import PreviewLine, preview
from dunwell.domain.next_action import standing
from dunwell.domain.people_change import Change
from dunwell.domain.policy import Policy
from dunwell.domain.recipients import Reach, audience
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import Role
from dunwell.intake.csv_columns import read_column_map
from dunwell.intake.csv_dialect import read_dialect
from dunwell.intake.invoices import InvoiceFile, Refusal, read_file
from dunwell.services.dependencies import Dependencies
from dunwell.services.opening import foreseen
from dunwell.settings import load_settings
from dunwell.texts.formatting import grouped_iban

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
    dialect: InDialect = None,
    columns: Columns = None,
) -> None:
    """Start a case for every invoice of a file. Safe to run twice: nothing is started or sent again."""
    if not rehearse and (speed is not None or as_of is not None):
        raise typer.BadParameter("--speed and --as-of only go with --rehearse")
    pace = REHEARSAL_SPEED if speed is None else speed
    if math.isnan(pace) or not 1 <= pace <= FASTEST:
        raise typer.BadParameter(f"--speed must lie between 1 and {FASTEST:.0f}")
    begins = read_moment("--as-of", as_of) if as_of else None
    read = _read(file, dialect, columns)
    found = read.invoices
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
    _print_changes(changes)
    _sum_up(results, read.refusals, len(found), away)


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


def _read(file: str, dialect: str | None, columns: Sequence[str] | None) -> InvoiceFile:
    asked, mapped = read_dialect(dialect or ""), read_column_map(columns or ())
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


def _sum_up(results: list[Result], refusals: Sequence[Refusal], total: int, away: str | None) -> None:
    problems: list[Refusal | RefusedInvoice] = [
        *refusals,
        *(result for result in results if isinstance(result, RefusedInvoice)),
    ]
    _print_refusals(problems)
    left = total - len(results)
    if left:
        warn(f"{left} more not tried: the server went away. Run the same again; it starts only the rest.")
    counts = {kind: sum(result is kind for result in results) for kind in Start}
    refused = len({place for one in problems for place in _places(one)})
    named = [kind for kind in Start if kind is not Start.PAID or counts[kind]]
    parts = [f"{counts[kind]} {kind.value}" for kind in named] + [f"{refused} refused"]
    say(", ".join(parts) + (f", {left} not tried" if left else ""))
    if problems or left or away:
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
    file: File, as_of: AsOf = None, as_json: Json = False, dialect: InDialect = None, columns: Columns = None
) -> None:
    """Show what would happen, when and why. It reckons that nobody pays or speaks; nothing is started."""
    now = read_moment("--as-of", as_of) if as_of else datetime.now(UTC)
    read = _read(file, dialect, columns)
    deps = make_dependencies(load_settings())
    registrar = Registrar(deps, known_ladders(deps.catalogue))
    refused: list[Refusal | RefusedInvoice] = [*read.refusals]
    shown = []
    for invoice in read.invoices:
        try:
            policy = registrar.ladder(invoice)
        except Refused as problem:
            refused.append(RefusedInvoice(invoice.invoice_id, str(problem)))
            continue
        case = foreseen(invoice, policy, now)
        lines = _previewed(deps, invoice, policy, case, now)
        notes = list(_notes(deps, registrar, invoice, policy, now))
        if as_json:
            shown.append(_preview_facts(invoice, policy, case, lines, notes))
        else:
            _print_preview(invoice, policy, case, lines, notes)
    if as_json:
        print_json({"invoices": shown, "refused": [_refusal_facts(one) for one in refused]})
    else:
        _print_refusals(refused)
    if refused:
        raise typer.Exit(REFUSED)


def _previewed(
    deps: Dependencies, invoice: Invoice, policy: Policy, case: Case, now: datetime
) -> tuple[PreviewLine, ...]:
    if case.ended:
        return ()
    return preview(policy, standing(case), deps.calendar(invoice.customer, policy, invoice, now), now)


def _preview_facts(
    invoice: Invoice, policy: Policy, case: Case, lines: Iterable[PreviewLine], notes: Sequence[str]
) -> dict[str, Any]:
    zone = ZoneInfo(invoice.customer.time_zone)
    return {
        "invoice_id": invoice.invoice_id,
        "number": invoice.number,
        "customer": invoice.customer.name,
        "amount": invoice.amount,
        "paid": round(case.money.paid, case.money.digits),
        "amount_due": case.open_amount,
        "credit": case.credit,
        "currency": invoice.currency,
        "due_on": invoice.due_on,
        "policy": {"name": policy.name, "version": policy.version},
        "time_zone": invoice.customer.time_zone,
        "window": window(policy),
        "notes": notes,
        "steps": [_step_facts(invoice, policy, line, zone) for line in lines],
    }


def _step_facts(invoice: Invoice, policy: Policy, line: PreviewLine, zone: ZoneInfo) -> dict[str, Any]:
    reached = _reached(invoice, policy, line)
    return line.model_dump() | {
        "to": list(dict.fromkeys(one.role for one in reached)),
        "by": list(dict.fromkeys(one.channel for one in reached)),
        "reached": [one.model_dump() for one in reached],
        "copies": _copied(invoice, line, reached),
        "announces": policy.step(line.step).announces,
        "local": line.at.astimezone(zone).isoformat(),
    }


def _reached(invoice: Invoice, policy: Policy, line: PreviewLine) -> tuple[Reach, ...]:
    """Return which of the contacts named in the invoice's record a step reaches."""
    if line.message is None:
        return ()
    people = (*(invoice.contacts or ()), *invoice.customer.contacts)
    return audience(people, line.to, line.by, named_only=policy.named_only)


def _copied(invoice: Invoice, line: PreviewLine, reached: Sequence[Reach]) -> list[Role]:
    """Return the roles that get a copy: they have an e-mail address, and the message itself does not reach them."""
    people = (*(invoice.contacts or ()), *invoice.customer.contacts)
    mailed = {one.role for one in people if one.email} - {one.role for one in reached}
    return [role for role in line.copies if role in mailed]


def _refusal_facts(refusal: Refusal | RefusedInvoice) -> dict[str, Any]:
    if isinstance(refusal, RefusedInvoice):
        return {"where": f"invoice {refusal.invoice_id}", "field": "", "reason": refusal.reason}
    facts = {"where": refusal.where, "field": refusal.field, "reason": refusal.reason}
    return facts | ({} if refusal.value is None else {"value": refusal.value})


def _notes(
    deps: Dependencies, registrar: Registrar, invoice: Invoice, policy: Policy, now: datetime
) -> Iterator[str]:
    """Yield notes on what people may not expect in the messages of this invoice, and on what the law says of them."""
    if why := registrar.other_language(invoice):
        yield f"language: {why}"
    if invoice.payment_url is None:
        account = deps.sender.account_for(invoice.currency)
        where = f"to our account {grouped_iban(account.iban)}" if account else "by the bank details on the invoice"
        yield f"no payment_url: messages ask for a bank transfer {where}"
    yield from law_notes(deps, invoice, policy, now)


def _print_preview(
    invoice: Invoice, policy: Policy, case: Case, lines: Iterable[PreviewLine], notes: Sequence[str]
) -> None:
    customer: Customer = invoice.customer
    say(
        f"{invoice.invoice_id}: {_open(case)} due {invoice.due_on}, {customer.name}; "
        f"ladder {policy.name}@{policy.version}, {customer.time_zone}, contacts {window(policy)} on business days"
    )
    for note in notes:
        say(f"  {note}")
    rows = [
        (
            local_time(line.at, customer.time_zone),
            line.step,
            _what(invoice, policy, line),
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


def _what(invoice: Invoice, policy: Policy, line: PreviewLine) -> str:
    if line.do.value == "skip":
        return "left out"
    parts = []
    reached = _reached(invoice, policy, line)
    if line.message:
        parts.append(f"{line.message} {_to_whom(invoice, line, reached)}")
    parts += [f"announces {step}" for step in policy.step(line.step).announces]
    copied = _copied(invoice, line, reached)
    parts += [f"copy to {', '.join(copied)}"] if copied else []
    parts += [f"access {line.access.value}"] if line.access else []
    parts += [f"stage {line.stage.value}"] if line.stage else []
    parts += [f"ends {line.ends.value}"] if line.ends else []
    parts += ["once our manager says yes"] if line.approval else []
    return "; ".join(parts)


def _to_whom(invoice: Invoice, line: PreviewLine, reached: Sequence[Reach]) -> str:
    if not invoice.names_contacts:
        return f"to those of {', '.join(line.to)} who are known, by {' or '.join(line.by)}"
    if not reached:
        return "reaches nobody of this invoice: a person is asked"
    whom = ", ".join(dict.fromkeys(f"{one.role} by {one.channel}" for one in reached))
    return f"to {whom}" + (", since nobody whom the step names can be reached" if reached[-1].instead else "")
