"""Commands about letters: which are to be posted, and recording that they were."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from dunwell.client.posting import chosen_letters, note_posted, tell_posted
from dunwell.commands.common import Json, from_database, opened_database, with_cases
from dunwell.commands.output import print_json, print_table, say
from dunwell.commands.principal import current_principal
from dunwell.settings import load_settings
from dunwell.store import outbox
from dunwell.views.letters import letter_facts, to_post


def letters(as_json: Json = False) -> None:
    """Show the letters that wait to be posted, with their files, and which of them are not wanted any more."""
    settings = load_settings()
    found = from_database(
        settings, lambda session: [letter_facts(session, row, settings) for row in outbox.letters(session)]
    )
    if as_json:
        print_json(found)
        return
    rows = [
        (
            f"{one['since']:%Y-%m-%d}",
            ", ".join(one["numbers"]),
            ", ".join(one["to"].splitlines()),
            one["hold_back"] or "post it",
            one["file"] or f"at {one['provider']}",
            one["message_id"],
        )
        for one in found
    ]
    print_table(("since", "invoices", "to", "what to do", "file", "message"), rows, "No letters wait.")


def posted(
    messages: Annotated[
        list[str] | None, typer.Argument(metavar="[MESSAGE]...", help="The message ids, by `letters`.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every letter in the print folder that `letters` says to post.")
    ] = False,
) -> None:
    """Say that letters were posted. From now on they count as delivered. Safe to repeat."""
    if bool(messages) == everything:
        raise typer.BadParameter("name the letters, or give --all")
    settings, now = load_settings(), datetime.now(UTC)
    with opened_database(settings) as database:
        with database.reading() as session:
            chosen = to_post(session) if everything else chosen_letters(session, messages or ())
        carried = note_posted(database, chosen, current_principal(database), now)
    if any(carried.values()):
        with_cases(settings, lambda case_client: tell_posted(case_client, carried, now))
    say(f"{len(carried)} letter{'' if len(carried) == 1 else 's'} posted")
