"""Commands about Stripe as the billing system: what its open invoices become here, and starting their cases."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from dunwell.bootstrap import NotReady, make_dependencies
from dunwell.client.billing import Billing
from dunwell.client.billing_import import Kind, Line, imported, looked_at
from dunwell.client.cases import Cases
from dunwell.client.registration import Registrar
from dunwell.commands.common import REFUSED, Json, check_set_up, connected, known_ladders
from dunwell.commands.output import print_json, print_table, say, warn
from dunwell.commands.start import show_steps
from dunwell.domain.refusal import Refused
from dunwell.gateways.base import BillingGateway, DeliveryError
from dunwell.services.dependencies import Dependencies
from dunwell.settings import load_settings

_NAME = "stripe"
_NAMED = 10  # invoices named in one line

Steps = Annotated[bool, typer.Option("--steps", help="Also what would happen to each, when and why.")]


def preview(steps: Steps = False, as_json: Json = False) -> None:
    """Show what every open invoice of Stripe becomes here. Nothing is started."""
    deps, gateway = _opened()
    try:
        lines = [line for events in gateway.open_invoices() if (line := looked_at(deps.database, events))]
    except DeliveryError as error:
        raise NotReady(error.reason) from None
    lines = _with_ladders(deps, lines)
    if as_json:
        print_json([_facts(line) for line in lines])
    else:
        print_table(("invoice", "becomes", "due", "open", "customer", "language", "ladder", "why"), _rows(lines))
        _warn_of_reminders(lines)
        say(_summed(lines, {Kind.NEW: "to be started"}))
    if steps and not as_json:
        show_steps(deps, [line.invoice for line in lines if line.invoice], [], datetime.now(UTC), as_json)
    deps.database.close()
    if any(line.kind is Kind.REFUSED for line in lines):
        raise typer.Exit(REFUSED)


def backfill(as_json: Json = False) -> None:
    """Start a case for every open invoice of Stripe that is to be chased. Safe to run twice: nothing starts again."""
    settings = load_settings()
    deps, gateway = _opened()
    lines: list[Line] = []

    def report(line: Line) -> None:
        lines.append(line)
        if line.kind is Kind.REFUSED and not as_json:
            warn(f"refused: {line.number}: {line.reason}")

    async def run() -> None:
        await imported(Billing(deps, Cases(await connected(settings), deps.database)), gateway, report)

    try:
        asyncio.run(run())
    except DeliveryError as error:
        warn(f"{error.reason}. Run the same again: it does the rest.")
    else:
        deps.database.close()
        if as_json:
            print_json([_facts(line) for line in lines])
        else:
            for line in lines:
                if line.kind is Kind.LEFT:
                    say(f"left: {line.number}: {(line.reason or '').removeprefix('no case: ')}")
            _warn_of_reminders(lines)
            say(_summed(lines, {}))
        if not any(line.kind is Kind.REFUSED for line in lines):
            return
    raise typer.Exit(REFUSED)


def _opened() -> tuple[Dependencies, BillingGateway]:
    """Return what the commands need. Raises NotReady without key or database."""
    deps = make_dependencies(load_settings())
    check_set_up(deps.database)
    gateway = deps.billing.get(_NAME)
    if gateway is None:
        raise NotReady("STRIPE_API_KEY is not set: set it to a key of your Stripe account (docs/stripe.md).")
    return deps, gateway


def _with_ladders(deps: Dependencies, lines: Sequence[Line]) -> list[Line]:
    """Return the lines; an invoice whose ladder is unknown is refused as it would be when it is started."""
    registrar = Registrar(deps, known_ladders(deps.catalogue))
    return [_with_ladder(registrar, line) for line in lines]


def _with_ladder(registrar: Registrar, line: Line) -> Line:
    try:
        if line.invoice is not None:
            invoice, ladder = line.invoice, registrar.ladder(line.invoice)
            customer = invoice.customer.model_copy(update={"language": registrar.language(invoice)})
            shown = invoice.model_copy(update={"policy": ladder.name, "customer": customer})
            return replace(line, invoice=shown)
    except Refused as refused:
        return Line(line.billed, line.number, Kind.REFUSED, str(refused), reminds=line.reminds)
    return line


def _rows(lines: Sequence[Line]) -> list[tuple[str, ...]]:
    return [_row(line) for line in lines]


def _row(line: Line) -> tuple[str, ...]:
    becomes = "a new case" if line.kind is Kind.NEW else line.kind.value
    invoice = line.invoice
    if invoice is None:
        return (line.number, becomes, "", "", "", "", "", line.reason or line.invoice_id or "")
    open_ = invoice.amount - sum((one.amount for one in invoice.history.paid), invoice.amount * 0)
    customer = invoice.customer
    return (
        line.number,
        becomes,
        str(invoice.due_on),
        f"{open_} {invoice.currency}",
        customer.name,
        customer.language,
        invoice.policy or "",
        "",
    )


def _facts(line: Line) -> dict[str, Any]:
    known = line.invoice.invoice_id if line.invoice is not None else line.invoice_id
    return {
        "stripe_invoice": line.billed,
        "number": line.number,
        "becomes": line.kind.name.lower(),
        "reason": line.reason,
        "invoice_id": known,
        "reminded_by_stripe": line.reminds,
        "invoice": line.invoice.model_dump(mode="json") if line.invoice is not None else None,
    }


def _warn_of_reminders(lines: Sequence[Line]) -> None:
    found = [line.number for line in lines if line.reminds and line.kind in {Kind.NEW, Kind.KNOWN}]
    if found:
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        warn(
            f"Stripe may itself remind the customers of {len(found)} invoices ({', '.join(found[:_NAMED])}{more}): "
            "turn its reminders off, for the account or each invoice, or both write to them (docs/stripe.md)."
        )


def _summed(lines: Sequence[Line], words: dict[Kind, str]) -> str:
    counts = Counter(line.kind for line in lines)
    return ", ".join(f"{counts[kind]} {words.get(kind, kind.value)}" for kind in Kind)
