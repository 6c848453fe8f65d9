"""Commands about messages: the outbox, settling the state of a message, unsubscribing."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from dunwell.client.customers import Changed
from dunwell.client.settled_messages import carried_invoices, report_by_person
from dunwell.commands.common import (
    Json,
    OnlyInvoice,
    from_database,
    opened_database,
)
from dunwell.commands.customers import tell_cases
from dunwell.commands.event_sending import tell_case
from dunwell.commands.output import print_json, print_table, say
from dunwell.commands.principal import current_principal, principal_in
from dunwell.domain.channels import Channel, TextForm
from dunwell.domain.cleaning import printable
from dunwell.domain.refusal import Refused
from dunwell.gateways.opt_out_link import opted_out
from dunwell.services.provider_event import apply, owners_of
from dunwell.settings import load_settings
from dunwell.store import accounts, audit, outbox
from dunwell.views.outbox import messages


def show_outbox(invoice: OnlyInvoice = None, as_json: Json = False) -> None:
    """Show every message with what became of it."""
    found = from_database(load_settings(), lambda session: messages(session, invoice))
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


def settle_message(
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="The message_id, by `outbox` or the task.")],
    outcome: Annotated[str, typer.Argument(metavar="OUTCOME", help="delivered, bounced or failed.")],
) -> None:
    """Say what became of a message whose outcome nobody knew. failed and bounced lead on to the next channel."""
    settings = load_settings()
    carried = from_database(settings, lambda session: carried_invoices(session, message))
    with opened_database(settings) as database:
        report = report_by_person(database, current_principal(database), message, outcome, datetime.now(UTC))
    if not carried:
        say(f"{message}: {outcome}")
    for invoice in carried:
        tell_case(invoice, "delivery_report", report, no_wait=True, settings=settings)


def unsubscribe(
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="The message_id, by `outbox` or the mail.")],
) -> None:
    """Stop e-mails to the address that got this message, for every invoice; its reader asked for it. Cases go on."""
    now, settings = datetime.now(UTC), load_settings()
    with opened_database(settings) as database, database.writing() as session:
        principal = principal_in(session)
        row = outbox.get(session, message)
        if row is None or Channel(row.channel).facts.form is not TextForm.MAIL:
            raise Refused("message", f"{printable(message)!r} is no e-mail of ours: see `outbox --json` for ids")
        event = opted_out(message, Channel(row.channel), now, "asked by mail")
        accounts.lock(session, owners_of(session, event))
        applied = apply(session, event, now)
        audit.append(session, principal, f"message/{message}", "unsubscribed", now, key="unsubscribed")
    say("Stopped: no more e-mails go to this address, about any invoice. Other channels stay open.")
    told = [Changed((), event=one.name, content=one.content, invoices=one.invoices) for one in applied.events]
    tell_cases(settings, told, principal)
