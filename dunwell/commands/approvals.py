"""Commands about requests for approval."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from dunwell.client import approvals as client
from dunwell.client.cases import Cases
from dunwell.commands.common import Json, opened_database, with_cases_of
from dunwell.commands.output import outcome_line, print_json, print_table, say
from dunwell.commands.principal import current_principal
from dunwell.domain.principals import ApprovalDecision
from dunwell.services.approvals import Approvals
from dunwell.settings import load_settings

ApprovalId = Annotated[str, typer.Argument(metavar="APPROVAL", help="The approval_id, by `approvals`.")]


def show_approvals(as_json: Json = False) -> None:
    """Show what somebody asks for and a manager has to decide about."""
    with opened_database(load_settings()) as database:
        found = Approvals(database).waiting()
    if as_json:
        print_json(found)
        return
    rows = [
        (
            f"{one['requested_at']:%Y-%m-%d %H:%M}",
            one["requested_by"],
            one["event"].replace("_", " "),
            one["invoice_id"],
            str(one["content"].get("reason", "")),
            one["approval_id"],
        )
        for one in found
    ]
    print_table(("since (UTC)", "asked by", "what", "invoice", "why", "approval"), rows, "Nothing waits.")


def approve(approval: ApprovalId) -> None:
    """Approve a request, and have it done. Nobody approves their own, unless `user allow-own-approval` is on."""
    settings = load_settings()
    with opened_database(settings) as database:
        by = current_principal(database)

        async def run(cases: Cases) -> str:
            invoice_id, told = await client.approve(cases, Approvals(database), approval, by)
            return outcome_line(invoice_id, told.how, told.status, waited=True)

        say(with_cases_of(database, settings, run))


def decline(approval: ApprovalId) -> None:
    """Decline a request, or withdraw one's own: nothing is done."""
    with opened_database(load_settings()) as database:
        by, now = current_principal(database), datetime.now(UTC)
        row = Approvals(database).decide(approval, ApprovalDecision.DECLINED, by, now)
    say(f"{row.invoice_id}: {row.event.replace('_', ' ')} {row.decision}; nothing is done")
