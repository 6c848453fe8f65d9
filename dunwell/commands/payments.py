"""Commands about payments and credit."""

from typing import Annotated

import typer
from sqlalchemy.orm import Session

from dunwell.client import credits
from dunwell.commands.common import (
    By,
    InvoiceId,
    NoWait,
    Reason,
    RequestId,
    from_database,
    opened_database,
    read_moment,
)
from dunwell.commands.event_sending import tell_case
from dunwell.commands.output import say
from dunwell.commands.principal import current_principal
from dunwell.domain.terms import Head
from dunwell.settings import load_settings
from dunwell.views.lookup import find_invoice


def pay(
    invoice: InvoiceId,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="What came in, such as 1200.00.")],
    payment_id: Annotated[str, typer.Option("--payment-id", help="The bank's or provider's id; it counts once.")],
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
    """Record a payment. It arrives even when no worker runs, and even when the case has ended."""
    settings = load_settings()
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
            facts = credits.to_return(session, invoice, amount, by, request_id)
        left = credits.give_back(database, invoice, facts, current_principal(database))
    say(
        f"{invoice}: {facts['amount']} {facts['currency']} returned; {left.credit} {left.currency} of credit are left"
    )


def _currency(session: Session, invoice_id: str) -> str:
    return find_invoice(session, invoice_id).currency
