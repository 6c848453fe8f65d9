"""Reasons and advice in the console's words: they are written for every door, and name commands and options."""

import re
from collections.abc import Mapping

_FORMS: Mapping[str, str] = {
    "amend": "“Amend the invoice”",
    "apply-credit": "“Apply to an invoice” on the customer's page",
    "cancel": "“Cancel the invoice”",
    "contact close": "“Do not write any more” on the customer's page",
    "contact open": "“Write again” on the customer's page",
    "contact set": "“Correct” on the customer's page",
    "customer set": "“Correct the customer” on the customer's page",
    "match": "Unmatched money",
    "pause": "“Pause”",
    "pay": "“Payment” on the page of the case",
    "posted": "the page of letters",
    "resolve-dispute": "“Resolve the dispute”",
    "resume": "“Resume”",
    "return-credit": "“Paid back” on the customer's page",
    "reverse-payment": "“Reverse a payment” on the page of the case",
    "settle-message": "say on the page of the message that it was",
    "unmatched": "Unmatched money",
}
"""Where the console does what a command does."""

_ARGUMENT = r"(?: (?:--[a-z-]+(?: [\w:-]+(?:\.[\w:-]+)*)?|'[^']*'|[\w.:/~-]*[A-Z0-9][\w/~-]*(?:[.:][\w/~-]+)*))*"
_RULES = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"`starter\.py match \S+ --undo`", "“Undo”"),
        (r"[;:,] `starter\.py [^`]+` (?:shows?|has|lists)\b[^;.]*", ""),
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
        (r" \(--(?:confirm|layout)\)", ""),
    )
)
_COMMAND = re.compile(rf"`?starter\.py ({'|'.join(sorted(_FORMS, key=len, reverse=True))})\b{_ARGUMENT}`?")


def in_console(text: str) -> str:
    """Return a reason with the console's forms and fields in place of commands and options."""
    for pattern, words in _RULES:
        text = pattern.sub(words, text)
    return _COMMAND.sub(lambda found: _FORMS[found[1]], text)
