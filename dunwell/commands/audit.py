"""The command that shows who changed what, and checks that nobody changed the record of it."""

from typing import Annotated

import typer

from dunwell.commands.common import REFUSED, Json, from_database, read_moment
from dunwell.commands.output import print_json, print_table, say, warn
from dunwell.settings import load_settings
from dunwell.store import audit as store
from dunwell.views.audit import audit_facts


def audit(
    about: Annotated[
        str | None, typer.Option("--object", metavar="OBJECT", help="Such as invoice/INV-1 or user/user-7.")
    ] = None,
    who: Annotated[
        str | None, typer.Option("--who", metavar="ID", help="A user's id, a key's name, a login.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Such as 2027-03-01.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check that no entry was changed or removed.")] = False,
    as_json: Json = False,
) -> None:
    """Show who changed what, the oldest first. With --verify, exit with 1 when the record itself was changed."""
    settings, moment = load_settings(), read_moment("--since", since) if since else None
    if verify:
        broken = from_database(settings, lambda session: list(store.verify(session, about)))
        if as_json:
            print_json({"ok": not broken, "broken": [{"object": name, "reason": why} for name, why in broken]})
        elif broken:
            for name, why in broken:
                warn(f"{name}: {why}")
        else:
            say("No entry was changed, and none is missing before the last one of its object.")
        if broken:
            raise typer.Exit(REFUSED)
        return
    found = from_database(settings, lambda session: audit_facts(session, about=about, who=who, since=moment))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            f"{one['at']:%Y-%m-%d %H:%M:%S}",
            f"{one['name'] or one['principal']} ({one['kind']})",
            one["action"],
            one["object"],
            one["reason"] or "",
            ", ".join(f"{name} {value}" for name, value in one["details"].items()),
        )
        for one in found
    ]
    print_table(("when (UTC)", "who", "what", "about", "why", "details"), rows, "Nothing was changed.")
