"""The words by which people stop messages, and want them again, whatever they write by."""

import re
import unicodedata

STOP_WORDS = frozenset(
    {"stop", "stopall", "stop all", "quit", "end", "revoke", "optout", "opt out", "cancel", "unsubscribe"}
    | {"arret", "arrêt", "désinscription", "desinscription"}  # French; Canada requires the first
    | {"me désabonner", "me desabonner", "désabonner", "desabonner"}
    | {"abmelden", "abbestellen"}
    | {"baja", "darme de baja", "dar de baja"}
    | {"disiscrizione", "cancellami"}
    | {"descadastrar"}
    | {"отписаться", "отписка", "отпишете ме", "отписване"}
    | {"berhenti", "berhenti berlangganan"}
)
"""They count only alone: as the whole of a text message, or as the whole first line of a mail."""

START_WORDS = frozenset({"start", "unstop", "yes"})

_NO_WORD = re.compile(r"[\W_]+")


def word_of(text: str) -> str:
    """Return the text as the words stand above: " Opt-Out! " as "opt out"."""
    return _NO_WORD.sub(" ", unicodedata.normalize("NFKC", text)).strip().casefold()
