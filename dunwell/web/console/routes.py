"""All routes of the console, in the order in which they are tried."""

from fastapi import APIRouter

from dunwell.web.console import (
    approvals,
    assets,
    audit,
    case,
    customer,
    figures,
    invoices,
    letters,
    lists,
    messages,
    policies,
    policy_moves,
    profile,
    replies,
    saved_filters,
    sign_in,
    statement_layouts,
    statements,
    today,
    unmatched,
)

router = APIRouter()
for _part in (
    assets,
    sign_in,
    today,
    lists,
    saved_filters,
    policy_moves,
    case,
    customer,
    messages,
    letters,
    policies,
    invoices,
    figures,
    audit,
    approvals,
    profile,
    unmatched,
    statements,
    statement_layouts,
    replies,
):
    router.include_router(_part.router)
