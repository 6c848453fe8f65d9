"""Which languages business is done in, by country: for customers of whom nobody said what they speak."""

from babel.languages import get_territory_language_info

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
