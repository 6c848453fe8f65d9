"""Ask for invoices to be paid, and tell each case what happened.

The door for the billing system and for agents. Server and database are those of the environment or of `.env`, else
those of a running `make up`.
"""

import asyncio
import math
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar
from zoneinfo import ZoneInfo

import typer
from pydantic_core import to_json
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from temporalio.client import Client, RPCError
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from activities.desk import Desk
from activities.wording import Catalogue, CatalogueError
from domain.clock import Clock
from domain.invoice import Customer, Invoice
from domain.ladder import NextAction, PreviewLine, Standing, preview
from domain.ladder_problems import PolicyError
from domain.moves import Move
from domain.policy import Policy, Trait
from domain.refusal import Refused
from domain.terms import Stage
from intake.cases import (
    REHEARSAL_SPEED,
    Cases,
    How,
    Known,
    NoAnswer,
    Result,
    ServerAway,
    Start,
    Unfit,
    check_known,
    start_all,
    stored_status,
)
from intake.evidence_command import add_evidence
from intake.invoices import Refusal, open_invoices
from intake.ladders import read_ladder, read_ladders
from intake.moves import Moves, as_seen, read_ref, read_seen
from intake.moves import Told as Moved
from intake.registrar import Registrar
from settings import Settings, SettingsError, load_settings
from store import accounts, cases, invoices, notes, outbox, tasks
from store.database import Database
from store.schema import is_current
from store.tables import CaseRow, CustomerRow, InvoiceRow, MessageRow, TaskRow
from worker import MESSAGES, NotReady, connect, make_desk
from workflows.messages import Status

REFUSED, NOT_READY = 1, 2
_FASTEST = 10_000_000
_PIPE_WIDTH = 200  # columns of a table that no terminal shows
_REFUSALS_SHOWN = 200

T = TypeVar("T")

app = typer.Typer(
    help=__doc__,
    epilog="Example: python starter.py start docs/examples/invoices.jsonl",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=False,
)
policy_app = typer.Typer(help="Ladders.", rich_markup_mode=None, no_args_is_help=True)
app.add_typer(policy_app, name="policy")

InvoiceId = Annotated[str, typer.Argument(metavar="INVOICE", help="The invoice_id of the invoice file.")]
By = Annotated[str, typer.Option("--by", help="Who says so: a role or an id, never a person's name.")]
Note = Annotated[str | None, typer.Option("--note", help="Free words; they stay in the database.")]
Json = Annotated[bool, typer.Option("--json", help="Plain JSON on standard output, and nothing else.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Leave it with the server and do not wait for the case.")]
RequestId = Annotated[
    str | None, typer.Option("--request-id", help="Repeat a request safely: the same id is carried out once.")
]
Reason = Annotated[str, typer.Option("--reason", help="A short code, such as hardship or small-balance.")]
OnlyInvoice = Annotated[str | None, typer.Option("--invoice", metavar="ID", help="Of this invoice only.")]
File = Annotated[str, typer.Argument(metavar="FILE|-", help="JSON, JSON Lines or CSV; - is standard input.")]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="TIME", help="The time it begins, such as 2027-03-01.")]


# Starting ------------------------------------------------------------------------------------------------


@app.command(epilog="Example: python starter.py start invoices.csv")
def start(
    file: File,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Live through it in fast motion; no real provider is reached.")
    ] = False,
    speed: Annotated[
        float | None, typer.Option("--speed", help="Rehearsal: seconds of the case per real second (86400).")
    ] = None,
    as_of: AsOf = None,
) -> None:
    """Start a case for every invoice of a file. Safe to run twice: nothing is started or sent again."""
    if not rehearse and (speed is not None or as_of is not None):
        raise typer.BadParameter("--speed and --as-of only go with --rehearse")
    pace = REHEARSAL_SPEED if speed is None else speed
    if math.isnan(pace) or not 1 <= pace <= _FASTEST:
        raise typer.BadParameter(f"--speed must lie between 1 and {_FASTEST}")
    begins = _moment("--as-of", as_of) if as_of else None
    found, refusals = _read(file)
    settings = load_settings()
    desk = make_desk(settings)
    _check_database(desk.database)
    registrar = Registrar(desk, _ladders(desk.catalogue))

    def register(invoice: Invoice) -> Any:
        now = datetime.now(UTC)
        clock = Clock(rehearsal=True, speed=pace, real=now, case=begins or now) if rehearse else Clock()
        return registrar.register(invoice, clock.case or now, clock)

    if rehearse:
        _say(
            f"REHEARSAL from {(begins or datetime.now(UTC)):%Y-%m-%d %H:%M} UTC, {pace:g} times real time. "
            "No real provider is reached; read the messages with `starter.py outbox`."
        )
    results: list[Result] = []

    async def run() -> str | None:
        talk = Cases(await _connect(settings), desk.database)
        with _progress(len(found)) as advance:

            def report(result: Result) -> None:
                results.append(result)
                advance()

            return await start_all(talk, found, register, report)

    away = asyncio.run(run())
    desk.database.close()
    _sum_up(results, refusals, len(found), away)


def _read(file: str) -> tuple[list[Invoice], list[Refusal]]:
    try:
        items = list(open_invoices(file))
    except OSError as error:
        raise typer.BadParameter(f"{file}: cannot be read: {error.strerror or type(error).__name__}") from None
    return (
        [item for item in items if isinstance(item, Invoice)],
        [item for item in items if isinstance(item, Refusal)],
    )


def _sum_up(results: list[Result], refusals: list[Refusal], total: int, away: str | None) -> None:
    unfit: list[Refusal | Unfit] = [*refusals, *(result for result in results if isinstance(result, Unfit))]
    _print_refusals(unfit)
    left = total - len(results)
    if left:
        _warn(f"{left} more not tried: the server went away. Run the same again; it starts only the rest.")
    counts = {kind: sum(result is kind for result in results) for kind in Start}
    refused = len({one.where if isinstance(one, Refusal) else one.invoice_id for one in unfit})
    parts = [f"{count} {kind.value}" for kind, count in counts.items()] + [f"{refused} refused"]
    _say(", ".join(parts) + (f", {left} not tried" if left else ""))
    if unfit or left or away:
        raise typer.Exit(REFUSED)


def _print_refusals(refused: Sequence[Refusal | Unfit]) -> None:
    for one in refused[:_REFUSALS_SHOWN]:
        _warn(f"refused: {one}")
    if len(refused) > _REFUSALS_SHOWN:
        _warn(f"... and {len(refused) - _REFUSALS_SHOWN} more problems")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("starting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal or not total) as bar:
        task = bar.add_task("starting", total=total)
        yield lambda: bar.advance(task)


# Telling a case what happened ----------------------------------------------------------------------------


@app.command(epilog="Example: python starter.py pay INV-2026-0417 1200.00 --payment-id bank-7731")
def pay(
    invoice: InvoiceId,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="What came in, such as 1200.00.")],
    payment_id: Annotated[str, typer.Option("--payment-id", help="The bank's or provider's id; it counts once.")],
    currency: Annotated[str | None, typer.Option("--currency", help="Default: the invoice's own.")] = None,
    method: Annotated[str | None, typer.Option("--method", help="Such as card or transfer.")] = None,
    received_at: Annotated[str | None, typer.Option("--received-at", metavar="TIME", help="Default: now.")] = None,
    no_wait: NoWait = False,
) -> None:
    """Record a payment. It arrives even when no worker runs, and even when the case has ended."""
    settings = load_settings()
    facts = {
        "payment_id": payment_id,
        "amount": amount,
        "currency": currency or _from_database(settings, lambda session: _currency(session, invoice)),
        "method": method,
        "received_at": _moment("--received-at", received_at).isoformat() if received_at else None,
    }
    _tell(invoice, "payment_received", facts, no_wait=no_wait, settings=settings)


@app.command("reverse-payment", epilog="Example: python starter.py reverse-payment INV-1 bank-7731 --reason bounced")
def reverse_payment(
    invoice: InvoiceId,
    payment_id: Annotated[str, typer.Argument(metavar="PAYMENT", help="The id it was recorded under.")],
    reason: Reason = "reversed",
    no_wait: NoWait = False,
) -> None:
    """Take a payment back: a returned debit, a chargeback. A paid case opens again."""
    _tell(invoice, "payment_reversed", {"payment_id": payment_id, "reason": reason}, no_wait=no_wait)


@app.command(epilog="Example: python starter.py promise INV-1 2027-03-12 --note 'Ms Vega called, pays on Friday'")
def promise(
    invoice: InvoiceId,
    day: Annotated[str, typer.Argument(metavar="DATE", help="When the money will be there, such as 2027-03-12.")],
    amount: Annotated[str | None, typer.Option("--amount", help="Default: all that is open.")] = None,
    promised_by: Annotated[
        str, typer.Option("--promised-by", help="Who promised: a role or an id, never a name.")
    ] = "debtor",
    via: Annotated[str | None, typer.Option("--via", help="Such as phone or email.")] = None,
    by: By = "agent",
    note: Note = None,
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """Record a promise to pay. Chasing rests until its day. --by is who notes it down."""
    facts = {"date": day, "amount": amount, "promised_by": promised_by, "via": via}
    _tell(invoice, "promise_to_pay", facts, note=note, author=by, no_wait=no_wait, request_id=request_id)


@app.command(epilog="Example: python starter.py dispute INV-1 --reason wrong-quantity --amount 300.00")
def dispute(
    invoice: InvoiceId,
    reason: Reason,
    amount: Annotated[str | None, typer.Option("--amount", help="The part in dispute. Default: all of it.")] = None,
    opened_by: Annotated[
        str, typer.Option("--opened-by", help="Who disputes: a role or an id, never a name.")
    ] = "debtor",
    by: By = "agent",
    note: Note = None,
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """Open a dispute. What is in dispute is not asked for. --by is who notes it down."""
    facts = {"reason": reason, "opened_by": opened_by, "amount": amount}
    _tell(invoice, "dispute_opened", facts, note=note, author=by, no_wait=no_wait, request_id=request_id)


@app.command(
    "resolve-dispute", epilog="Example: python starter.py resolve-dispute INV-1 adjusted --new-amount 900.00"
)
def resolve_dispute(
    invoice: InvoiceId,
    outcome: Annotated[
        str, typer.Argument(help="upheld: the debtor was right. rejected: we were. adjusted: see --new-amount.")
    ],
    new_amount: Annotated[str | None, typer.Option("--new-amount", help="What the invoice comes to now.")] = None,
    by: By = "agent",
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """Close the dispute of an invoice."""
    facts = {"outcome": outcome, "new_amount": new_amount, "by": by}
    _tell(invoice, "dispute_resolved", facts, no_wait=no_wait, request_id=request_id)


@app.command(epilog="Example: python starter.py plan INV-1 2027-04-01=600.00 2027-05-01=600.00")
def plan(
    invoice: InvoiceId,
    instalments: Annotated[
        list[str], typer.Argument(metavar="DATE=AMOUNT...", help="The instalments, in order; all that is open.")
    ],
    by: By = "agent",
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """Agree on instalments. A missed one ends the plan."""
    parts = [item.partition("=") for item in instalments]
    for day, mark, amount in parts:
        if not (day and mark and amount):
            raise typer.BadParameter("an instalment is written DATE=AMOUNT, such as 2027-04-01=600.00")
    facts = {"instalments": [{"date": day, "amount": amount} for day, _, amount in parts], "by": by}
    _tell(invoice, "payment_plan_agreed", facts, no_wait=no_wait, request_id=request_id)


@app.command(epilog="Example: python starter.py pause INV-1 --reason hardship --until 2027-04-01")
def pause(
    invoice: InvoiceId,
    reason: Reason,
    until: Annotated[str | None, typer.Option("--until", metavar="DATE", help="Default: until resumed.")] = None,
    by: By = "agent",
    note: Note = None,
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """Let a case rest. Payments still count."""
    facts = {"reason": reason, "until": until, "by": by}
    _tell(invoice, "pause", facts, note=note, author=by, no_wait=no_wait, request_id=request_id)


@app.command(epilog="Example: python starter.py resume INV-1")
def resume(invoice: InvoiceId, by: By = "agent", no_wait: NoWait = False, request_id: RequestId = None) -> None:
    """Go on with a paused case."""
    _tell(invoice, "resume", {"by": by}, no_wait=no_wait, request_id=request_id)


@app.command("call-outcome", epilog="Example: python starter.py call-outcome INV-1 promise --promise-date 2027-03-12")
def call_outcome(
    invoice: InvoiceId,
    outcome: Annotated[
        str,
        typer.Argument(
            help="paid, promise, dispute, no_answer, wrong_number, refused, call_back or reached.", metavar="OUTCOME"
        ),
    ],
    task: Annotated[
        str | None, typer.Option("--task", help="The task_id, by `tasks`. Default: the invoice's only open call.")
    ] = None,
    promise_date: Annotated[str | None, typer.Option("--promise-date", metavar="DATE", help="What was said.")] = None,
    promise_amount: Annotated[str | None, typer.Option("--promise-amount", help="Default: all that is open.")] = None,
    reason_code: Annotated[str | None, typer.Option("--reason-code", help="A short code.")] = None,
    by: By = "agent",
    note: Note = None,
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """Say what came of a call."""
    if promise_amount and not promise_date:
        raise typer.BadParameter("--promise-amount needs --promise-date")
    settings = load_settings()
    facts = {
        "task_id": task or _from_database(settings, lambda session: _only_call(session, invoice)),
        "outcome": outcome,
        "by": by,
        "promise": _given({"date": promise_date, "amount": promise_amount}) if promise_date else None,
        "reason_code": reason_code,
    }
    _tell(
        invoice,
        "call_outcome",
        facts,
        note=note,
        author=by,
        no_wait=no_wait,
        request_id=request_id,
        settings=settings,
    )


@app.command(epilog="Example: python starter.py amend INV-1 --due-on 2027-04-15")
def amend(
    invoice: InvoiceId,
    amount: Annotated[str | None, typer.Option("--amount", help="What the invoice comes to now.")] = None,
    due_on: Annotated[str | None, typer.Option("--due-on", metavar="DATE", help="When it is due now.")] = None,
    by: By = "agent",
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """Change an invoice's amount or due date."""
    facts = {"amount": amount, "due_on": due_on, "by": by}
    _tell(invoice, "invoice_amended", facts, no_wait=no_wait, request_id=request_id)


@app.command("write-off", epilog="Example: python starter.py write-off INV-1 --reason small-balance")
def write_off(
    invoice: InvoiceId,
    reason: Reason,
    by: By = "agent",
    note: Note = None,
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """Give an invoice up. The case ends and the account is free."""
    facts = {"reason": reason, "by": by}
    _tell(invoice, "write_off", facts, note=note, author=by, no_wait=no_wait, request_id=request_id)


@app.command(epilog="Example: python starter.py cancel INV-1 --reason credit-note-881")
def cancel(
    invoice: InvoiceId,
    reason: Reason,
    by: By = "agent",
    note: Note = None,
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """End a case whose invoice is no longer valid."""
    facts = {"reason": reason, "by": by}
    _tell(invoice, "cancel", facts, note=note, author=by, no_wait=no_wait, request_id=request_id)


def _tell(
    invoice_id: str,
    name: str,
    facts: Mapping[str, Any],
    *,
    note: str | None = None,
    author: str = "agent",
    no_wait: bool = False,
    request_id: str | None = None,
    settings: Settings | None = None,
) -> None:
    """Pass an event on and say in one line what came of it."""
    content = _given(facts)

    async def ask(talk: Cases) -> str:
        told = await talk.tell(
            invoice_id, name, content, note=note, author=author, request_id=request_id, wait=not no_wait
        )
        return _heard(invoice_id, told.how, told.status, waited=not no_wait)

    _say(_with_cases(settings or load_settings(), ask))


def _heard(invoice_id: str, how: How, status: Status | None, *, waited: bool) -> str:
    if status is not None:
        again = "; the case was not running and took this in with a new run" if how is How.REOPENED else ""
        return f"{invoice_id}: {_standing(status)}{again}"
    if how is How.ACCEPTED:
        return f"{invoice_id}: taken in; the case is still writing it down and will finish by itself"
    silent = "no worker answered; " if waited else ""
    if how is How.REOPENED:
        return f"{invoice_id}: no workflow of this case was running; a new run was started to take this in"
    return f"{invoice_id}: {silent}left with the server, which hands it to the case as soon as a worker runs"


def _standing(status: Status) -> str:
    return f"{status.stage.value}, {status.amount_due} {status.currency} open, access {status.access.value}; " + (
        _next(status)
    )


def _next(status: Status) -> str:
    action = status.next_action
    if action is not None:
        return f"next: {action.step} at {action.at:%Y-%m-%d %H:%M} UTC ({action.why})"
    return "next: nothing, the case has ended" if status.stage.ended else "next: waits for a person"


def _given(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}


def _currency(session: Session, invoice_id: str) -> str:
    check_known(session, invoice_id)
    row = invoices.get_row(session, invoice_id)
    return row.currency if row else ""


def _only_call(session: Session, invoice_id: str) -> str:
    check_known(session, invoice_id)
    calls = [row.task_id for row in tasks.open_tasks(session, invoice_id) if row.kind == "call"]
    if len(calls) == 1:
        return calls[0]
    if not calls:
        raise Refused("task", "no call is open for this invoice; name the task with --task")
    raise Refused("task", f"{len(calls)} calls are open; choose one with --task: {', '.join(calls)}")


# Reading -------------------------------------------------------------------------------------------------


@app.command(epilog="Example: python starter.py status INV-2026-0417")
def status(invoice: InvoiceId, as_json: Json = False) -> None:
    """Show how a case stands. Every decision is there with its reason."""
    settings = load_settings()
    _from_database(settings, lambda session: check_known(session, invoice))
    try:
        known = _with_cases(settings, lambda talk: talk.status(invoice))
    except (NotReady, ServerAway):
        known = _stored(settings, invoice)
    if known.copied:
        _warn(f"{known.copied}: this is the database's copy")
    if as_json:
        _print_json(known.status.model_dump(mode="json"))
        return
    _print_status(settings, known.status)


def _stored(settings: Settings, invoice_id: str) -> Known:
    database = Database(settings.database_url)
    try:
        return Known(stored_status(database, invoice_id), "the server did not answer")
    finally:
        database.close()


def _print_status(settings: Settings, shown: Status) -> None:
    def read(session: Session) -> tuple[bool, list[tuple[datetime, str, str]]]:
        row = cases.get_row(session, shown.invoice_id)
        written = [(note.at, note.author, note.text) for note in notes.of_invoice(session, shown.invoice_id)]
        return bool(row and row.rehearsal), written

    rehearsal, written = _from_database(settings, read)
    rest = f"  (ladder {shown.policy.name}@{shown.policy.version})" + ("  REHEARSAL" if rehearsal else "")
    _say(f"{shown.invoice_id}: {shown.stage.value}{rest}")
    _say(f"open    {shown.amount_due} {shown.currency}, due {shown.due_on}")
    held = f"; held by this invoice: {', '.join(shown.holds)}" if shown.holds else ""
    _say(f"access  {shown.access.value}{held}")
    _say(_next(shown))
    for one in shown.promises:
        _say(f"promise {one.amount} {shown.currency} for {one.date} by {one.promised_by}: {one.state}")
    for at, author, text in written:
        _say(f"note    {at:%Y-%m-%d %H:%M} by {author}: {text}")
    rows = [
        (f"{entry.at:%Y-%m-%d %H:%M}", entry.kind, entry.step or "", entry.channel or "", entry.reason)
        for entry in shown.timeline
    ]
    _print_table(("when (UTC)", "what", "step", "channel", "why"), rows)


@app.command("list", epilog="Example: python starter.py list --stage chasing")
def list_cases(
    stage: Annotated[Stage | None, typer.Option("--stage", help="Only cases in this stage.")] = None,
    as_json: Json = False,
) -> None:
    """List the cases, the next to act first."""
    found = _from_database(load_settings(), lambda session: _listed(session, stage))
    if as_json:
        _print_json(found)
        return
    rows = [
        (
            one["invoice_id"] + (" (rehearsal)" if one["rehearsal"] else ""),
            one["customer"],
            f"{one['amount_due']} {one['currency']}",
            one["stage"],
            one["next_step"] or "-",
            f"{one['next_at']:%Y-%m-%d %H:%M}" if one["next_at"] else "-",
            one["access"],
        )
        for one in found
    ]
    _print_table(("invoice", "customer", "due", "stage", "next step", "at (UTC)", "access"), rows, "No cases.")


def _listed(session: Session, stage: Stage | None) -> list[dict[str, Any]]:
    levels: dict[str, str] = {}
    found = []
    for row, invoice, customer in cases.rows(session, stage.value if stage else None):
        if customer.customer_id not in levels:
            levels[customer.customer_id] = accounts.access(session, customer.customer_id).value
        found.append(_case_facts(session, row, invoice, customer) | {"access": levels[customer.customer_id]})
    return found


def _case_facts(session: Session, row: CaseRow, invoice: InvoiceRow, customer: CustomerRow) -> dict[str, Any]:
    case = cases.get(session, row.invoice_id)
    return {
        "invoice_id": row.invoice_id,
        "number": invoice.number,
        "customer_id": customer.customer_id,
        "customer": customer.name,
        "amount_due": case.open_amount if case else invoice.amount,
        "currency": invoice.currency,
        "due_on": case.due_on if case else invoice.due_on,
        "stage": row.stage,
        "next_step": row.next_step,
        "next_at": row.next_at,
        "rehearsal": row.rehearsal,
    }


@app.command("outbox", epilog="Example: python starter.py outbox --invoice INV-2026-0417")
def show_outbox(invoice: OnlyInvoice = None, as_json: Json = False) -> None:
    """Show every message with what became of it."""

    def read(session: Session) -> list[dict[str, Any]]:
        if invoice is not None:
            check_known(session, invoice)
        return [_message_facts(row, about) for row, about, _ in outbox.rows(session, invoice)]

    found = _from_database(load_settings(), read)
    if as_json:
        _print_json(found)
        return
    rows = [
        (
            f"{one.get('sent_at') or one['planned_at']:%Y-%m-%d %H:%M}",
            ", ".join(one["invoices"]),
            one["step"],
            one["channel"],
            one["to"],
            one["state"] + (f": {one['reason']}" if "reason" in one else ""),
            one.get("subject") or one["body"].partition("\n")[0][:80],
        )
        for one in found
    ]
    _print_table(("when (UTC)", "invoices", "step", "by", "to", "state", "words"), rows, "No messages.")


def _message_facts(row: MessageRow, about: list[str]) -> dict[str, Any]:
    facts = {
        "message_id": row.message_id,
        "invoices": about,
        "step": row.step,
        "channel": row.channel,
        "contact": row.contact_id,
        "to": row.address,
        "state": row.state,
        "reason": row.reason,
        "subject": row.subject or None,
        "body": row.body,
        "planned_at": row.planned_at,
        "sent_at": row.sent_at,
        "provider_id": row.provider_id,
    }
    return _given(facts)


@app.command("tasks", epilog="Example: python starter.py tasks --verbose")
def show_tasks(
    invoice: OnlyInvoice = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="With what to say on the phone.")] = False,
    as_json: Json = False,
) -> None:
    """Show what people have to do. Calls are due in the debtor's own time."""

    def read(session: Session) -> list[dict[str, Any]]:
        if invoice is not None:
            check_known(session, invoice)
        return [_task_facts(session, row) for row in tasks.open_tasks(session, invoice)]

    found = _from_database(load_settings(), read)
    if as_json:
        _print_json(found)
        return
    rows = [
        (
            one["task_id"],
            one["kind"],
            _local(one["due_at"], one["time_zone"]),
            one["customer"],
            f"{one['contact_name'] or ''} {one['phone'] or ''}".strip() or "-",
            one["reason"],
        )
        for one in found
    ]
    _print_table(("task", "what", "due there", "customer", "whom", "why"), rows, "Nothing to do.")
    for one in found if verbose else ():
        if one["script"]:
            _say(f"\n{one['task_id']}\n{one['script']}")


def _task_facts(session: Session, row: TaskRow) -> dict[str, Any]:
    invoice = invoices.get_row(session, row.invoice_id)
    customer = invoices.get_customer(session, invoice.customer_id) if invoice else None
    contacts = customer.contacts if customer else ()
    contact = next((one for one in contacts if one.contact_id == row.contact_id), None)
    zone = customer.time_zone if customer else "UTC"
    return {
        "task_id": row.task_id,
        "invoice_id": row.invoice_id,
        "customer": customer.name if customer else "",
        "step": row.step,
        "kind": row.kind,
        "contact": row.contact_id,
        "contact_name": contact.name if contact else None,
        "phone": contact.phone if contact else None,
        "due_at": row.due_at,
        "due_local": row.due_at.astimezone(ZoneInfo(zone)).isoformat(),
        "time_zone": zone,
        "reason": row.reason,
        "script": row.script,
    }


# Before anything is started ------------------------------------------------------------------------------


@app.command("preview", epilog="Example: python starter.py preview invoices.csv --as-of 2027-03-01")
def show_preview(file: File, as_of: AsOf = None, as_json: Json = False) -> None:
    """Show what would happen, when and why. It reckons that nobody pays or speaks; nothing is started."""
    now = _moment("--as-of", as_of) if as_of else datetime.now(UTC)
    found, refusals = _read(file)
    desk = make_desk(load_settings())
    registrar = Registrar(desk, _ladders(desk.catalogue))
    refused: list[Refusal | Unfit] = [*refusals]
    shown = []
    for invoice in found:
        try:
            policy = registrar.ladder(invoice)
        except Refused as problem:
            refused.append(Unfit(invoice.invoice_id, str(problem)))
            continue
        lines = _previewed(desk, invoice, policy, now)
        if as_json:
            shown.append(_preview_facts(invoice, policy, lines))
        else:
            _print_preview(invoice, policy, lines)
    if as_json:
        _print_json({"invoices": shown, "refused": [_refusal_facts(one) for one in refused]})
    else:
        _print_refusals(refused)
    if refused:
        raise typer.Exit(REFUSED)


def _previewed(desk: Desk, invoice: Invoice, policy: Policy, now: datetime) -> tuple[PreviewLine, ...]:
    calendar = desk.calendar(invoice.customer, policy, invoice.issued_on, now)
    standing = Standing(issued_on=invoice.issued_on, due_on=invoice.due_on, open_amount=invoice.amount)
    return preview(policy, standing, calendar, now)


def _preview_facts(invoice: Invoice, policy: Policy, lines: Iterable[PreviewLine]) -> dict[str, Any]:
    zone = ZoneInfo(invoice.customer.time_zone)
    return {
        "invoice_id": invoice.invoice_id,
        "number": invoice.number,
        "customer": invoice.customer.name,
        "amount": invoice.amount,
        "currency": invoice.currency,
        "due_on": invoice.due_on,
        "policy": {"name": policy.name, "version": policy.version},
        "time_zone": invoice.customer.time_zone,
        "window": _window(policy),
        "steps": [line.model_dump() | {"local": line.at.astimezone(zone).isoformat()} for line in lines],
    }


def _refusal_facts(refusal: Refusal | Unfit) -> dict[str, Any]:
    if isinstance(refusal, Unfit):
        return {"where": f"invoice {refusal.invoice_id}", "field": "", "reason": refusal.reason}
    return {"where": refusal.where, "field": refusal.field, "reason": refusal.reason}


def _print_preview(invoice: Invoice, policy: Policy, lines: Iterable[PreviewLine]) -> None:
    customer: Customer = invoice.customer
    _say(
        f"{invoice.invoice_id}: {invoice.amount} {invoice.currency} due {invoice.due_on}, {customer.name}; "
        f"ladder {policy.name}@{policy.version}, {customer.time_zone}, contacts {_window(policy)} on business days"
    )
    rows = [
        (
            _local(line.at, customer.time_zone),
            line.step,
            _what(line),
            line.why,
            "; ".join(line.closed),
        )
        for line in lines
    ]
    _print_table(("when there", "step", "what", "why", "days passed over"), rows, "Nothing would happen.")
    _say("")


def _what(line: PreviewLine) -> str:
    if line.do.value == "skip":
        return "left out"
    parts = []
    if line.message:
        parts.append(f"{line.message} to {', '.join(line.to)} by {', '.join(line.by)}")
    parts += [f"access {line.access.value}"] if line.access else []
    parts += [f"stage {line.stage.value}"] if line.stage else []
    parts += [f"ends {line.ends.value}"] if line.ends else []
    return "; ".join(parts)


def _window(policy: Policy) -> str:
    return f"{policy.window[0]:%H:%M}-{policy.window[1]:%H:%M}"


def _local(moment: datetime, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%a %d %b %Y %H:%M %Z}"


@policy_app.command("check", epilog="Example: python starter.py policy check policies/gentle-saas.toml")
def check_policy(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A ladder, written in TOML.")], as_json: Json = False
) -> None:
    """Say whether a ladder can be used, or all that is wrong with it."""
    try:
        policy = read_ladder(file, _traits(Catalogue.load(MESSAGES)))
    except PolicyError as error:
        if as_json:
            _print_json({"ok": False, "problems": [one.model_dump(mode="json") for one in error.problems]})
        else:
            _warn(str(error))
        raise typer.Exit(REFUSED) from None
    if as_json:
        steps = len(policy.steps)
        _print_json({"ok": True, "name": policy.name, "version": policy.version, "steps": steps, "problems": []})
    else:
        _say(f"ok: {policy.name}@{policy.version}, {len(policy.steps)} steps")


# Moving running cases to another version of their ladder -------------------------------------------------


@app.command("move-policy", epilog="Example: python starter.py move-policy --from gentle-saas@1 --to gentle-saas@2")
def move_policy(
    old: Annotated[str, typer.Option("--from", metavar="NAME@N", help="The version the cases are on.")],
    new: Annotated[str, typer.Option("--to", metavar="NAME@N", help="The version they shall go on by.")],
    invoice: OnlyInvoice = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="Do it. Without this, it is only shown.")] = False,
    seen: Annotated[
        Path | None,
        typer.Option("--seen", metavar="FILE", help="With --confirm: only as in this preview, kept with --json."),
    ] = None,
    by: By = "operator",
    as_json: Json = False,
) -> None:
    """Show what another version of its ladder changes for each running case; with --confirm, move them.

    Nothing is sent by a move. A case that has changed since it was looked at refuses.
    """
    if seen is not None and not confirm:
        raise typer.BadParameter("--seen only goes with --confirm")
    settings = load_settings()
    desk = make_desk(settings)
    _check_database(desk.database)
    moving = Moves(desk, _ladders(desk.catalogue), read_ref("from", old), read_ref("to", new))
    shown = moving.preview(by, invoice)
    moves, told = as_seen(shown, read_seen(seen)) if seen else (shown, list[Moved]())
    if confirm:
        can = [move for move in moves if move.refused is None]
        told += _with_cases(settings, lambda talk: moving.confirm(talk, can))
    desk.database.close()
    _show_moves(moves, told, confirmed=confirm, as_json=as_json)
    if any(move.refused for move in moves) or any(one.refused for one in told):
        raise typer.Exit(REFUSED)


def _show_moves(moves: list[Move], told: list[Moved], *, confirmed: bool, as_json: bool) -> None:
    answers = {move.invoice_id: "not moved" for move in moves if confirmed}
    answers |= {one.invoice_id: one.refused or "moved" for one in told}
    if as_json:
        _print_json({"moves": [_move_facts(move) for move in moves]} | ({"results": answers} if confirmed else {}))
        return
    rows = [
        (
            move.invoice_id,
            _coming(move.before),
            _coming(move.after) if move.refused is None else f"refused: {move.refused}",
            ", ".join(move.vanish) or "-",
            ", ".join(move.appear) or "-",
            ", ".join(move.passed) or "-",
            answers.pop(move.invoice_id) if confirmed else move.event.fingerprint,
        )
        for move in moves
    ]
    last = "result" if confirmed else "fingerprint"
    heads = ("invoice", "next before (UTC)", "next after (UTC)", "vanishes", "appears", "left out", last)
    _print_table(heads, rows, "No running case is on this version.")
    for invoice_id, answer in answers.items():
        _warn(f"{invoice_id}: {answer}")
    if moves and not confirmed:
        _say("Nothing was changed. To move them, say the same with --confirm.")


def _coming(action: NextAction | None) -> str:
    return f"{action.step} at {action.at:%Y-%m-%d %H:%M} ({action.why})" if action else "waits for a person"


def _move_facts(move: Move) -> dict[str, Any]:
    return move.model_dump(exclude={"event"}) | {"fingerprint": move.event.fingerprint}


# What every command needs --------------------------------------------------------------------------------


def _traits(catalogue: Catalogue) -> dict[str, Trait]:
    return {key: Trait(**traits.model_dump()) for key, traits in catalogue.traits.items()}


def _ladders(catalogue: Catalogue) -> dict[str, Policy]:
    try:
        return read_ladders(_traits(catalogue))
    except PolicyError as error:
        raise NotReady(f"A ladder of the folder policies cannot be used:\n{error}") from None


def _moment(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{option}: {text[:40]!r} is not a time; write 2027-03-01T09:00Z or 2027-03-01"
        ) from None


async def _connect(settings: Settings) -> Client:
    # The engine's own log lines go to standard output, where only our answer may stand.
    quiet = LoggingConfig(filter=TelemetryFilter(core_level="OFF", other_level="OFF"))
    return await connect(settings, Runtime(telemetry=TelemetryConfig(logging=quiet)))


def _with_cases(settings: Settings, ask: Callable[[Cases], Awaitable[T]]) -> T:
    database = Database(settings.database_url)

    async def run() -> T:
        return await ask(Cases(await _connect(settings), database))

    try:
        _check_database(database)
        return asyncio.run(run())
    finally:
        database.close()


def _from_database(settings: Settings, read: Callable[[Session], T]) -> T:
    database = Database(settings.database_url)
    try:
        _check_database(database)
        with database.reading() as session:
            return read(session)
    finally:
        database.close()


@contextmanager
def _opened_database() -> Iterator[Database]:
    database = Database(load_settings().database_url)
    try:
        _check_database(database)
        yield database
    finally:
        database.close()


def _check_database(database: Database) -> None:
    kind, _, path = database.url.partition(":///")
    # Looked at first: connecting to an SQLite file that is missing would make an empty one.
    missing = kind.startswith("sqlite") and not path.startswith("file:") and not Path(path.partition("?")[0]).exists()
    if missing or not is_current(database):
        raise NotReady("The database of DATABASE_URL is not set up: run `make up`, or `worker.py --set-up` first.")


def _say(text: str) -> None:
    Console(markup=False, highlight=False, emoji=False, soft_wrap=True).print(text)


def _warn(text: str) -> None:
    Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True).print(text)


def _print_json(value: object) -> None:
    sys.stdout.write(to_json(value, indent=2).decode() + "\n")


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], otherwise: str = "") -> None:
    if not rows:
        if otherwise:
            _say(otherwise)
        return
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _sentence(error: Exception) -> tuple[str, int] | None:
    """What to say about a failure that can be expected, and the exit code. None: it is a bug."""
    match error:
        case Refused():
            return f"refused: {error}", REFUSED
        case NoAnswer():
            return str(error), REFUSED
        case NotReady() | SettingsError() | ServerAway() | CatalogueError():
            return str(error), NOT_READY
        case SQLAlchemyError():
            said = (str(getattr(error, "orig", None) or type(error).__name__).splitlines() or [""])[0]
            return (
                f"The database of DATABASE_URL does not answer ({said}): check the URL and that it runs.",
                NOT_READY,
            )
        case RPCError():
            return f"The Temporal server refuses ({error.status.name.lower()}): check TEMPORAL_ settings.", NOT_READY
        case _:
            return None


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and exit: 0 done, 1 refused, 2 not ready or a wrong command line."""
    try:
        app(args=list(arguments) if arguments is not None else None, prog_name="starter.py")
    except Exception as error:
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        known = _sentence(error)
        if known:
            _warn(known[0])
            sys.exit(known[1])
        # Its text may hold a secret or personal data, so only its kind and its place are told.
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        _warn(f"Unexpected {type(error).__name__} at {where}: this is a fault of the program; please report it.")
        sys.exit(NOT_READY)
    sys.exit(0)


add_evidence(app, _opened_database)

if __name__ == "__main__":
    main()
