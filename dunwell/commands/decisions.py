"""Commands for decisions about an invoice: pause and resume, amend, write off, cancel."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from dunwell.commands.common import (
    By,
    InvoiceId,
    Note,
    NoWait,
    Reason,
    RequestId,
    opened_database,
)
from dunwell.commands.customers import change
from dunwell.commands.event_sending import tell_case
from dunwell.commands.output import say
from dunwell.commands.principal import current_principal
from dunwell.services.approvals import Approvals
from dunwell.settings import load_settings

OneInvoice = Annotated[str | None, typer.Argument(metavar="INVOICE", help="The invoice_id of the invoice file.")]


WholeCustomer = Annotated[
    str | None, typer.Option("--customer", metavar="CUSTOMER", help="All invoices of a customer, by its id.")
]


Ask = Annotated[bool, typer.Option("--ask", help="Only ask for it: a manager approves or declines.")]


def pause(
    reason: Reason,
    invoice: OneInvoice = None,
    customer: WholeCustomer = None,
    until: Annotated[str | None, typer.Option("--until", metavar="DATE", help="Default: until resumed.")] = None,
    by: By = "agent",
    note: Note = None,
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """Let a case rest, or with --customer a customer, invoices still to come included. Payments still count."""
    if _is_for_customer(invoice, customer):
        if note or request_id:
            raise typer.BadParameter("--note and --request-id go with one invoice, not with --customer")
        change(load_settings(), lambda customers: customers.pause(str(customer), reason, by, until))
        return
    facts = {"reason": reason, "until": until, "by": by}
    tell_case(str(invoice), "pause", facts, note=note, author=by, no_wait=no_wait, request_id=request_id)


def resume(
    invoice: OneInvoice = None,
    customer: WholeCustomer = None,
    by: By = "agent",
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """Go on with a paused case, or with --customer with a customer who rests as a whole."""
    if _is_for_customer(invoice, customer):
        change(load_settings(), lambda customers: customers.resume(str(customer), by))
        return
    tell_case(str(invoice), "resume", {"by": by}, no_wait=no_wait, request_id=request_id)


def _is_for_customer(invoice: str | None, customer: str | None) -> bool:
    if (invoice is None) == (customer is None):
        raise typer.BadParameter("name an INVOICE, or a customer with --customer CUSTOMER")
    return customer is not None


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
    tell_case(invoice, "invoice_amended", facts, no_wait=no_wait, request_id=request_id)


def write_off(
    invoice: InvoiceId,
    reason: Reason,
    by: By = "agent",
    note: Note = None,
    no_wait: NoWait = False,
    request_id: RequestId = None,
    ask: Ask = False,
) -> None:
    """Give an invoice up. The case ends and the account is free. An agent asks a manager for it, with --ask."""
    if ask:
        _ask_a_manager(invoice, "write_off", reason)
        return
    facts = {"reason": reason, "by": by}
    tell_case(invoice, "write_off", facts, note=note, author=by, no_wait=no_wait, request_id=request_id)


def cancel(
    invoice: InvoiceId,
    reason: Reason,
    by: By = "agent",
    note: Note = None,
    no_wait: NoWait = False,
    request_id: RequestId = None,
    ask: Ask = False,
) -> None:
    """End a case whose invoice is no longer valid. An agent asks a manager for it, with --ask."""
    if ask:
        _ask_a_manager(invoice, "cancel", reason)
        return
    facts = {"reason": reason, "by": by}
    tell_case(invoice, "cancel", facts, note=note, author=by, no_wait=no_wait, request_id=request_id)


def _ask_a_manager(invoice: str, event: str, reason: str) -> None:
    with opened_database(load_settings()) as database:
        principal, now = current_principal(database), datetime.now(UTC)
        approval_id = Approvals(database).request(invoice, event, {"reason": reason}, principal, now)
    say(f"{approval_id}: waits for a manager; `starter.py approvals` shows it")
