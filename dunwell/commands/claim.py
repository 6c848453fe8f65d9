"""The command that shows what may be claimed for an invoice on a day."""

from collections.abc import Iterator
from typing import Annotated

import typer

from dunwell.commands.common import InvoiceId, Json, day_given, from_database
from dunwell.commands.output import print_json, print_table, say
from dunwell.domain.given_up import GivenUp
from dunwell.settings import load_settings
from dunwell.views.claim import claim_facts
from dunwell.views.facts import Facts


def claim(
    invoice: InvoiceId,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DAY", help="Such as 2027-03-31. Default: the customer's today.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what may be claimed on a day: principal, interest by period, lump sum and costs, by which law."""
    settings = load_settings()
    day = day_given("--as-of", as_of)
    facts = from_database(settings, lambda session: claim_facts(session, invoice, day, settings.sender_country))
    if as_json:
        print_json(facts)
        return
    for line in claim_lines(facts):
        say(line)
    if facts["payments"]:
        heads = ("principal", "interest", "lump_sum", "costs")
        rows = [
            (one["payment_id"], one["on"], one["amount"], *(one["met"][head] for head in heads), one["by"])
            for one in facts["payments"]
        ]
        print_table(("payment", "on", "amount", *(f"to {head.replace('_', ' ')}" for head in heads), "by"), rows)
    if facts["periods"]:
        print_table(("from", "to", "days", "balance", "base %", "margin %", "rate %", "interest"), _rows(facts))


def claim_lines(facts: Facts) -> Iterator[str]:
    """Yield the claim as lines for people, without its periods."""
    currency, basis = facts["currency"], facts["basis"]
    law = f", by the law of {facts['jurisdiction']}" if facts["jurisdiction"] else ""
    yield f"{facts['invoice_id']}: {facts['total']} {currency} may be claimed on {facts['as_of']}{law}"
    for head in ("principal", "interest", "lump_sum", "costs"):
        cited = f"  ({'; '.join(basis[head])})" if basis.get(head) else ""
        yield f"  {head.replace('_', ' '):<10} {facts[head]:>14} {currency}{cited}"
    if facts["disputed"].strip("0."):
        yield f"  {'disputed':<10} {facts['disputed']:>14} {currency}, not part of it"
    if facts["lump_sum_apart"]:
        apart = facts["lump_sum_apart"]
        yield f"  beside it  {apart['amount']:>14} {apart['currency']} lump sum"
    if facts["given_up"]:
        yield f"  given up   {GivenUp.model_validate(facts['given_up']).shown(currency)}"
    if facts["as_of"] <= facts["due_on"]:
        yield f"  not late   it is due on {facts['due_on']}"
    yield f"  certainty  {facts['certainty']}"
    if facts["customer_kind"] is None:
        command = f"starter.py customer set {facts['customer_id']} --kind KIND"
        yield f"  missing    whether the customer is a business, consumer or public body: {command}"
    for reason in (*facts["remarks"], *facts["left_out"], *facts["reasons"], *facts["gaps"]):
        yield f"  note       {reason}"


def _rows(facts: Facts) -> list[tuple[str, ...]]:
    names = ("from", "to", "days", "balance", "base", "margin", "rate", "amount")
    return [tuple("" if one[name] is None else str(one[name]) for name in names) for one in facts["periods"]]
