"""Commands that show one case or the list of cases."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from dunwell.bootstrap import NotReady
from dunwell.client.server import ServerAway
from dunwell.client.status import copied_status
from dunwell.commands.common import (
    InvoiceId,
    Json,
    from_database,
    opened_database,
    with_cases,
)
from dunwell.commands.output import coming_next, print_json, print_table, say, warn
from dunwell.domain.claim_summary import AccessoryClaim
from dunwell.domain.given_up import GivenUp
from dunwell.domain.keys import StepId
from dunwell.domain.standstill import Standstill
from dunwell.domain.terms import AccessoryRule, Stage
from dunwell.settings import load_settings
from dunwell.store import standstills
from dunwell.views.case_list import listed
from dunwell.views.case_status import case_facts
from dunwell.views.facts import Facts
from dunwell.views.lookup import find_invoice
from dunwell.views.notes import notes_about
from workflows.status import Status


def status(invoice: InvoiceId, as_json: Json = False) -> None:
    """Show how a case stands. Every decision is there with its reason."""
    settings = load_settings()
    from_database(settings, lambda session: find_invoice(session, invoice))
    try:
        known = with_cases(settings, lambda case_client: case_client.status(invoice))
    except (NotReady, ServerAway):
        with opened_database(settings) as database:
            known = copied_status(database, invoice)
    if known.copied:
        warn(f"{known.copied}: this is the database's copy")
    if known.interrupted:
        warn(
            f"its run was {known.interrupted} in Temporal, so nothing happens: `starter.py reconcile --apply` begins "
            "it again, resting"
        )
    facts = from_database(settings, lambda session: case_facts(session, known.status, settings.sender_country))
    facts |= {"interrupted": known.interrupted} if known.interrupted else {}
    if as_json:
        print_json(facts)
        return
    stands = from_database(settings, standstills.in_force)
    if stands:
        say(_held(stands))
    written = from_database(settings, lambda session: _notes(session, invoice))
    _print_status(known.status, facts, written)


def _notes(session: Session, invoice_id: str) -> list[Facts]:
    return list(notes_about(session, find_invoice(session, invoice_id).customer_id, [invoice_id]).values())


def _held(stands: Standstill) -> str:
    return f"HOLD IS ON: {stands}. To end it: starter.py hold off"


def _print_status(shown: Status, facts: Facts, written: Sequence[Facts]) -> None:
    ladder = f"ladder {shown.policy.name}@{shown.policy.version}" if shown.policy else "not registered yet"
    say(f"{shown.invoice_id}: {shown.stage.value}  ({ladder})" + ("  REHEARSAL" if shown.rehearsal else ""))
    if facts["number"]:
        say(f"invoice {facts['number']} of {facts['customer']} ({facts['customer_id']})")
    if shown.policy is not None:
        say(f"open    {shown.amount_due} {shown.currency}, due {shown.due_on}")
    for line in claim_lines(shown, facts):
        say(line)
    _print_accessory(shown)
    if shown.credit:
        say(f"credit  {shown.credit} {shown.currency}, to be applied or returned")
    for credit in facts["credits_beside"]:
        say(f"credit  {credit['amount']} {credit['currency']} of this customer on invoice {credit['invoice_id']}")
    held = f"; held by this invoice: {', '.join(shown.holds)}" if shown.holds else ""
    say(f"access  {shown.access.value}{held}")
    for line in _rests(shown):
        say(line)
    say(coming_next(shown))
    for one in shown.promises:
        say(f"promise {one.amount} {shown.currency} for {one.date} by {one.promised_by}: {one.state}")
    for part in shown.plan:
        state = "met" if part.met else "waited for" if part.amount else "in dispute"
        say(f"plan    {part.amount} {shown.currency} on {part.date}: {state}")
    if shown.disputed is not None:
        say(f"dispute {shown.disputed} {shown.currency} are not asked for")
    for payment in shown.payments:
        head = f" for {payment.designation.value.replace('_', ' ')}" if payment.designation else ""
        less = f"; {payment.reversed} of it taken back" if payment.reversed else ""
        say(f"paid    {payment.amount} {shown.currency}{head}, payment {payment.payment_id}{less}")
    for note in written:
        say(f"note    {note['at']:%Y-%m-%d %H:%M} by {note['author']}: {note['text']}")
    rows = [
        (f"{entry.at:%Y-%m-%d %H:%M}", entry.kind, entry.step or "", entry.channel or "", entry.reason)
        for entry in shown.timeline
    ]
    print_table(("when (UTC)", "what", "step", "channel", "why"), rows)


def _rests(shown: Status) -> Iterator[str]:
    """Yield for what the case rests: pauses, replies that wait, grace."""
    for pause in shown.pauses:
        end = f"until {pause.until}" if pause.until else "until resumed"
        whole = "the whole customer rests " if pause.scope == "customer" else ""
        yield f"paused  {whole}{end}: {pause.reason}, by {pause.by}"
    for reply in shown.replies:
        yield f"reply   of {reply.at:%Y-%m-%d %H:%M} UTC waits for a person ({reply.reply_id})"
    if shown.grace is not None:
        yield f"grace   granted until {shown.grace.until}, by {shown.grace.by}"


_CLAIMED = ("principal", "interest", "lump_sum", "costs")


def claim_lines(shown: Status, facts: Facts) -> Iterator[str]:
    """Yield what is claimed, if more than the invoice may be, and why its principal is not what is open."""
    claim = facts["claim"]
    if facts["no_claim"]:
        yield f"claim   not known: {facts['no_claim']}"
        return
    if not claim:
        return
    why = _why_not_open(shown, claim)
    remarks = ([why] if why else []) + claim["remarks"]
    if claim["given_up"]:
        given_up = GivenUp.model_validate(claim["given_up"]).shown(claim["currency"])
        yield f"claim   nothing on {claim['as_of']}; given up: {given_up}"
        return
    if claim["total"] == claim["principal"] and not claim["lump_sum_apart"] and not remarks:
        return
    heads = ", ".join(f"{claim[head]} {head.replace('_', ' ')}" for head in _CLAIMED)
    apart = claim["lump_sum_apart"]
    beside = f", and {apart['amount']} {apart['currency']} lump sum beside it" if apart else ""
    disputed = f"; {claim['disputed']} in dispute are no part of it" if Decimal(claim["disputed"]) else ""
    total = f"{claim['total']} {claim['currency']} on {claim['as_of']}"
    yield f"claim   {total}, of it {heads}{beside}{disputed}; {claim['certainty']}"
    for remark in remarks:
        yield f"        {remark}"


def _why_not_open(shown: Status, claim: Facts) -> str | None:
    """Why the principal of the claim is not what is open."""
    if shown.amount_due is None or Decimal(claim["principal"]) + Decimal(claim["disputed"]) == shown.amount_due:
        return None
    return (
        f"its principal is not the {shown.amount_due} that are open, because payments met other heads first "
        f"(starter.py claim {shown.invoice_id}); the case ends when what is open is paid"
    )


def _print_accessory(shown: Status) -> None:
    left = shown.accessory
    if left is not None:
        amount = left.shown(str(shown.currency))
        say(f"left    {amount} beside the principal on {left.as_of} ({left.heads}): {_accessory_done(shown, left)}")


def _accessory_done(shown: Status, left: AccessoryClaim) -> str:
    match left.rule:
        case AccessoryRule.WAIVE:
            return "waived"
        case AccessoryRule.BILL:
            return "to be billed: `starter.py tasks` has the task"
        case AccessoryRule.ASK_ONCE if shown.accessory_asked_on is not None:
            return f"asked for on {shown.accessory_asked_on}, and waived if it does not come"
        case AccessoryRule.ASK_ONCE:
            return "to be asked for once"


def list_cases(
    stage: Annotated[Stage | None, typer.Option("--stage", help="Only cases in this stage.")] = None,
    as_json: Json = False,
) -> None:
    """List the cases, the next to act first."""
    found, stands = from_database(
        load_settings(), lambda session: (listed(session, stage), standstills.in_force(session))
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
            one["stage"] + (", interrupted in Temporal" if one["interrupted"] else ""),
            StepId.parse(one["next_step"] or "-").name,
            f"{one['next_at']:%Y-%m-%d %H:%M}" if one["next_at"] else "-",
            one["access"],
        )
        for one in found
    ]
    print_table(("invoice", "customer", "open", "stage", "next step", "at (UTC)", "access"), rows, "No cases.")
