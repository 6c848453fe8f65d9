"""How a message is laid out: the frame of every mail, and what an SMS costs."""

import re
from html import unescape

import pytest
from babel import Locale

from dunwell.texts.mail import html_document
from dunwell.texts.markup import parse
from dunwell.texts.sms import SmsCost, sms_cost

EURO = "€"


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        pytest.param("", SmsCost(0, "GSM-7", 1), id="nothing still costs one"),
        pytest.param("a" * 160, SmsCost(160, "GSM-7", 1), id="one full SMS"),
        pytest.param("a" * 161, SmsCost(161, "GSM-7", 2), id="joined ones hold 153 each"),
        pytest.param("a" * 306, SmsCost(306, "GSM-7", 2), id="two full ones"),
        pytest.param("a" * 307, SmsCost(307, "GSM-7", 3), id="one more"),
        pytest.param("a" * 159 + EURO, SmsCost(161, "GSM-7", 2), id="a euro sign takes the room of two"),
        pytest.param("ñ" * 160, SmsCost(160, "GSM-7", 1), id="ñ is in the basic alphabet"),
        pytest.param("ã" * 70, SmsCost(70, "UCS-2", 1), id="ã is not: 70 a message"),
        pytest.param("ã" * 71, SmsCost(71, "UCS-2", 2), id="67 each when joined"),
        pytest.param("я" * 135, SmsCost(135, "UCS-2", 3), id="three of Cyrillic"),
        pytest.param("😀" * 35, SmsCost(70, "UCS-2", 1), id="an emoji takes the room of two"),
    ],
)
def test_what_an_sms_costs(text: str, cost: SmsCost) -> None:
    assert sms_cost(text) == cost


LETTER = """Hello Ada,

Invoice **A-1** <b>& more</b> was due on Monday.

- Invoice: A-1
- To pay: 5

[Pay invoice A-1](<https://pay.example/a-1>)

- Pay
- Promise
"""


def document(markdown: str = LETTER, language: str = "en", url: str | None = "https://pay.example/a-1") -> str:
    return html_document(parse(markdown), "A <title>", Locale.parse(language), [url] if url else [], "Looms & Sons")


def preview(html: str) -> str:
    found = re.search(r'<div style="display:none[^"]*">(.*?)</div>', html)
    return unescape(found[1]).replace("\N{ZERO WIDTH NON-JOINER}\N{NO-BREAK SPACE}", "") if found else ""


def test_an_inbox_shows_the_news_and_not_the_greeting() -> None:
    assert preview(document()) == "Invoice A-1 <b>& more</b> was due on Monday."
    assert preview(document("Hello Ada,\n\n" + "word " * 100)).endswith("word…")
    assert len(preview(document("Hello Ada,\n\n" + "word " * 100))) <= 140
    assert preview(document("---")) == ""


def test_the_frame_knows_dark_rooms_and_small_screens() -> None:
    html = document()
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "@media (prefers-color-scheme: dark)" in html
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
    assert '<p class="from">Looms &amp; Sons</p>' in html
    assert "<title>A &lt;title&gt;</title>" in html


def test_the_first_list_stands_out_and_only_the_pay_link_is_a_button() -> None:
    html = document()
    assert html.count('<ul class="facts">') == 1
    assert html.index('<ul class="facts">') < html.index("Invoice: A-1") < html.index("<ul>")
    assert re.findall(r'<a href="([^"]*)"[^>]* class="button">', html) == ["https://pay.example/a-1"]
    assert 'class="button">' not in document(url=None)


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("ru", "ltr"), ("ar", "rtl"), ("he", "rtl")])
def test_it_is_written_in_the_direction_of_its_language(language: str, direction: str) -> None:
    assert f'<html lang="{language}" dir="{direction}">' in document(language=language)


def test_nothing_is_loaded_from_elsewhere() -> None:
    html = document()
    assert not re.search(r"<(img|link|script|iframe)\b|@import|url\(", html)


def rgb(color: str) -> tuple[float, float, float]:
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def luminance(color: str) -> float:
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb(color)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def color(css: str, selector: str, key: str) -> str:
    """What `selector` says last of `key`, in the part of the style that is given."""
    found = re.findall(rf"(?m)^ *{re.escape(selector)} {{[^}}]*?\b{key}: (#[0-9a-f]{{6}})", css)
    assert found, (selector, key)
    return str(found[-1])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(scheme: str) -> None:
    """WCAG 2.2 wants a contrast of 4.5 for text."""
    html = document("| a |\n| - |\n| b |\n")
    light, _, dark = html.partition("@media (prefers-color-scheme: dark)")
    css = dark if scheme == "dark" else light
    ground, card = color(css, ".letter", "background"), color(css, ".facts", "background")
    small = color(css, "th, hr ~ p" if scheme == "dark" else "hr ~ p", "color")
    text, link = color(css, "body", "color"), color(css, "a", "color")
    for words, behind in [(text, ground), (text, card), (small, ground), (link, ground)]:
        assert contrast(words, behind) >= 4.5, (words, behind)
