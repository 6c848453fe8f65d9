"""The pages and pictures of the ladders: they are those of today's ladders, and a picture can be read."""

import xml.etree.ElementTree as ET

import pytest

from dunwell.local.ladder_pages import PAGES, pages
from tests.builders import the_ladders

MADE = pages(the_ladders())


def test_there_is_a_page_and_a_picture_of_every_ladder_and_no_other() -> None:
    assert {path.name for path in PAGES.iterdir()} == set(MADE)


@pytest.mark.parametrize("name", sorted(MADE))
def test_no_page_is_stale(name: str) -> None:
    assert (PAGES / name).read_text(encoding="utf-8") == MADE[name], "stale: make docs writes the pages anew"


@pytest.mark.parametrize("name", sorted(the_ladders()))
def test_a_picture_names_every_step_and_no_two_names_overlap(name: str) -> None:
    svg = ET.fromstring(MADE[f"{name}.svg"])
    texts = [
        (str(text.text), float(text.get("x", 0)), float(text.get("y", 0)))
        for text in svg.iter("{http://www.w3.org/2000/svg}text")
    ]
    steps = [step.id for step in the_ladders()[name].steps]
    placed = [(text, x, y) for text, x, y in texts if text in steps]
    assert sorted(text for text, _, _ in placed) == sorted(steps)
    width = float(svg.get("viewBox", "0 0 0 0").split()[2])
    for text, x, y in placed:
        assert x >= 0 and x + 7 * len(text) <= width
        assert not [one for one, left, row in placed if row == y and x < left < x + 7 * len(text)], text
