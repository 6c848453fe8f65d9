"""Commands about API keys, for administrators."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from dunwell.commands.common import Json, opened_database
from dunwell.commands.output import print_json, print_table, say
from dunwell.commands.principal import current_principal
from dunwell.domain.principals import Role
from dunwell.services.api_keys import CACHED, ApiKeys
from dunwell.settings import load_settings


def create_key(
    role: Annotated[Role, typer.Option("--role", help="What the key may do; docs/security.md has the table.")],
    name: Annotated[str, typer.Option("--name", help="The program that uses it, such as billing.")],
    expires: Annotated[
        int | None, typer.Option("--expires", metavar="DAYS", help="Default: it does not end.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make an API key and print it, once: only its hash is stored. A name may have two live keys, to change them."""
    with opened_database(load_settings()) as database:
        made = ApiKeys(database).create(name, role, expires, current_principal(database), datetime.now(UTC))
    if as_json:
        print_json({"key_id": made.key_id, "key": made.key})
        return
    say(f"{made.key_id}: {role.value}, for {name}. Keep the key, it is not shown again:")
    say(made.key)


def list_keys(as_json: Json = False) -> None:
    """Show every key with role, state, end and last use, to the minute. The keys themselves are not stored."""
    with opened_database(load_settings()) as database:
        found = ApiKeys(database).list(datetime.now(UTC))
    if as_json:
        print_json(found)
        return
    rows = [
        (one["name"], one["role"], one["state"], _day(one["expires_at"]), _day(one["used_at"]), one["key_id"])
        for one in found
    ]
    print_table(
        ("name", "role", "state", "ends", "last used (UTC)", "key"), rows, "No keys: `starter.py key create`."
    )


def revoke_key(key: Annotated[str, typer.Argument(metavar="KEY", help="The key_id, by `key list`.")]) -> None:
    """End a key for good. A web service may take it for half a minute more."""
    with opened_database(load_settings()) as database:
        ApiKeys(database).revoke(key, current_principal(database), datetime.now(UTC))
    say(f"{key}: revoked; refused everywhere within {CACHED.total_seconds():.0f} s")


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment is not None else "-"
