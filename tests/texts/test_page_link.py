"""The link to the customer's own page in the texts of every message and language."""

import re

import pytest

from dunwell.domain.links import SAMPLE
from dunwell.texts.formatting import SAMPLE as SAMPLE_FACTS
from dunwell.texts.formatting import Facts
from dunwell.texts.sms import sms_parts
from tests.services.languages import CATALOGUE, bare, facts

PAGE, PAY = f"https://pay.northwind.example/i/{SAMPLE}", "https://pay.example/1"
SHORT_PAY = "https://pay.northwind.example/p/a1b2c3d4"


def known(key: str, **changes: object) -> Facts:
    """The facts that this message needs."""
    claim = {"claims": SAMPLE_FACTS.claims, "claim_until": SAMPLE_FACTS.claim_until, "settled": True}
    accessory = claim | {"payment_url": None} if CATALOGUE.traits[key].accessory else {}
    return facts(**bare(key) | changes | accessory)


@pytest.mark.parametrize("language", CATALOGUE.languages)
def test_every_message_has_it_once_and_an_sms_has_one_link(language: str) -> None:
    labels = CATALOGUE.labels(language)
    for key in CATALOGUE.keys:
        composed = CATALOGUE.compose(key, language, known(key, page_url=PAGE, payment_url=PAY))
        assert composed.text.count(PAGE) == 1 and composed.html.count(f'href="{PAGE}"') == 1, key
        assert labels["page_link" if composed.owing else "page_link_settled"] in composed.text, key
        assert composed.html.count('class="button') == composed.html.count('class="button second"') + 1, key
        links = re.findall(r"https://\S+", composed.short)
        assert links == [PAGE], (key, composed.short)
        assert PAGE not in composed.call, key


@pytest.mark.parametrize("language", CATALOGUE.languages)
def test_without_it_no_text_speaks_of_it(language: str) -> None:
    labels = CATALOGUE.labels(language)
    for key in CATALOGUE.keys:
        composed = CATALOGUE.compose(key, language, known(key, payment_url=PAY))
        said = composed.text + composed.html + composed.short
        assert labels["page_link"] not in said and labels["page_link_settled"] not in said, key


def test_the_only_button_is_filled() -> None:
    alone = CATALOGUE.compose("reminder-first", "en", facts(page_url=PAGE)).html
    assert f'<a href="{PAGE}" style="' in alone and 'class="button">' in alone and "button second" not in alone


@pytest.mark.parametrize("language", CATALOGUE.languages)
def test_it_costs_one_sms_at_most(language: str) -> None:
    for key in CATALOGUE.keys:
        before, after = (
            sms_parts(CATALOGUE.compose(key, language, known(key, payment_url=SHORT_PAY, page_url=url)).short)
            for url in (None, PAGE)
        )
        assert after <= before + 1, key
