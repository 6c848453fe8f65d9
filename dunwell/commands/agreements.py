"""Commands about agreements with a customer and about disputes."""

from typing import Annotated

import typer

from dunwell.commands.common import (
    By,
    InvoiceId,
    Note,
    NoWait,
    Reason,
    RequestId,
)
from dunwell.commands.event_sending import tell_case


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
    tell_case(invoice, "promise_to_pay", facts, note=note, author=by, no_wait=no_wait, request_id=request_id)


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
    tell_case(invoice, "payment_plan_agreed", facts, no_wait=no_wait, request_id=request_id)


def announce_payment(
    invoice: InvoiceId,
    paid_on: Annotated[str | None, typer.Option("--paid-on", metavar="DATE", help="When the money left.")] = None,
    amount: Annotated[str | None, typer.Option("--amount", help="Default: all that is open.")] = None,
    method: Annotated[str | None, typer.Option("--method", help="Such as transfer or card.")] = None,
    announced_by: Annotated[
        str, typer.Option("--announced-by", help="Who says so: a role or an id, never a name.")
    ] = "debtor",
    by: By = "agent",
    note: Note = None,
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """Record that they say they have paid. Chasing waits for the money, and a task asks to look for it."""
    facts = {"by": announced_by, "paid_on": paid_on, "amount": amount, "method": method}
    tell_case(invoice, "payment_announced", facts, note=note, author=by, no_wait=no_wait, request_id=request_id)


def request_call(
    invoice: InvoiceId,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="ISO 8601 with an offset. Default: as soon as possible."),
    ] = None,
    requested_by: Annotated[
        str, typer.Option("--requested-by", help="Who asks: a role or an id, never a name.")
    ] = "debtor",
    by: By = "agent",
    note: Note = None,
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """Record that they ask to be called. A task asks for the call; chasing waits until its day is over."""
    facts = {"by": requested_by, "at": at}
    tell_case(invoice, "call_requested", facts, note=note, author=by, no_wait=no_wait, request_id=request_id)


def grace(
    invoice: InvoiceId,
    until: Annotated[str, typer.Argument(metavar="DATE", help="The day on which it is restricted again.")],
    by: By = "agent",
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """Lift what an invoice restricts for some days, as often as the ladder grants it. A message names the day."""
    tell_case(invoice, "grace_granted", {"until": until, "by": by}, no_wait=no_wait, request_id=request_id)


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
    tell_case(invoice, "dispute_opened", facts, note=note, author=by, no_wait=no_wait, request_id=request_id)


def resolve_dispute(
    invoice: InvoiceId,
    outcome: Annotated[
        str, typer.Argument(help="upheld: the debtor was right. rejected: we were. adjusted: see --new-amount.")
    ],
    new_amount: Annotated[str | None, typer.Option("--new-amount", help="What the invoice comes to now.")] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Upheld takes its part off although an amendment took something off.")
    ] = False,
    by: By = "agent",
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """Close the dispute of an invoice."""
    facts = {"outcome": outcome, "new_amount": new_amount, "confirm": confirm or None, "by": by}
    tell_case(invoice, "dispute_resolved", facts, no_wait=no_wait, request_id=request_id)
