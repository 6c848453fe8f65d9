"""The language for a customer: the one in the record, otherwise a main language of the country."""

from collections.abc import Callable, Mapping

from babel.languages import get_territory_language_info

from dunwell.domain.invoice import UNDETERMINED, Customer

_MAIN = 30.0
"""The share of speakers, in per cent, from which an official language counts as a main language."""


def languages_of(country: str) -> tuple[str, ...]:
    """Return the main languages of a country as BCP 47 tags, the most spoken first: de-CH and fr-CH for "CH".

    `country` is an ISO 3166-1 alpha-2 code. These are its official languages, or where none of them is spoken by
    enough people, its official languages in fact, followed by those of its law: French in Senegal and Mali. Empty
    when there are neither, as for Antarctica.
    """
    known = get_territory_language_info(country)
    official, in_fact = (
        {
            name: float(facts["population_percent"] or 0)
            for name, facts in known.items()
            if facts["official_status"] == status
        }
        for status in ("official", "de_facto_official")
    )
    chosen = _main(official) or (*_main(in_fact), *_ordered(official))
    return tuple(f"{name.replace('_', '-')}-{country}" for name in chosen)


def _main(shares: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(name for name in _ordered(shares) if shares[name] >= _MAIN)


def _ordered(shares: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(sorted(shares, key=lambda name: (-shares[name], name)))


def languages_for(customer: Customer) -> tuple[str, ...]:
    """Return the language of the customer's record, or the main languages of the country when it names none."""
    return languages_of(customer.country) if customer.language == UNDETERMINED else (customer.language,)


def missing(customer: Customer, ladder: str, spoken: Callable[..., str]) -> str | None:
    """Return a sentence for people when there are no messages in the customer's language; otherwise None.

    ladder  the language of the policy
    spoken  returns the first of several tags that has messages, or English
    """
    wanted = languages_for(customer)
    taken = spoken(*wanted, ladder)
    if not wanted or any(_base(taken) == _base(one) for one in wanted):
        return None
    return f"no messages are in {wanted[0]!r}: in {taken!r} instead"


def _base(tag: str) -> str:
    return tag.partition("-")[0].casefold()
