"""Which language a customer is written to in: of whom nobody said what they speak, that of their country."""

from collections.abc import Callable

from babel.languages import get_territory_language_info

from dunwell.domain.invoice import UNDETERMINED, Customer

_MAIN = 30.0
"""Percent of the people who must speak an official language for it to be one of business."""


def spoken_in(country: str) -> tuple[str, ...]:
    """The main official languages of a country as BCP 47 tags, the most spoken first: "CH" gives de-CH, fr-CH.

    `country` is ISO 3166-1 alpha-2. Where the law names none that many speak, those official in fact; without
    either, as for Antarctica, none.
    """
    known = get_territory_language_info(country)
    for status in ("official", "de_facto_official"):
        shares = {
            name: float(facts["population_percent"] or 0)
            for name, facts in known.items()
            if facts["official_status"] == status
        }
        main = sorted((name for name in shares if shares[name] >= _MAIN), key=lambda name: (-shares[name], name))
        if main:
            return tuple(f"{name.replace('_', '-')}-{country}" for name in main)
    return ()


def wanted_by(customer: Customer) -> tuple[str, ...]:
    """The languages that suit a customer: the one that was named for them, else their country's."""
    return spoken_in(customer.country) if customer.language == UNDETERMINED else (customer.language,)


def missing(customer: Customer, ladder: str, spoken: Callable[..., str]) -> str | None:
    """What to tell people where no messages are in the customer's language; None where there are.

    `ladder` is the ladder's language; `spoken` gives the first of several tags in which there are messages, else
    English.
    """
    wanted = wanted_by(customer)
    taken = spoken(*wanted, ladder)
    if not wanted or any(_base(taken) == _base(one) for one in wanted):
        return None
    return f"no messages are in {wanted[0]!r}: in {taken!r} instead"


def _base(tag: str) -> str:
    return tag.partition("-")[0].casefold()
