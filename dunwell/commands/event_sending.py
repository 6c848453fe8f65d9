"""Sends an event to a case and prints the result: shared by the commands that do so."""

from collections.abc import Mapping
from typing import Any

from dunwell.client.cases import Cases
from dunwell.client.typed_events import check_typed, with_amounts
from dunwell.commands.common import (
    from_database,
    with_cases,
    without_none,
)
from dunwell.commands.output import outcome_line, say
from dunwell.commands.principal import principal_in
from dunwell.settings import Settings, load_settings
from dunwell.views.lookup import currency_of


def tell_case(
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
    settings = settings or load_settings()
    currency, principal = from_database(
        settings, lambda session: (currency_of(session, invoice_id), principal_in(session))
    )
    content = with_amounts(without_none(facts), currency)
    check_typed(name, content)

    async def ask(case_client: Cases) -> str:
        answer = await case_client.tell(
            invoice_id,
            name,
            content,
            note=note,
            author=author,
            principal=principal,
            request_id=request_id,
            wait=not no_wait,
        )
        line = outcome_line(invoice_id, answer.how, answer.status, waited=not no_wait)
        return f"{line}\n{answer.remark}" if answer.remark else line

    say(with_cases(settings, ask))
