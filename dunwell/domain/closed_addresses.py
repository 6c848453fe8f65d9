"""Why an address is closed, and who may open it again."""

STOPPED = "stopped"
"""Its owner sent STOP or followed the link that stops e-mails."""
COMPLAINED = "complained"
"""Its owner reported our mail as spam."""
WRONG_NUMBER = "is a wrong number"
NO_CALLS = "belongs to somebody who wants no more calls"
"""Its owner told a person of ours so. They are still written to."""
BY_OWNER = frozenset({STOPPED, COMPLAINED, NO_CALLS})
"""The reasons that only the owner of the address can undo: by START, or of calls by a word to us."""

_OPTED_OUT = "opted_out"
"""The word of cases for STOPPED: it stands in their histories."""


def told_to_cases(reason: str | None) -> str | None:
    """Return the word in which cases are told why an address is closed; None for one that is open."""
    return _OPTED_OUT if reason == STOPPED else reason


def told_by_case(word: str | None) -> str | None:
    """Return the reason for the word of a case."""
    return STOPPED if word == _OPTED_OUT else word
