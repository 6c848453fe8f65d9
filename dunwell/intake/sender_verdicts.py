"""What a provider's verdicts say about the sender whom a mail shows: a DKIM pass counts only for their own domain."""

import re
from collections.abc import Mapping

_SIGNED = re.compile(r"@?([^\s@{}:,;]+)\s*:\s*(\w+)")


def judged(verdicts: Mapping[str, str], sender: str) -> dict[str, str]:
    """Return the verdicts, with that of DKIM read for the domain of the sender's address.

    verdicts  as the provider wrote them: of DKIM "pass", or "{@acme.example : pass}" with each domain that signed
    """
    return {name: _dkim(word, sender) if name == "dkim" else word for name, word in verdicts.items()}


def _dkim(word: str, sender: str) -> str:
    signed = _SIGNED.findall(word)
    passed = [domain.casefold().rstrip(".") for domain, result in signed if result.casefold() == "pass"]
    if not signed and word.strip("{} ").casefold() == "pass":
        return "not proven: it passed, but the provider does not say for which domain"
    if not passed:
        return word
    domain = sender.rpartition("@")[2].casefold().rstrip(".")
    own = next((one for one in passed if _is_of(domain, one)), None)
    if own is not None:
        return f"pass, signed by {own}"
    return f"not proven: signed by {', '.join(passed)}, another domain than the sender's"


def _is_of(domain: str, signer: str) -> bool:
    """Whether the signer is this domain or above it. One of a single label, such as "com", speaks for nobody."""
    return domain == signer or ("." in signer and domain.endswith(f".{signer}"))
