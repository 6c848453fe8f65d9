"""Commands that show a case, the list of cases, the outbox and the tasks."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from dunwell.bootstrap import NotReady
from dunwell.client import credits
from dunwell.client.cases import Known, ServerAway
from dunwell.commands.common import (
    InvoiceId,
    Json,
    OnlyInvoice,
    from_database,
    opened_database,
    read_moment,
    with_cases,
    without_none,
)
from dunwell.commands.output import coming_next, local_time, print_json, print_table, say, warn
from dunwell.domain.events import OF_A_TALK
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.keys import StepId
from dunwell.domain.standstill import Standstill
from dunwell.domain.terms import BY_PERSON, Stage
from dunwell.settings import Settings, load_settings
from dunwell.store import accounts, cases, notes, outbox, standstills
from dunwell.store.tables import CaseRow, CustomerRow, InvoiceRow, MessageRow
from dunwell.views.case_status import about, check_known, stored_status
from dunwell.views.work_list import Facts, one_task, open_work
from workflows.messages import Status


def status(invoice: InvoiceId, as_json: Json = False) -> None:
    """Show how a case stands. Every decision is there with its reason."""
    settings = load_settings()
    from_database(settings, lambda session: check_known(session, invoice))
    try:
        known = with_cases(settings, lambda case_client: case_client.status(invoice))
    except (NotReady, ServerAway):
        known = _stored(settings, invoice)
    if known.copied:
        warn(f"{known.copied}: this is the database's copy")
    stands = from_database(settings, standstills.in_force)
    if as_json:
        elsewhere = from_database(settings, lambda session: credits.beside(session, invoice))
        beside = {"standstill": stands, "credits_beside": elsewhere}
        of = from_database(settings, lambda session: about(session, invoice))
        print_json(known.status.model_dump(mode="json") | beside | of)
        return
    if stands:
        say(_held(stands))
    _print_status(settings, known.status)


def _held(stands: Standstill) -> str:
    return f"HOLD IS ON: {stands}. To end it: starter.py hold off"


def _stored(settings: Settings, invoice_id: str) -> Known:
    with opened_database(settings) as database:
        return Known(stored_status(database, invoice_id), "the server did not answer")


def _print_status(settings: Settings, shown: Status) -> None:
    def read(session: Session) -> tuple[bool, list[tuple[datetime, str, str]], list[Facts], Facts]:
        row = cases.get_row(session, shown.invoice_id)
        written = [(note.at, note.author, note.text) for note in notes.of_invoice(session, shown.invoice_id)]
        return (
            bool(row and row.rehearsal),
            written,
            credits.beside(session, shown.invoice_id),
            about(session, shown.invoice_id),
        )

    rehearsal, written, elsewhere, of = from_database(settings, read)
    ladder = f"ladder {shown.policy.name}@{shown.policy.version}" if shown.policy else "not registered yet"
    say(f"{shown.invoice_id}: {shown.stage.value}  ({ladder})" + ("  REHEARSAL" if rehearsal else ""))
    if of["number"]:
        say(f"invoice {of['number']} of {of['customer']} ({of['customer_id']})")
    if shown.policy is not None:
        say(f"open    {shown.amount_due} {shown.currency}, due {shown.due_on}")
    if shown.credit:
        say(f"credit  {shown.credit} {shown.currency}, to be applied or returned")
    for credit in elsewhere:
        say(f"credit  {credit['amount']} {credit['currency']} of this customer on invoice {credit['invoice_id']}")
    held = f"; held by this invoice: {', '.join(shown.holds)}" if shown.holds else ""
    say(f"access  {shown.access.value}{held}")
    for pause in shown.pauses:
        end = f"until {pause.until}" if pause.until else "until resumed"
        whole = "the whole customer rests " if pause.scope == "customer" else ""
        say(f"paused  {whole}{end}: {pause.reason}, by {pause.by}")
    say(coming_next(shown))
    for one in shown.promises:
        say(f"promise {one.amount} {shown.currency} for {one.date} by {one.promised_by}: {one.state}")
    for part in shown.plan:
        say(f"plan    {part.amount} {shown.currency} on {part.date}: {'met' if part.met else 'waited for'}")
    if shown.disputed is not None:
        say(f"dispute {shown.disputed} {shown.currency} are not asked for")
    for payment in shown.payments:
        say(f"paid    {payment.amount} {shown.currency}, payment {payment.payment_id}")
    for at, author, text in written:
        say(f"note    {at:%Y-%m-%d %H:%M} by {author}: {text}")
    rows = [
        (f"{entry.at:%Y-%m-%d %H:%M}", entry.kind, entry.step or "", entry.channel or "", entry.reason)
        for entry in shown.timeline
    ]
    print_table(("when (UTC)", "what", "step", "channel", "why"), rows)


def list_cases(
    stage: Annotated[Stage | None, typer.Option("--stage", help="Only cases in this stage.")] = None,
    as_json: Json = False,
) -> None:
    """List the cases, the next to act first."""
    found, stands = from_database(
        load_settings(), lambda session: (_listed(session, stage), standstills.in_force(session))
    )
    if as_json:
        print_json([one | {"standstill": stands} for one in found])
        return
    if stands:
        say(_held(stands))
    rows = [
        (
            one["invoice_id"] + (" (rehearsal)" if one["rehearsal"] else ""),
            one["customer"],
            f"{one['amount_due']} {one['currency']}" + (f", credit {one['credit']}" if one["credit"] else ""),
            one["stage"],
            StepId.parse(one["next_step"] or "-").name,
            f"{one['next_at']:%Y-%m-%d %H:%M}" if one["next_at"] else "-",
            one["access"],
        )
        for one in found
    ]
    print_table(("invoice", "customer", "due", "stage", "next step", "at (UTC)", "access"), rows, "No cases.")


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
        "credit": case.credit if case else Decimal(0),
        "currency": invoice.currency,
        "due_on": case.due_on if case else invoice.due_on,
        "stage": row.stage,
        "next_step": row.next_step,
        "next_at": row.next_at,
        "rehearsal": row.rehearsal,
    }


def show_outbox(invoice: OnlyInvoice = None, as_json: Json = False) -> None:
    """Show every message with what became of it."""

    def read(session: Session) -> list[dict[str, Any]]:
        if invoice is not None:
            check_known(session, invoice)
        return [_message_facts(row, about) for row, about, _ in outbox.rows(session, invoice)]

    found = from_database(load_settings(), read)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            f"{one.get('sent_at') or one['planned_at']:%Y-%m-%d %H:%M}",
            ", ".join(one["invoices"]) + (" (rehearsal)" if one["rehearsal"] else ""),
            one["step"],
            one["channel"],
            one["to"],
            one["state"] + (f": {one['reason']}" if "reason" in one else ""),
            one.get("subject") or one["body"].partition("\n")[0][:80],
            one["message_id"],
        )
        for one in found
    ]
    print_table(("when (UTC)", "invoices", "step", "by", "to", "state", "words", "message"), rows, "No messages.")


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
        "rehearsal": is_rehearsal(row.customer_id),
    }
    return without_none(facts)


def show_tasks(
    invoice: OnlyInvoice = None,
    kind: Annotated[str | None, typer.Option("--kind", help="call, visit, meeting, decision or approval.")] = None,
    due_by: Annotated[str | None, typer.Option("--due-by", metavar="TIME", help="Only what is due by then.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="With what to say on the phone.")] = False,
    rehearsals: Annotated[bool, typer.Option("--rehearsals", help="Those of rehearsals, too, marked.")] = False,
    as_json: Json = False,
) -> None:
    """Show what people have to do: what a manager heard of first, then by hour, the largest amount first."""
    latest = read_moment("--due-by", due_by) if due_by else None

    def read(session: Session) -> list[Facts]:
        if invoice is not None:
            check_known(session, invoice)
        return open_work(session, invoice, kind, latest, rehearsals=rehearsals)

    found = from_database(load_settings(), read)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            f"{one['due_at']:%m-%d %H:%M}",
            local_time(one["due_at"], one["time_zone"]),
            _kind_of(one),
            f"{one['amount']} {one['currency']}" if one["amount"] is not None else "-",
            f"{one['customer']}, {one['number']}",
            f"{one['contact_name'] or ''} {one['phone'] or ''}".strip() or "-",
            f"DO NOT ASK FOR MONEY: {one['covered']}" if one["covered"] else one["reason"],
            one["task_id"],
        )
        for one in found
    ]
    heads = ("UTC", "due there", "what", "amount", "customer, invoice", "whom", "why", "task")
    print_table(heads, rows, "Nothing to do.")
    for one in found if verbose else ():
        _print_scripts(one)
    if found and not verbose:
        say("\nMore of one, with how to close it: starter.py task TASK")


def show_task(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task_id, by `tasks`.")], as_json: Json = False
) -> None:
    """Show one task: whom, when, about how much, and what to say."""
    one = from_database(load_settings(), lambda session: one_task(session, task))
    if as_json:
        print_json(one)
        return
    amount = f", {one['amount']} {one['currency']}" if one["amount"] is not None else ""
    say(f"{one['task_id']}: {_kind_of(one)}, {one['state']}" + (f" ({one['outcome']})" if one["outcome"] else ""))
    say(f"invoice  {one['number']} ({one['invoice_id']}) of {one['customer']}{amount}")
    say(f"due      {local_time(one['due_at'], one['time_zone'])} there, {one['due_at']:%Y-%m-%d %H:%M} UTC")
    say(f"open     {one['open']} {one['currency']}")
    if one["contact"]:
        where = (one["place"] or one["phone"] or "no number known").replace("\n", ", ")
        where += f", which {one['phone_closed']}" if one["phone_closed"] else ""
        role = f" ({one['contact_role'].replace('_', ' ')})" if one["contact_role"] else ""
        say(f"whom     {one['contact_name'] or one['contact']}{role}, {where}")
    say(f"why      {one['reason']}")
    if one["covered"]:
        say(f"STOP     do not ask for money: {one['covered']}")
    if one["escalated_at"]:
        say(f"late     a manager was told at {one['escalated_at']:%Y-%m-%d %H:%M} UTC")
    if one["state"] == "open":
        say(f"then     {one['outcome_command']}")
        if one["kind"] in BY_PERSON:
            say(f"         OUTCOME: {', '.join((*OF_A_TALK, 'done'))}")
    _print_scripts(one)


def _kind_of(one: Facts) -> str:
    """Return the kind of a task with its marks, such as "call, attempt 2" or "call, ESCALATED"."""
    marks = ["REHEARSAL"] if one["rehearsal"] else []
    marks += [f"attempt {one['attempt']}"] if one["attempt"] > 1 else []
    marks += ["asked for"] if one["requested"] else []
    marks += ["ESCALATED"] if one["escalated_at"] else []
    return ", ".join([one["kind"], *marks])


def _print_scripts(one: Facts) -> None:
    for title, script in (("", one["script"]), ("in your language", one["agent_script"])):
        if script:
            say(f"\n{one['task_id']}{f' ({title})' if title else ''}\n{script}")
