"""Commands about what customers wrote to us: replies, and our answers to them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import typer

from dunwell.bootstrap import make_dependencies
from dunwell.client.cases import Cases
from dunwell.client.replies import Replies
from dunwell.commands.common import Json, OnlyInvoice, check_set_up, connected, from_database
from dunwell.commands.output import age, print_json, print_table, say
from dunwell.commands.principal import current_principal
from dunwell.domain.clerk_answer import Phrase
from dunwell.domain.principals import Principal
from dunwell.services.answers import Draft, Leaving
from dunwell.settings import load_settings
from dunwell.views.facts import Facts
from dunwell.views.replies import one_reply, preview_facts, waiting_replies

T = TypeVar("T")

ReplyId = Annotated[str, typer.Argument(metavar="REPLY", help="The reply_id, by `replies`.")]
Phrases = Annotated[
    list[str] | None,
    typer.Option(
        "--phrase", metavar="PHRASE", help=f"A phrase of the catalogue, in the order given: {', '.join(Phrase)}."
    ),
]
Text = Annotated[
    str, typer.Option("--text", help="Words of your own, after the phrases, in the customer's language.")
]


def show_replies(as_json: Json = False) -> None:
    """Show what customers wrote and nobody has handled yet, oldest first. Their cases rest until it is handled."""
    now = datetime.now(UTC)
    found = from_database(load_settings(), lambda session: waiting_replies(session, now))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one["reply_id"],
            age(one["age_days"]),
            one["customer"] or "unknown",
            one["contact"] or one["sender_name"] or one["sender"],
            one["channel"],
            ", ".join(f"{part['amount']} {part['currency']}" for part in one["open"]),
            one["start"],
        )
        for one in found
    ]
    print_table(("reply", "age", "customer", "who", "by", "open", "begins"), rows, "Every reply is handled.")


def show_reply(reply: ReplyId, as_json: Json = False) -> None:
    """Show a reply whole: its text, files, what it seems to say, and the answers to it."""
    now = datetime.now(UTC)
    found = from_database(load_settings(), lambda session: one_reply(session, reply, now))
    if as_json:
        print_json(found)
        return
    say(_shown(found))


def handled(reply: ReplyId) -> None:
    """Say that a reply needs no answer. Chasing goes on."""
    _with_replies(lambda replies, by: replies.handle(reply, by, datetime.now(UTC)))
    say(f"{reply} is handled; chasing goes on")


def answer(
    reply: ReplyId,
    phrase: Phrases = None,
    text: Text = "",
    invoice: OnlyInvoice = None,
    preview: Annotated[bool, typer.Option("--preview", help="Show it as it would leave; nothing is sent.")] = False,
    as_json: Json = False,
) -> None:
    """Answer a reply, by its channel, to whoever wrote. The case sends it in the customer's hours, under its caps."""
    draft, now = Draft.of(phrase or [], text, invoice), datetime.now(UTC)
    if preview:
        found = preview_facts(_with_replies(lambda replies, _: replies.preview(reply, draft, now), serverless=True))
        if as_json:
            print_json(found)
        else:
            leaves = f"{found['leaves_at']:%Y-%m-%d %H:%M} UTC"
            because = f": {found['delayed_by']}" if found["delayed_by"] else ""
            say(f"{found['channel']} to {found['to']} ({found['language']}), from {leaves}{because}")
            if found["stopped"]:
                say(f"They said STOP by {found['stopped']}, where the carrier delivers nothing: so it goes by mail.")
            say("\n".join(part for part in (found["subject"], found["body"]) if part))
        return

    async def send(replies: Replies, by: Principal) -> tuple[str | None, Leaving | None]:
        given = await replies.handle(reply, by, now, draft)
        return given, await replies.leaving(given, now) if given else None

    answer_id, leaving = _with_replies(send)
    if as_json:
        times = {"leaves_at": leaving.at, "delayed_by": leaving.why} if leaving else {}
        print_json({"reply_id": reply, "answer_id": answer_id} | times)
        return
    when = f", from {leaving.at:%Y-%m-%d %H:%M} UTC" if leaving else ""
    because = f": {leaving.why}" if leaving and leaving.why else ""
    say(f"{reply} is answered ({answer_id}): its case sends the answer in the customer's hours{when}{because}")


def writer(
    reply: ReplyId, contact: Annotated[str, typer.Argument(metavar="CONTACT", help="The contact_id, by `customer`.")]
) -> None:
    """Say which contact wrote a reply. The cases of their customer then rest until it is handled."""
    _with_replies(lambda replies, by: replies.assign(reply, contact, by, datetime.now(UTC)))
    say(f"{reply} was written by {contact}")


def _with_replies(act: Callable[[Replies, Principal], Awaitable[T]], *, serverless: bool = False) -> T:
    settings = load_settings()
    deps = make_dependencies(settings)
    check_set_up(deps.database)
    by = current_principal(deps.database)
    try:

        async def run() -> T:
            cases = None if serverless else Cases(await connected(settings), deps.database)
            return await act(Replies(deps, cases), by)

        return asyncio.run(run())
    finally:
        deps.database.close()


def _shown(one: Facts) -> str:
    who = one["contact"] or one["sender_name"] or "unknown"
    mark = "  REHEARSAL" if one["rehearsal"] else ""
    lines = [f"{one['reply_id']}: {who} ({one['sender']}) of {one['customer'] or 'an unknown customer'}{mark}"]
    lines.append(f"by {one['channel']}, {one['received_at']:%Y-%m-%d %H:%M} UTC: {one['why']}")
    lines += ["somebody else wrote than the person we wrote to"] if one["forwarded"] else []
    lines += ["", *([one["subject"]] if one["subject"] else []), one["text"] or "(no text)", ""]
    lines += [f"file {row['number']}: {row['given_name']}, {row['size']} bytes" for row in one["files"]]
    lines += [f'seems to say: {read["line"].value}, by "{read["words"]}"' for read in one["proposals"]]
    if one["handled_at"]:
        lines.append(f"{one['outcome']} by {one['handled_by']}, {one['handled_at']:%Y-%m-%d %H:%M} UTC")
    lines += [f"answer {row['answer_id']}: {row['state'] or 'not sent yet'}" for row in one["answers"]]
    return "\n".join(lines).rstrip()
