"""Commands about money that came in and that nobody could match with an invoice."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import typer

from dunwell.client.matching import Matching
from dunwell.commands.common import (
    Json,
    from_database,
    in_plain_letters,
    opened_database,
    with_cases_of,
)
from dunwell.commands.output import age, print_json, print_table, say
from dunwell.commands.principal import current_principal
from dunwell.domain.billing_events import SubjectKind
from dunwell.domain.principals import Principal
from dunwell.intake.currencies import Currency
from dunwell.intake.typed_amounts import typed_amount
from dunwell.settings import load_settings
from dunwell.store import billing_events
from dunwell.views.facts import Facts
from dunwell.views.unmatched import currency_of, one_payment, unmatched

EntryId = Annotated[str, typer.Argument(metavar="ENTRY", help="The entry, by `unmatched`.")]


def show_unmatched(as_json: Json = False) -> None:
    """Show money that came in and that nobody could match yet, with what is proposed for it."""
    now = datetime.now(UTC)
    found, reported = from_database(
        load_settings(),
        lambda session: (unmatched(session, now), billing_events.waiting(session, SubjectKind.INVOICE)),
    )
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one["entry_id"],
            f"{one['amount']} {one['currency']}" + (" taken back" if one["taken_back"] else ""),
            f"{one['received_at']:%Y-%m-%d}",
            age(one["age_days"]) + (", overdue" if one["overdue"] else ""),
            one["payer_name"] or "",
            " ".join(filter(None, (one["text"], f"(id {one['reference']})" if one["reference"] else ""))),
            _proposed(one),
        )
        for one in found
    ]
    heads = ("entry", "amount", "received", "age", "payer", "text", "proposed, or why not")
    print_table(heads, rows, "" if reported else "All money that came in is matched.")
    if reported:
        sources = ", ".join(sorted({one.provider for one in reported}))
        say(f"{len(reported)} invoices reported by {sources} wait: `starter.py waiting list` shows why.")


def _proposed(one: Facts) -> str:
    said = [
        f"{proposal['number']}: {_parts(proposal['parts'])}"
        + (f"; no longer: it {proposal['stale']}" if proposal["stale"] else f" ({'; '.join(proposal['reasons'])})")
        for proposal in one["proposals"]
    ]
    said = said or [one["why"]]
    return "\n".join([*said, f"beware: {one['same_as']}"] if one["same_as"] else said)


def _parts(parts: list[Facts]) -> str:
    return ", ".join(f"{part['invoice_id']}={part['amount']}" for part in parts)


def match(
    entry: EntryId,
    invoices: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INVOICE[=AMOUNT]]...", help="By id or number. One without an amount gets what is left."
        ),
    ] = None,
    proposal: Annotated[int | None, typer.Option("--proposal", help="Confirm the proposal of this number.")] = None,
    reject: Annotated[int | None, typer.Option("--reject", help="Reject the proposal of this number.")] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take it back from its invoices, or take up again what was set aside.")
    ] = False,
    other_money: Annotated[
        bool, typer.Option("--other-money", help="It is not the money, booked already, that it may be.")
    ] = False,
    aside: Annotated[
        str | None,
        typer.Option(
            "--aside",
            metavar="REASON",
            callback=in_plain_letters,
            help="For no invoice, such as bank-interest.",
        ),
    ] = None,
) -> None:
    """Say what a payment that came in is for: invoices, or a proposal. Exactly one of them at a time."""
    if other_money and not (invoices or proposal is not None):
        raise typer.BadParameter("--other-money only goes with INVOICE[=AMOUNT]... or --proposal")
    chosen = [bool(invoices), proposal is not None, reject is not None, undo, aside is not None]
    if sum(chosen) != 1:
        raise typer.BadParameter("say one thing: INVOICE[=AMOUNT]..., --proposal, --reject, --undo or --aside")

    async def decide(matching: Matching, principal: Principal) -> None:
        if proposal is not None:
            await matching.confirm(entry, proposal, principal, other_money=other_money)
        elif reject is not None:
            await matching.reject(entry, reject, principal)
        elif undo:
            await matching.undo(entry, principal)
        elif aside is not None:
            await matching.set_aside(entry, aside, principal)
        else:
            await matching.assign(entry, shares, principal, other_money=other_money)

    settings, now = load_settings(), datetime.now(UTC)
    with opened_database(settings) as database:
        by, days = current_principal(database), settings.unmatched_days
        with database.reading() as session:
            shares = [_share(text, currency_of(session, entry, now)) for text in invoices or ()]
        with_cases_of(database, settings, lambda cases: decide(Matching(database, cases, days), by))
        with database.reading() as session:
            say(_became(one_payment(session, entry, now)))


def _share(text: str, currency: Currency) -> tuple[str, Decimal | None]:
    """Return invoice and amount of INVOICE or INVOICE=AMOUNT. Raises Refused for what is no amount."""
    invoice_id, mark, amount = text.rpartition("=")
    return (invoice_id, typed_amount("amount", amount, currency)) if mark else (text, None)


def _became(one: Facts) -> str:
    shown = f"{one['entry_id']}: {one['amount']} {one['currency']}" + (" taken back," if one["taken_back"] else "")
    standing = [booking for booking in one["bookings"] if booking["undone_at"] is None]
    refused = "; ".join(
        f"{booking['invoice_id']} refuses it: {booking['refused']}" for booking in standing if booking["refused"]
    )
    if refused:
        return f"{shown} booked, but {refused}"
    if standing:
        asked = ", ".join(booking["invoice_id"] for booking in standing if booking["not_counted"])
        later = f"; not counted on {asked} until a person confirms that it was not counted before" if asked else ""
        return f"{shown} booked on {_parts(standing)}{later}"
    return f"{shown} {one['state'].value.replace('_', ' ')}: {one['why']}"
