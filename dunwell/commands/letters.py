"""Commands about letters: which are to be posted, and recording that they were."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from dunwell.client.cases import Cases
from dunwell.commands.common import Json, from_database, opened_database, with_cases
from dunwell.commands.output import print_json, print_table, say
from dunwell.commands.principal import current_principal
from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.events import DeliveryReport
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import TAKEN_STATES, MessageState
from dunwell.gateways import registry
from dunwell.gateways.events import ProviderEvent
from dunwell.gateways.setting_fields import SharedSettings
from dunwell.services.provider_event import apply
from dunwell.settings import load_settings
from dunwell.store import audit, cases, invoices, outbox, standstills
from dunwell.store.tables import MessageInvoiceRow, MessageRow


def letters(as_json: Json = False) -> None:
    """Show the letters that wait to be posted, with their files, and which of them are not wanted any more."""
    settings = load_settings()
    found = from_database(
        settings, lambda session: [letter_facts(session, row, settings) for row in outbox.letters(session)]
    )
    if as_json:
        print_json(found)
        return
    rows = [
        (
            f"{one['since']:%Y-%m-%d}",
            ", ".join(one["numbers"]),
            ", ".join(one["to"].splitlines()),
            one["hold_back"] or "post it",
            one["file"] or f"at {one['provider']}",
            one["message_id"],
        )
        for one in found
    ]
    print_table(("since", "invoices", "to", "what to do", "file", "message"), rows, "No letters wait.")


def posted(
    messages: Annotated[
        list[str] | None, typer.Argument(metavar="[MESSAGE]...", help="The message ids, by `letters`.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every letter in the print folder that `letters` says to post.")
    ] = False,
) -> None:
    """Say that letters were posted. From now on they count as delivered. Safe to repeat."""
    if bool(messages) == everything:
        raise typer.BadParameter("name the letters, or give --all")
    settings, now = load_settings(), datetime.now(UTC)
    with opened_database(settings) as database:
        with database.reading() as session:
            chosen = to_post(session) if everything else [_known(session, one) for one in messages or ()]
        carried, principal = dict[str, set[str]](), current_principal(database)
        for message_id, customer_id in chosen:
            with database.writing(customer_id) as session:
                carried[message_id] = _note_posted(session, message_id, now)
                audit.append(session, principal, f"message/{message_id}", "posted", now, key="posted")

    async def tell(case_client: Cases) -> None:
        for message_id, about in carried.items():
            report = DeliveryReport(message_id=message_id, status="delivered", code=None, at=now)
            for invoice_id in sorted(about):
                content = report.model_dump(mode="json", exclude_none=True)
                with suppress(Refused):  # the case has just ended; that the database has the report is enough
                    await case_client.tell(invoice_id, "delivery_report", content, wait=False)

    if any(carried.values()):
        with_cases(settings, tell)
    say(f"{len(carried)} letter{'' if len(carried) == 1 else 's'} posted")


def letter_facts(session: Session, row: MessageRow, settings: SharedSettings) -> dict[str, Any]:
    """Return a letter that is not posted yet and what to do about it, as `letters --json` shows it."""
    links = outbox.links(session, row.message_id)
    about = sorted({link.invoice_id for link in links})
    known = [invoices.get_row(session, invoice_id) for invoice_id in about]
    folder = registry.printing(row.provider).folder
    return {
        "message_id": row.message_id,
        "since": row.sent_at or row.claimed_at,
        "invoices": about,
        "numbers": [one.number for one in known if one is not None],
        "step": row.step,
        "contact": row.contact_id,
        "to": row.address,
        "provider": row.provider,
        "file": str(folder(settings) / row.provider_id) if folder and row.provider_id else None,
        "hold_back": _hold_back(session, links, row),
    }


def _hold_back(session: Session, links: Sequence[MessageInvoiceRow], row: MessageRow) -> str | None:
    """Return why a letter must not be posted, or not now; None when it may be posted."""
    if standstills.in_force(session) is not None:
        return "do not post now: `starter.py hold` is on"
    carried = [(link.step, case) for link in links if (case := cases.get(session, link.invoice_id)) is not None]
    if not row.asks or not carried:
        return None
    kept = {case.invoice_id: case for _, case in carried}
    moved = {case.invoice_id for step, case in carried if case.is_of_former_round(step, row.claimed_at)}
    asking = [case for case in kept.values() if _still_asks(case) and case.invoice_id not in moved]
    if not asking:
        return f"do not post: {', '.join(sorted({_why_not(case, moved) for case in kept.values()}))}"
    asked = sum((case.asked for case in asking), Decimal(0))
    if asked == row.amount:
        return None
    printed, now = (f"{amount:.{asking[0].money.digits}f} {asking[0].currency}" for amount in (row.amount, asked))
    way_out = f"`starter.py settle-message {row.message_id} failed` lets the case take another way"
    return f"do not post: it asks for {printed}, and {now} may be asked for now; {way_out}"


def _why_not(case: Case, moved: Collection[str]) -> str:
    return f"due on {case.due_on} now" if case.invoice_id in moved and not case.ended else case.stage.value


def _still_asks(case: Case) -> bool:
    return case.asked > 0 and not case.resting


def to_post(session: Session) -> list[tuple[str, str]]:
    """Return message id and customer id of every letter in the print folder that may be posted."""
    return [
        (row.message_id, row.customer_id)
        for row in outbox.letters(session)
        if registry.printing(row.provider).folder is not None
        and _hold_back(session, outbox.links(session, row.message_id), row) is None
    ]


def _known(session: Session, message_id: str) -> tuple[str, str]:
    row = outbox.get(session, message_id)
    if row is None or not Channel(row.channel).facts.posted:
        raise Refused(
            "message", f"{message_id!r} is no letter in the outbox; `starter.py letters` shows those that wait"
        )
    if row.state not in TAKEN_STATES:
        raise Refused("message", f"{message_id!r} is {row.state}; only a letter that waits can be posted")
    return row.message_id, row.customer_id


def _note_posted(session: Session, message_id: str, now: datetime) -> set[str]:
    """Record that the letter was posted. Returns the open cases it is about, to which the report must be sent.

    They are returned on a repetition too, because the first attempt may not have reached them.
    """
    row = outbox.get(session, message_id)
    if row is None:
        return set()
    provider_event = ProviderEvent(
        event_id=f"posted.{message_id}",
        kind="posted",
        channel=Channel(row.channel),
        message_id=message_id,
        state=MessageState.DELIVERED,
        at=now,
    )
    apply(session, provider_event, now)
    about = {link.invoice_id for link in outbox.links(session, message_id)}
    kept = [cases.get(session, invoice_id) for invoice_id in about]
    return {case.invoice_id for case in kept if case is not None and case.ended is None}
