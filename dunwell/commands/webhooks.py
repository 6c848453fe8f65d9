"""Commands about webhook subscriptions, for administrators."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from dunwell.bootstrap import make_dependencies
from dunwell.commands.common import Json, from_database, opened_database
from dunwell.commands.output import print_json, print_table, say
from dunwell.commands.principal import current_principal
from dunwell.domain.notifications import TOPICS, DeliveryState
from dunwell.domain.refusal import Refused
from dunwell.services import webhook_subscriptions
from dunwell.services.webhook_delivery import WebhookDelivery
from dunwell.settings import load_settings
from dunwell.store import notifications
from dunwell.views.webhooks import deliveries, subscribed

SubscriptionId = Annotated[
    str, typer.Argument(metavar="SUBSCRIPTION", help="The subscription_id, by `webhook list`.")
]


def add_webhook(
    url: Annotated[str, typer.Argument(metavar="URL", help="https://..., or http:// to 127.0.0.1.")],
    events: Annotated[str, typer.Option("--events", help=f"With commas: {', '.join(TOPICS)}. Default: all.")] = "",
    as_json: Json = False,
) -> None:
    """Tell an address of events as they happen. Prints the secret that signs each request, this once."""
    settings = load_settings()
    names = [name.strip() for name in events.split(",") if name.strip()]
    with opened_database(settings) as database:
        principal, now = current_principal(database), datetime.now(UTC)
        with database.writing_beside_customers() as session:
            row = webhook_subscriptions.subscribe(
                session, url, names, principal, now, private=settings.webhook_private_addresses
            )
    if as_json:
        print_json({"subscription_id": row.subscription_id, "secret": row.secret, "events": row.topics})
        return
    say(f"{row.subscription_id} is told of {', '.join(row.topics)}")
    say(f"secret  {row.secret}")
    say(f"It is not shown again. Try it: starter.py webhook test {row.subscription_id}")


def list_webhooks(as_json: Json = False) -> None:
    """Show who is told of what, and what is not delivered yet."""
    found = from_database(load_settings(), subscribed)
    if as_json:
        print_json(found)
        return
    rows = [
        (one["subscription_id"], one["url"], ", ".join(one["events"]), str(one["pending"]), str(one["failed"]))
        for one in found
    ]
    print_table(("subscription", "address", "events", "pending", "failed"), rows, "No webhooks.")


def remove_webhook(subscription: SubscriptionId) -> None:
    """Tell an address nothing more. What was not delivered yet is dropped, too."""
    with opened_database(load_settings()) as database:
        principal = current_principal(database)
        with database.writing_beside_customers() as session:
            webhook_subscriptions.unsubscribe(session, subscription, principal, datetime.now(UTC))
    say(f"{subscription} is removed.")


def try_webhook(subscription: SubscriptionId) -> None:
    """Send an event `test` now, once, and say what the address answered. Exits with 1 unless it took it."""
    settings = load_settings()
    with opened_database(settings) as database, database.writing_beside_customers() as session:
        row = webhook_subscriptions.find(session, subscription)
        test = notifications.add_test(session, row)
    deps = make_dependencies(settings)
    done = WebhookDelivery(deps).attempt(row, test)
    deps.database.close()
    host = webhook_subscriptions.host_of(row)
    if done is None or done.state is not DeliveryState.DELIVERED:
        answer = done.answer if done else "another process sent it"
        raise Refused("webhook", f"{host} did not take it: {answer}, where 2xx within 20 s is expected")
    say(f"{host} took it: {done.answer}")


def show_deliveries(
    subscription: Annotated[str | None, typer.Argument(metavar="SUBSCRIPTION", help="Of this one only.")] = None,
    state: Annotated[DeliveryState | None, typer.Option("--state", help="Only those in this state.")] = None,
    as_json: Json = False,
) -> None:
    """Show the latest 200 deliveries, newest first, with what was answered and when the next attempt is."""
    found = from_database(load_settings(), lambda session: deliveries(session, subscription, state))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            f"{one['at']:%Y-%m-%d %H:%M:%S}",
            one["event"],
            one["invoice_id"] or "-",
            one["state"],
            str(one["attempts"]),
            one["answer"] or "-",
            f"{one['next_at']:%Y-%m-%d %H:%M:%S}" if one["next_at"] else "-",
            one["subscription_id"],
        )
        for one in found
    ]
    heads = ("when (UTC)", "event", "invoice", "state", "attempts", "answer", "next attempt", "subscription")
    print_table(heads, rows, "Nothing was told yet.")


def resend_failed(subscription: SubscriptionId) -> None:
    """Send all again that failed, for another three days: once the address answers again."""
    with opened_database(load_settings()) as database:
        principal = current_principal(database)
        with database.writing_beside_customers() as session:
            count = webhook_subscriptions.resend(session, subscription, principal, datetime.now(UTC))
    say(f"{count} notifications are sent again; a worker must run.")
