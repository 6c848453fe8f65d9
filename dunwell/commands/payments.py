"""Commands about payments and credit."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from dunwell.client import credits
from dunwell.client.bulk_payments import PaymentOutcome, PaymentResult, foreseen, record_all
from dunwell.client.typed_events import with_amounts
from dunwell.commands.common import (
    REFUSED,
    By,
    Columns,
    FixedValues,
    InDialect,
    InvoiceId,
    NoWait,
    Reason,
    RequestId,
    from_database,
    opened_database,
    read_moment,
    with_cases_of,
)
from dunwell.commands.event_sending import tell_case
from dunwell.commands.output import print_table, say, warn
from dunwell.commands.principal import current_principal
from dunwell.commands.refused_file import RefusedFile, check_refused_file, keep_refused
from dunwell.domain.terms import Head
from dunwell.intake.csv_columns import ColumnMap, read_column_map
from dunwell.intake.csv_dialect import read_dialect
from dunwell.intake.payments import PAYMENTS, read_payments
from dunwell.intake.source_lines import reasons_by_place
from dunwell.settings import Settings, load_settings
from dunwell.views.lookup import currency_of, find_invoice


def pay(
    invoice: Annotated[
        str | None, typer.Argument(metavar="INVOICE", help="The invoice_id of the invoice file.", show_default=False)
    ] = None,
    amount: Annotated[
        str | None, typer.Argument(metavar="AMOUNT", help="What came in, such as 1200.00.", show_default=False)
    ] = None,
    payment_id: Annotated[
        str | None, typer.Option("--payment-id", help="The bank's or provider's id; it counts once.")
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", metavar="FILE|-", help="Record all payments of a file: CSV, JSON or JSON Lines."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --file: show what each would do; nothing is recorded.")
    ] = False,
    dialect: InDialect = None,
    columns: Columns = None,
    fixed: FixedValues = None,
    refused: RefusedFile = None,
    currency: Annotated[str | None, typer.Option("--currency", help="Default: the invoice's own.")] = None,
    method: Annotated[str | None, typer.Option("--method", help="Such as card or transfer.")] = None,
    received_at: Annotated[str | None, typer.Option("--received-at", metavar="TIME", help="Default: now.")] = None,
    designation: Annotated[
        Head | None, typer.Option("--for", help="The head of the claim that the customer named for it.")
    ] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="It is older than the import, and was not in what the file called paid.")
    ] = False,
    no_wait: NoWait = False,
) -> None:
    """Record a payment, or all of a file. It arrives even when no worker runs, and even when the case has ended."""
    settings = load_settings()
    single = {
        "INVOICE": invoice,
        "AMOUNT": amount,
        "--payment-id": payment_id,
        "--currency": currency,
        "--method": method,
        "--received-at": received_at,
        "--for": designation,
        "--confirm": confirm or None,
    }
    if file is not None:
        given = [name for name, value in single.items() if value is not None]
        if given:
            raise typer.BadParameter(f"{given[0]} does not go with --file: the file names all of it")
        check_refused_file(refused, file)
        _pay_all(settings, file, dry_run, dialect, read_column_map(columns or (), PAYMENTS, fixed or ()), refused)
        return
    if dry_run or dialect or columns or fixed or refused:
        raise typer.BadParameter("--dry-run, --dialect, --map, --set and --refused only go with --file")
    if invoice is None or amount is None or payment_id is None:
        missing = next(name for name, value in single.items() if value is None)
        raise typer.BadParameter(f"{missing} is missing: pay INVOICE AMOUNT --payment-id ID, or pay --file FILE")
    facts = {
        "payment_id": payment_id,
        "amount": amount,
        "currency": currency or from_database(settings, lambda session: _currency(session, invoice)),
        "method": method,
        "received_at": read_moment("--received-at", received_at).isoformat() if received_at else None,
        "designation": designation,
        "confirm": confirm or None,
    }
    tell_case(invoice, "payment_received", facts, no_wait=no_wait, settings=settings)


def reverse_payment(
    invoice: InvoiceId,
    payment_id: Annotated[str, typer.Argument(metavar="PAYMENT", help="The id it was recorded under.")],
    reason: Reason = "reversed",
    amount: Annotated[str | None, typer.Option("--amount", help="A part of it. Default: all that is left.")] = None,
    reversed_at: Annotated[
        str | None,
        typer.Option("--reversed-at", metavar="TIME", help="The bank's value date. Default: now."),
    ] = None,
    reversal_id: Annotated[
        str | None,
        typer.Option("--reversal-id", help="The bank's id of this reversal; needed from the second part on."),
    ] = None,
    no_wait: NoWait = False,
) -> None:
    """Take a payment back, whole or in part: a returned debit, a chargeback. A paid case opens again."""
    facts = {
        "payment_id": payment_id,
        "reason": reason,
        "amount": amount,
        "reversal_id": reversal_id,
        "reversed_at": read_moment("--reversed-at", reversed_at).isoformat() if reversed_at else None,
    }
    tell_case(invoice, "payment_reversed", facts, no_wait=no_wait)


def apply_credit(
    giver: Annotated[str, typer.Argument(metavar="FROM", help="The invoice that was paid too much.")],
    taker: Annotated[str, typer.Argument(metavar="TO", help="Another one of this customer, in the same currency.")],
    amount: Annotated[str | None, typer.Option("--amount", help="Default: what is open, if there is enough.")] = None,
    by: By = "agent",
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """Pay an invoice by credit of another one. reverse-payment takes it back, by its id in the timeline of TO."""
    settings = load_settings()
    facts = from_database(settings, lambda session: credits.to_apply(session, giver, taker, amount, by, request_id))
    tell_case(taker, "credit_applied", facts, no_wait=no_wait, request_id=request_id, settings=settings)


def return_credit(
    invoice: Annotated[str, typer.Argument(metavar="INVOICE", help="The invoice that was paid too much.")],
    amount: Annotated[str | None, typer.Option("--amount", help="Default: all of its credit.")] = None,
    by: By = "agent",
    request_id: RequestId = None,
) -> None:
    """Note that credit was paid back to the customer. Your bank sends the money, this program does not."""
    with opened_database(load_settings()) as database:
        with database.reading() as session:
            currency = currency_of(session, invoice)
            facts = with_amounts(credits.to_return(session, invoice, amount, by, request_id), currency)
        left = credits.give_back(database, invoice, facts, current_principal(database))
    say(
        f"{invoice}: {facts['amount']} {facts['currency']} returned; {left.credit} {left.currency} of credit are left"
    )


def _pay_all(
    settings: Settings, file: str, dry_run: bool, dialect: str | None, mapped: ColumnMap, refused_file: Path | None
) -> None:
    """Record the payments of a file, or show what each would do, and sum up."""
    try:
        read = read_payments(file, read_dialect(dialect or ""), mapped)
    except OSError as error:
        raise typer.BadParameter(f"{file}: cannot be read: {error.strerror or type(error).__name__}") from None
    if read.note:
        warn(read.note)
    for refusal in read.refusals:
        warn(f"refused: {refusal}")
    with opened_database(settings) as database:
        found = foreseen(database, read.payments, datetime.now(UTC))
        results: list[PaymentResult] = []
        if dry_run:
            results = found
            print_table(("payment", "invoice", "amount", "becomes", "then open"), [_row(one) for one in found])
        else:
            principal = current_principal(database)
            with_cases_of(database, settings, lambda cases: record_all(cases, found, principal, results.append))
    reasons = reasons_by_place(read.refusals)
    for one in results:
        if one.outcome is PaymentOutcome.REFUSED:
            warn(f"refused: {one.record.where}: {one.reason}")
            reasons.setdefault(one.record.where, []).append(str(one.reason))
    keep_refused(refused_file, read.source, reasons)
    counts = Counter(one.outcome for one in results)
    places = {place for one in read.refusals for place in (one.where, *one.also)}
    refused = counts[PaymentOutcome.REFUSED] + len(places)
    told = "to be recorded" if dry_run else PaymentOutcome.RECORDED.value
    say(f"{counts[PaymentOutcome.RECORDED]} {told}, {counts[PaymentOutcome.KNOWN]} already known, {refused} refused")
    if refused:
        raise typer.Exit(REFUSED)


def _row(one: PaymentResult) -> tuple[str, ...]:
    amount = f"{one.content['amount']} {one.content.get('currency', '')}".strip()
    becomes = "recorded" if one.outcome is PaymentOutcome.RECORDED else one.outcome.value
    return (one.record.payment_id, one.record.invoice_id, amount, becomes, one.open_after or "")


def _currency(session: Session, invoice_id: str) -> str:
    return find_invoice(session, invoice_id).currency
