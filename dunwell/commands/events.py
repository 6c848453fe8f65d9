"""Commands that send an event to a case: payments, what the customer said, what people decided."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from dunwell.client import credits
from dunwell.client.cases import Cases
from dunwell.commands.common import (
    By,
    InvoiceId,
    Note,
    NoWait,
    Reason,
    RequestId,
    from_database,
    opened_database,
    read_moment,
    with_cases,
    without_none,
)
from dunwell.commands.customers import change
from dunwell.commands.output import outcome_line, say
from dunwell.domain.channels import BY_PERSON, Channel, TextForm
from dunwell.domain.events import OF_A_TALK, parse_event
from dunwell.domain.money import looks_like_thousands
from dunwell.domain.refusal import Refused
from dunwell.gateways.opt_out_link import opted_out
from dunwell.intake.refusals import printable
from dunwell.services import delivery
from dunwell.settings import Settings, load_settings
from dunwell.store import accounts, invoices, outbox, tasks
from dunwell.views.case_status import check_known
from dunwell.views.work_list import one_task

OneInvoice = Annotated[str | None, typer.Argument(metavar="INVOICE", help="The invoice_id of the invoice file.")]
WholeCustomer = Annotated[
    str | None, typer.Option("--customer", metavar="CUSTOMER", help="All invoices of a customer, by its id.")
]


def pay(
    invoice: InvoiceId,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="What came in, such as 1200.00.")],
    payment_id: Annotated[str, typer.Option("--payment-id", help="The bank's or provider's id; it counts once.")],
    currency: Annotated[str | None, typer.Option("--currency", help="Default: the invoice's own.")] = None,
    method: Annotated[str | None, typer.Option("--method", help="Such as card or transfer.")] = None,
    received_at: Annotated[str | None, typer.Option("--received-at", metavar="TIME", help="Default: now.")] = None,
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
        "confirm": confirm or None,
    }
    _tell(invoice, "payment_received", facts, no_wait=no_wait, settings=settings)


def reverse_payment(
    invoice: InvoiceId,
    payment_id: Annotated[str, typer.Argument(metavar="PAYMENT", help="The id it was recorded under.")],
    reason: Reason = "reversed",
    no_wait: NoWait = False,
) -> None:
    """Take a payment back: a returned debit, a chargeback. A paid case opens again."""
    _tell(invoice, "payment_reversed", {"payment_id": payment_id, "reason": reason}, no_wait=no_wait)


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
    _tell(taker, "credit_applied", facts, no_wait=no_wait, request_id=request_id, settings=settings)


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
        left = credits.give_back(database, invoice, facts)
    say(
        f"{invoice}: {facts['amount']} {facts['currency']} returned; {left.credit} {left.currency} of credit are left"
    )


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
    _tell(invoice, "dispute_resolved", facts, no_wait=no_wait, request_id=request_id)


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
    _tell(str(invoice), "pause", facts, note=note, author=by, no_wait=no_wait, request_id=request_id)


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
    _tell(str(invoice), "resume", {"by": by}, no_wait=no_wait, request_id=request_id)


def _is_for_customer(invoice: str | None, customer: str | None) -> bool:
    if (invoice is None) == (customer is None):
        raise typer.BadParameter("name an INVOICE, or a customer with --customer CUSTOMER")
    return customer is not None


def call_outcome(
    invoice: InvoiceId,
    outcome: Annotated[
        str,
        typer.Argument(
            help=f"{', '.join(OF_A_TALK)}; done, when nobody has to call any more; of a step that waits for a yes: "
            "approved or declined.",
            metavar="OUTCOME",
        ),
    ],
    task: Annotated[
        str | None, typer.Option("--task", help="The task_id, by `tasks`. Default: the only one there is.")
    ] = None,
    promise_date: Annotated[str | None, typer.Option("--promise-date", metavar="DATE", help="What was said.")] = None,
    promise_amount: Annotated[str | None, typer.Option("--promise-amount", help="Default: all that is open.")] = None,
    call_back: Annotated[
        str | None,
        typer.Option("--call-back", metavar="TIME", help="When they want to be called again."),
    ] = None,
    reason_code: Annotated[str | None, typer.Option("--reason-code", help="A short code.")] = None,
    by: By = "agent",
    note: Note = None,
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """Say what came of a call, or what our manager decided about a step."""
    if promise_amount and not promise_date:
        raise typer.BadParameter("--promise-amount needs --promise-date")
    settings = load_settings()
    facts = {
        "task_id": task or from_database(settings, lambda session: _only_task(session, invoice, outcome)),
        "outcome": outcome,
        "by": by,
        "promise": without_none({"date": promise_date, "amount": promise_amount}) if promise_date else None,
        "reason_code": reason_code,
        "call_back_at": read_moment("--call-back", call_back).isoformat() if call_back else None,
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


def close_task(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task_id, by `tasks`.")],
    by: By = "agent",
    note: Note = None,
    no_wait: NoWait = False,
    request_id: RequestId = None,
) -> None:
    """Say that a task is done. What came of a call is told by call-outcome, a decision by its own command."""
    settings = load_settings()
    invoice = from_database(settings, lambda session: one_task(session, task)["invoice_id"])
    facts = {"task_id": task, "outcome": "done", "by": by}
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


def settle_message(
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="The message_id, by `outbox` or the task.")],
    outcome: Annotated[str, typer.Argument(metavar="OUTCOME", help="delivered, bounced or failed.")],
) -> None:
    """Say what became of a message whose outcome nobody knew. failed and bounced lead on to the next channel."""
    settings = load_settings()
    carried = from_database(settings, lambda session: _carried(session, message))
    report = {"message_id": message, "status": outcome, "code": "by a person", "at": datetime.now(UTC).isoformat()}
    parse_event("delivery_report", [report])
    for invoice in carried:
        _tell(invoice, "delivery_report", report, no_wait=True, settings=settings)


def unsubscribe(
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="The message_id, by `outbox` or the mail.")],
) -> None:
    """Stop e-mails to the address that got this message, for every invoice; its reader asked for it. Cases go on."""
    now = datetime.now(UTC)
    with opened_database(load_settings()) as database, database.writing() as session:
        row = outbox.get(session, message)
        if row is None or Channel(row.channel).facts.form is not TextForm.MAIL:
            raise Refused("message", f"{printable(message)!r} is no e-mail of ours: see `outbox --json` for ids")
        event = opted_out(message, Channel(row.channel), now, "asked by mail")
        accounts.lock(session, delivery.owners(session, event))
        delivery.apply(session, event, now)
    say("Stopped: no more e-mails go to this address, about any invoice. Other channels stay open.")


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
    """Send an event to the case and print in one line what came of it."""
    content = without_none(facts)
    settings = settings or load_settings()
    _check(name, content, from_database(settings, lambda session: _digits(session, invoice_id)))

    async def ask(case_client: Cases) -> str:
        answer = await case_client.tell(
            invoice_id, name, content, note=note, author=author, request_id=request_id, wait=not no_wait
        )
        line = outcome_line(invoice_id, answer.how, answer.status, waited=not no_wait)
        return f"{line}\n{answer.remark}" if answer.remark else line

    say(with_cases(settings, ask))


def _check(name: str, content: Mapping[str, Any], digits: int) -> None:
    """Raise Refused for an event that every case would refuse, and for an amount with an ambiguous separator.

    This refusal shows the value to the person who typed it. A refusal by the case is stored, so it holds no value.
    """
    try:
        parse_event(name, [dict(content)])
    except Refused as refused:
        value = content.get(refused.field)
        raise Refused(refused.field, f"{printable(value)!r} {refused.reason}" if value else refused.reason) from None
    for field in ("amount", "new_amount"):
        text = str(content.get(field, ""))
        if text and looks_like_thousands(Decimal(text), digits):
            more, less = f"{Decimal(text).scaleb(3):.{digits}f}", f"{Decimal(text):.{digits}f}"
            raise Refused(field, f"{text!r} may be {more} or {less}: write one of these")


def _digits(session: Session, invoice_id: str) -> int:
    check_known(session, invoice_id)
    row = invoices.get_row(session, invoice_id)
    return row.digits if row else 0


def _carried(session: Session, message_id: str) -> list[str]:
    carried = sorted({link.invoice_id for link in outbox.links(session, message_id)})
    if not carried:
        raise Refused("message", f"{message_id!r} is not in the outbox; `starter.py outbox` shows every message")
    return carried


def _currency(session: Session, invoice_id: str) -> str:
    check_known(session, invoice_id)
    row = invoices.get_row(session, invoice_id)
    return row.currency if row else ""


def _only_task(session: Session, invoice_id: str, outcome: str) -> str:
    """Return the invoice's only open call, visit or meeting, or its only approval task. Raises Refused."""
    check_known(session, invoice_id)
    kind, kinds = ("approval", {"approval"}) if outcome in {"approved", "declined"} else ("call", BY_PERSON)
    found = [row.task_id for row in tasks.open_tasks(session, invoice_id) if row.kind in kinds]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Refused("task", f"no {kind} is open for this invoice; name the task with --task")
    raise Refused("task", f"{len(found)} {kind}s are open; choose one with --task: {', '.join(found)}")
