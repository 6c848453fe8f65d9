"""Whose law governs the claim of an invoice, and as what kind of party its customer counts."""

from collections.abc import Collection

from dunwell.domain.refusal import Refused
from dunwell.domain.spelling import hint
from dunwell.domain.terms import DebtorKind

SELLER = DebtorKind.BUSINESS
"""Whoever sends invoices with this program is a business."""

_SAME = {"UK": "GB"}
"""Other codes of countries that have a file."""


def known_law(code: str, known: Collection[str]) -> str | None:
    """Return the code of the file that holds this law: of a part of a country its own, or else the country's."""
    code = _SAME.get(code, code)
    return next((one for one in (code, code.partition("-")[0]) if one in known), None)


def unknown_law(code: str, known: Collection[str]) -> str:
    """Return why a code names no law that is known, with what to do."""
    if code == "EU":
        return "is no law of its own: name the member state, such as 'DE'"
    return f"is no law that is known here{hint(code, known)}; known are {', '.join(sorted(known))}"


def counts_as(kind: DebtorKind | None) -> DebtorKind:
    """Return the kind by whose rules a customer is treated: one whose kind nobody said may be a consumer."""
    return DebtorKind.CONSUMER if kind is None else kind


def law_of(
    *, jurisdiction: str | None, residence: str, kind: DebtorKind | None, seller: str | None, known: Collection[str]
) -> str:
    """Return the code of the law that governs a claim.

    jurisdiction: what the invoice names; it counts most. residence: the customer's country, which counts for
    consumers, and for customers whose kind nobody said. seller: the setting SENDER_COUNTRY, which counts for all
    others. known: the codes of all laws. Raises Refused where none is chosen, or the chosen one is not known.
    """
    chosen, field = jurisdiction, "jurisdiction"
    if chosen is None and counts_as(kind) is DebtorKind.CONSUMER:
        chosen, field = residence, "country"
    elif chosen is None:
        chosen, field = seller, "jurisdiction"
    if chosen is None:
        raise Refused(
            field, "no law is chosen: name it on the invoice, or set SENDER_COUNTRY to the seller's country"
        )
    law = known_law(chosen, known)
    if law is None:
        raise Refused(field, f"{chosen} {unknown_law(chosen, known)}")
    return law
