"""The command that prints the texts to submit to a provider for approval, and shows which are approved already."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from dunwell.bootstrap import MESSAGES, make_links, make_sender
from dunwell.commands.common import Json
from dunwell.commands.messages import Shown, show
from dunwell.commands.output import print_json, say
from dunwell.domain.links import LinkKind
from dunwell.settings import Settings, SettingsError, load_settings
from dunwell.texts.approved import ApprovedTexts, NumberedText
from dunwell.texts.catalogue import Catalogue

_MOST = 1024
"""WhatsApp's limit for a template: characters with its variables filled in."""


@dataclass(frozen=True)
class Submission:
    """A text to submit, or an approved one.

    when  the situation in which it is used; "" is the usual one
    sid   its ContentSid once it is approved
    """

    name: str
    message: str
    language: str
    when: str
    text: NumberedText
    sid: str | None

    def facts(self) -> dict[str, object]:
        """Return the text for JSON. `content` is a body for Twilio's Content API."""
        samples = {str(place): value for place, value in enumerate(self.text.values, start=1)}
        content = {
            "friendly_name": self.name,
            "language": self.language.replace("-", "_"),
            "variables": samples,
            "types": {"twilio/text": {"body": self.text.words}},
        }
        facts: dict[str, object] = {"message": self.message, "language": self.language, "when": self.when or "usual"}
        return facts | {"category": "UTILITY", "sid": self.sid, "length": len(self.text.filled), "content": content}


def whatsapp_texts(
    language: Annotated[str | None, typer.Option("--language", metavar="CODE", help="Only this one.")] = None,
    message: Annotated[str | None, typer.Option("--message", metavar="NAME", help="Only this one.")] = None,
    as_json: Json = False,
) -> None:
    """Print the texts to submit for approval on WhatsApp, each with its variables and samples.

    They are written as messages/templates/whatsapp.toml keeps them once they have a ContentSid. What a case changes
    in the words (a warning, no link, more invoices) is a text of its own. A message whose text is not approved goes
    by the next channel of its step.
    """
    settings, catalogue = load_settings(), Catalogue.load(MESSAGES)
    if language is not None and language not in catalogue.languages:
        raise typer.BadParameter(f"--language: there are {', '.join(catalogue.languages)}")
    if message is not None and message not in catalogue.keys:
        raise typer.BadParameter(f"--message: there is none of this name; {', '.join(sorted(catalogue.keys))}")
    languages = [language] if language else catalogue.languages
    try:
        approved = ApprovedTexts.load(settings.twilio_whatsapp_texts)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    found = [one for one in submissions(catalogue, languages, approved, settings) if message in {None, one.message}]
    if as_json:
        print_json([one.facts() for one in found])
        return
    for one in found:
        _print(one)
    say(f"# {len(found)} texts, {sum(one.sid is not None for one in found)} of them approved")


def submissions(
    catalogue: Catalogue, languages: Sequence[str], approved: ApprovedTexts, settings: Settings
) -> Iterator[Submission]:
    """Yield each text once, in the order of the messages."""
    seen: set[tuple[str, str, str]] = set()
    for shown in show(catalogue, languages, **_ours(settings)):
        text, key = shown.words.numbered, (shown.key, shown.language, shown.words.numbered.words)
        if key not in seen:
            seen.add(key)
            sid = approved.id_of(shown.key, shown.language, text.words)
            yield Submission(_name(shown), shown.key, shown.language, shown.label, text, sid)


def _ours(settings: Settings) -> dict[str, object]:
    """Return the facts that are the same in every text."""
    sender, links = make_sender(settings), make_links(settings)
    page_url = links.address(LinkKind.PAGE) if links is not None else None
    return {
        "sender_company": sender.company,
        "sender_name": sender.name,
        "phone": sender.phone,
        "page_url": page_url,
    }


def _name(shown: Shown) -> str:
    """Return a name for the template by WhatsApp's rule: lower-case letters, digits and underscores."""
    plain = "_".join(("dunwell", shown.key, shown.language, *shown.label.replace(",", "").split()))
    return plain.replace("-", "_").lower()


def _print(one: Submission) -> None:
    when = f", {one.when}" if one.when else ""
    say(f"# {one.name}{when}: category UTILITY, language {one.language.replace('-', '_')}")
    for place, value in enumerate(one.text.values, start=1):
        say(f"# {{{{{place}}}}} for example: {value}")
    if len(one.text.filled) > _MOST:
        say(f"# TOO LONG: {len(one.text.filled)} characters, at most {_MOST} fit")
    say(f"[[{one.message}.{one.language}]]")
    say(f'sid = "{one.sid or "HX..."}"' + ("" if one.sid else "  # put the ContentSid here once it is approved"))
    say(f"text = {json.dumps(one.text.words, ensure_ascii=False)}")
    say("")
