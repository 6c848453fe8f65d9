"""Reasons and advice in the console's words: they are written for every door, and name commands and options.

Every text that a template shows comes through `in_console`, so that no sentence is forgotten.
"""

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

_FORMS: Mapping[str, str] = {
    "amend": "“Amend the invoice”",
    "apply-credit": "“Apply to an invoice” on the customer's page",
    "cancel": "“Cancel the invoice”",
    "claim": "“Claim today” on the page of the case",
    "contact add": "“Add a contact” on the customer's page",
    "contact close --calls": "“No more calls” on the customer's page",
    "contact close": "“Do not write any more” on the customer's page",
    "contact open --calls": "“Call again” on the customer's page",
    "contact open": "“Write again” on the customer's page",
    "contact set": "“Correct” on the customer's page",
    "customer set": "“Correct the customer” on the customer's page",
    "match": "Unmatched money",
    "pause": "“Pause”",
    "pause --customer": "“Pause this customer” on the customer's page",
    "pay": "“Payment” on the page of the case",
    "plan": "“Payment plan”",
    "posted": "“Mark as posted” on the page of letters",
    "resolve-dispute": "“Resolve the dispute”",
    "resume": "“Resume”",
    "resume --customer": "“Resume this customer” on the customer's page",
    "return-credit": "“Paid back” on the customer's page",
    "reverse-payment": "“Reverse a payment” on the page of the case",
    "settle-message": "“What became of it?” on the page of the message",
    "start": "the page of new invoices",
    "statement-layout": "“What the columns hold” on the page of bank statements",
    "status": "the page of the case",
    "unmatched": "Unmatched money",
    "write-off": "“Write off”",
}
"""Where the console does what a command does."""

_OPERATORS = (
    "hold",
    "policy check",
    "rates confirm",
    "reconcile",
    "webhook remove",
    "webhook resend",
)
"""Commands of people who run the service: the console has no page that does the same."""

_LISTS = (
    "approvals",
    "customer",
    "letters",
    "link list",
    "list",
    "outbox",
    "replies",
    "tasks",
    "unmatched",
    "user list",
    "waiting list",
    "webhook list",
)
"""Commands that only show what the console has a page for: advice to run one is left out."""

_ARGUMENT = r"(?: (?:--[a-z-]+(?: [\w:-]+(?:\.[\w:-]+)*)?|'[^']*'|[\w.:/~-]*[A-Z0-9][\w/~-]*(?:[.:][\w/~-]+)*))*"
_RULES = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"`starter\.py match \S+ --undo`", "“Undo”"),
        (rf"(?:[;:,] )?`starter\.py (?:{'|'.join(_LISTS)})(?: --json)?` (?:shows?|has|lists)\b[^;.]*", ""),
        (r" \(starter\.py unmatched\)", ""),
        (r"See `starter\.py unmatched`, then starter\.py match \S+(?: INVOICE)?", "Decide under Unmatched money"),
        (
            r"say what became of it: starter\.py settle-message \S+ delivered, or failed",
            "say on the page of the message what became of it",
        ),
        (r"`?starter\.py settle-message \S+ failed`?", "“It never left” on the page of the message"),
        (
            r"rename the columns, or say what they hold with --map, such as --map '[^']*'",
            "choose their columns below",
        ),
        (
            r"; give what is the same in every record with --set, such as --set currency=EUR",
            ", and write there what is the same in every line",
        ),
        (r"leave out the value, or leave out the column with --map, such as --map '[^']*'", "keep one of them"),
        (r"given by --set and in a column", "written below and in a column"),
        (r"say --map '([^']*)=-' to leave it out", r"tick below that \1 is left out"),
        (r"named by --map and not there", "chosen below and not there"),
        (r"say --dialect, --map or --set", "say so under “What the columns hold”"),
        (r"say --dialect ([\w-]+) or --dialect ([\w-]+)", r"say \1 or \2 in the field “How it is written”"),
        (
            r"say so with confirm \(--confirm\)",
            "tick “It comes on top of what was taken off before”",
        ),
        (r"say that it is other money \(--other-money\)", "tick that it is other money"),
        (r" \(--(?:accept-partial|confirm|layout)\)", ""),
    )
)
_WORDS: Mapping[str, str] = {**_FORMS, **{name: f"the operator's “{name}”" for name in _OPERATORS}}
_NAMES = sorted((name for name in _WORDS if " --" not in name), key=len, reverse=True)
_COMMAND = re.compile(rf"`?starter\.py ({'|'.join(_NAMES)})\b{_ARGUMENT}`?")


def in_console(value: Any) -> Any:
    """Return a text with the console's forms and fields in place of commands and options; all else as it is."""
    if not isinstance(value, str) or isinstance(value, Markup) or not ("starter.py" in value or "--" in value):
        return value
    text = str(value)
    for pattern, words in _RULES:
        text = pattern.sub(words, text)
    return _COMMAND.sub(_form, text)


def _form(found: re.Match[str]) -> str:
    options = (f"{found[1]} {option}" for option in ("--customer", "--calls") if f" {option}" in found[0])
    return next((_WORDS[one] for one in options if one in _WORDS), _WORDS[found[1]])
