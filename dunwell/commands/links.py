"""Commands about the links by which customers act without a login."""

from typing import Annotated

import typer

from dunwell.bootstrap import make_dependencies
from dunwell.client.customers import Changed, Customers
from dunwell.commands.common import By, Json, Reason, check_set_up, from_database
from dunwell.commands.customers import CustomerId, change
from dunwell.commands.output import print_json, print_table, say
from dunwell.commands.principal import current_principal
from dunwell.settings import load_settings
from dunwell.views.links import customer_links

LinkId = Annotated[str, typer.Argument(metavar="LINK", help="The link_id, by `link list`.")]


def list_links(
    customer: CustomerId,
    contact: Annotated[str | None, typer.Option("--contact", metavar="ID", help="Of this contact only.")] = None,
    as_json: Json = False,
) -> None:
    """Show a customer's links, the latest first, without their addresses."""
    found = from_database(load_settings(), lambda session: customer_links(session, customer, contact))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one["link_id"],
            one["kind"],
            one["contact"] or "-",
            ", ".join(one["invoices"]),
            f"{one['made_at']:%Y-%m-%d}",
            f"{one['until']:%Y-%m-%d}" if one["until"] else "-",
            f"{one['revoked_at']:%Y-%m-%d} by {one['revoked_by']}" if one["revoked_at"] else "-",
        )
        for one in found
    ]
    print_table(("link", "opens", "contact", "invoices", "made on", "until", "revoked"), rows, "No links.")


def revoke_links(
    reason: Reason,
    link: Annotated[str | None, typer.Argument(metavar="LINK", help="This link.")] = None,
    contact: Annotated[str | None, typer.Option("--contact", metavar="ID", help="All links of this contact.")] = None,
    customer: Annotated[str | None, typer.Option("--customer", metavar="ID", help="All of this customer.")] = None,
    by: By = "agent",
) -> None:
    """Revoke a link, or all of a contact or customer: they open nothing any more. Later messages have new ones."""
    if sum(one is not None for one in (link, contact, customer)) != 1:
        raise typer.BadParameter("name a link, --contact or --customer, and one of them only")

    def revoke(customers: Customers) -> Changed:
        if contact is not None:
            return customers.revoke_links_of(contact, reason, by)
        if customer is not None:
            return customers.revoke_links(customer, reason, by)
        return customers.revoke_link(link or "", reason, by)

    change(load_settings(), revoke)


def show_link(link: LinkId, as_json: Json = False) -> None:
    """Print the address of a link again. The audit notes who asked for it."""
    deps = make_dependencies(load_settings())
    check_set_up(deps.database)
    address = Customers(deps, current_principal(deps.database)).link_shown(link)
    deps.database.close()
    if as_json:
        print_json({"address": address})
    else:
        say(address)
