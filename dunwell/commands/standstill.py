"""Commands that begin and end a standstill of the installation."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from dunwell.commands.common import (
    in_plain_letters,
    opened_database,
)
from dunwell.commands.output import say
from dunwell.commands.principal import current_principal
from dunwell.domain.refusal import Refused
from dunwell.domain.standstill import decision
from dunwell.services import standstill
from dunwell.settings import load_settings

HeldBy = Annotated[str, typer.Option("--by", help="Who says so: a role or an id, never a person's name.")]
Why = Annotated[str, typer.Option("--reason", callback=in_plain_letters, help="A short code, such as restore.")]


def begin(by: HeldBy, reason: Why) -> None:
    """Stop every message and every consequence of all cases at once. Money still counts. Begin a restore with it.

    What a provider was handed a moment before cannot be called back. When a hold is on already, such as an older one
    that came back with a restored database, this one takes its place.
    """
    chosen = decision(by, reason)
    with opened_database(load_settings()) as database:
        before = standstill.begin_anew(database, chosen, datetime.now(UTC), current_principal(database))
    if before is not None:
        since = f"{before.since:%Y-%m-%d %H:%M} UTC"
        say(f"A hold was on since {since} (by {before.by}: {before.reason}); this one takes its place.")
    say("on: no message and no consequence leaves until `starter.py hold off`; money still counts")


def end(by: HeldBy, reason: Why) -> None:
    """Let messages and consequences leave again, each within the hour and in its debtor's hours."""
    chosen = decision(by, reason)
    with opened_database(load_settings()) as database:
        if not standstill.end(database, chosen, datetime.now(UTC), current_principal(database)):
            raise Refused("hold", "is not on")
    say("off: messages and consequences leave again, each within the hour and in its debtor's hours")
