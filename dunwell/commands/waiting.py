"""Commands about payments and invoices that were reported and that no case has got."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from dunwell.commands.common import (
    InvoiceId,
    Json,
    from_database,
    in_plain_letters,
    opened_database,
)
from dunwell.commands.output import age, print_json, print_table, say
from dunwell.commands.principal import current_principal
from dunwell.services.waiting_payments import WaitingPayments
from dunwell.settings import load_settings
from dunwell.views.waiting_payments import waiting_payments

Source = Annotated[str, typer.Argument(metavar="SOURCE", help="Who reported it, such as stripe or payments.")]
Payment = Annotated[str, typer.Argument(metavar="ID", help="Its id there, by `waiting list`.")]


def list_waiting(as_json: Json = False) -> None:
    """Show what was reported by Stripe and other programs and waits: for its invoice, its payment, or a field."""
    found = from_database(load_settings(), lambda session: waiting_payments(session, datetime.now(UTC)))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            str(one["source"]),
            str(one["id"]),
            str(one["kind"]) if not one["taken_back"] else "taken back",
            f"{one['amount'] or '?'} {one['currency'] or ''}".strip(),
            age(one["age_days"]),
            str(one["why"]),
        )
        for one in found
    ]
    print_table(("source", "id", "what", "amount", "age", "why"), rows, "Nothing waits.")


def assign(source: Source, payment: Payment, invoice: InvoiceId) -> None:
    """Say for which invoice a payment is. The worker tells its case within seconds."""
    with opened_database(load_settings()) as database:
        by, now = current_principal(database), datetime.now(UTC)
        WaitingPayments(database).assign(source, payment, invoice, by, now)
    say(f"{payment}: for {invoice}; the worker tells its case")


def dismiss(
    source: Source,
    payment: Payment,
    reason: Annotated[
        str, typer.Option("--reason", callback=in_plain_letters, help="A short code, such as not-ours.")
    ] = "not-ours",
) -> None:
    """Say that a payment concerns no case: it is not tried any more."""
    with opened_database(load_settings()) as database:
        by, now = current_principal(database), datetime.now(UTC)
        WaitingPayments(database).dismiss(source, payment, reason, by, now)
    say(f"{payment}: dismissed ({reason})")
