"""Commands about tasks: the list, one task, and recording its outcome."""

from typing import Annotated

import typer
from sqlalchemy.orm import Session

from dunwell.commands.common import (
    By,
    InvoiceId,
    Json,
    Note,
    NoWait,
    OnlyInvoice,
    RequestId,
    from_database,
    in_plain_letters,
    read_moment,
    without_none,
)
from dunwell.commands.event_sending import tell_case
from dunwell.commands.output import local_time, print_json, print_table, say
from dunwell.domain.channels import BY_PERSON
from dunwell.domain.events import OF_A_TALK
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import TaskKind
from dunwell.settings import load_settings
from dunwell.store import tasks
from dunwell.views.facts import Facts
from dunwell.views.lookup import find_invoice
from dunwell.views.work_list import one_task, open_work


def show_tasks(
    invoice: OnlyInvoice = None,
    kind: Annotated[TaskKind | None, typer.Option("--kind", help="Only tasks of this kind.")] = None,
    due_by: Annotated[str | None, typer.Option("--due-by", metavar="TIME", help="Only what is due by then.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="With what to say on the phone.")] = False,
    rehearsals: Annotated[bool, typer.Option("--rehearsals", help="Those of rehearsals, too, marked.")] = False,
    as_json: Json = False,
) -> None:
    """Show what people have to do: what a manager heard of first, then by hour, the largest amount first."""
    latest = read_moment("--due-by", due_by) if due_by else None
    found = from_database(
        load_settings(), lambda session: open_work(session, invoice, kind, latest, rehearsals=rehearsals)
    )
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
            f"{one['contact_name'] or ''} {_number_of(one)}".strip() or "-",
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
    if one["invoice_id"]:
        say(f"invoice  {one['number']} ({one['invoice_id']}) of {one['customer']}{amount}")
    say(f"due      {local_time(one['due_at'], one['time_zone'])} there, {one['due_at']:%Y-%m-%d %H:%M} UTC")
    say(f"open     {one['open']} {one['currency']}")
    if one["contact"] or one["phone"]:
        place = _number_of(one) if one["phone_asked_for"] else one["place"] or one["phone"] or "no number known"
        where = place.replace("\n", ", ")
        where += f", which {one['phone_closed']}" if one["phone_closed"] else ""
        role = f" ({one['contact_role'].replace('_', ' ')})" if one["contact_role"] else ""
        say(f"whom     {one['contact_name'] or one['contact'] or 'them'}{role}, {where}")
    say(f"why      {one['reason']}")
    _print_first(one)
    if one["words"]:
        say(f"written  {one['words']}")
    for file in one["files"]:
        say(f"file     {file['name']} ({file['media_type']}, {file['size']} bytes), on the page of the task")
    if one["asked_by"]:
        asked, moved = one["asked_by"], one["asked_by"]["moved_by"]
        say(f"asks     the ladder {asked['policy']}@{asked['version']}" + (f", moved to by {moved}" if moved else ""))
    if one["covered"]:
        say(f"STOP     do not ask for money: {one['covered']}")
    if one["escalated_at"]:
        say(f"late     a manager was told at {one['escalated_at']:%Y-%m-%d %H:%M} UTC")
    if one["state"] == "open":
        say(f"then     {one['outcome_command']}")
        if one["to_find"]:
            say(f"         starter.py close-task {one['task_id']}, once they know of the invoice in another way")
        elif one["kind"] in BY_PERSON:
            say(f"         OUTCOME: {', '.join((*OF_A_TALK, 'done'))}")
    _print_scripts(one)


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
    reason_code: Annotated[
        str | None, typer.Option("--reason-code", callback=in_plain_letters, help="A short code.")
    ] = None,
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
    tell_case(
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
    tell_case(
        invoice,
        "call_outcome",
        facts,
        note=note,
        author=by,
        no_wait=no_wait,
        request_id=request_id,
        settings=settings,
    )


def _only_task(session: Session, invoice_id: str, outcome: str) -> str:
    """Return the invoice's only open call, visit or meeting, or its only approval task. Raises Refused."""
    find_invoice(session, invoice_id)
    kind, kinds = ("approval", {"approval"}) if outcome in {"approved", "declined"} else ("call", BY_PERSON)
    found = [row.task_id for row in tasks.open_tasks(session, invoice_id) if row.kind in kinds]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Refused("task", f"no {kind} is open for this invoice; name the task with --task")
    raise Refused("task", f"{len(found)} {kind}s are open; choose one with --task: {', '.join(found)}")


def _kind_of(one: Facts) -> str:
    """Return the kind of a task with its marks, such as "call, attempt 2" or "call, ESCALATED"."""
    marks = ["REHEARSAL"] if one["rehearsal"] else []
    marks += [f"attempt {one['attempt']}"] if one["attempt"] > 1 else []
    marks += ["asked for"] if one["requested"] else []
    marks += ["ESCALATED"] if one["escalated_at"] else []
    return ", ".join([one["kind"], *marks])


def _print_first(one: Facts) -> None:
    """Print what somebody has to find or decide before the task can be closed."""
    if one["to_do"]:
        say(f"first    {one['to_do']}")
    if one["payer"]:
        say(f"payer    {one['payer']['name']}, {one['payer']['email']}")
        say("         decide in the console, on the page of the task, whether they are written to")


def _number_of(one: Facts) -> str:
    """Return the number to call, and whether they asked for it in place of the one on file."""
    return f"{one['phone']} (they asked for this number)" if one["phone_asked_for"] else one["phone"] or ""


def _print_scripts(one: Facts) -> None:
    for title, script in (("", one["script"]), ("in your language", one["agent_script"])):
        if script:
            say(f"\n{one['task_id']}{f' ({title})' if title else ''}\n{script}")
