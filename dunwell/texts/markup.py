"""Markdown of messages: parsing, escaping, and conversion to plain text."""

import re
from collections.abc import Callable, Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from dunwell.domain.cleaning import clean

_NO_BREAK = "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"  # between amount and currency; not removed from bodies

MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


_BOUND = re.compile(r"(?<=№) |(?<=§) |(?<=\bn°) |(?<=«) | (?=»)| (?=:(?:\s|$))")
_BOUND_CLOSELY = re.compile(r" (?=[;!?](?:[\s*]|$))")


def parse(markdown: str, language: str = "en") -> list[Token]:
    """Parse Markdown into tokens, for `plain_text`, e-mails and letters.

    The content of a `link_close` token is the colon between a link's label and its address, where both are printed.
    """
    tokens = MARKDOWN.parse(markdown)
    for child in (child for token in tokens for child in token.children or ()):
        if child.type == "link_close":
            child.content = f"{_NO_BREAK[0]}: " if language == "fr" else ": "
    return tokens


def escaped(text: str) -> str:
    """Return the text escaped for Markdown, with white space collapsed."""
    tidy = re.sub(rf"[^\S{_NO_BREAK}]+", " ", clean(text)).strip()
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", tidy)


def paragraphs(text: str, guard: Callable[[str], str]) -> list[str]:
    """Return the paragraphs of a text that somebody typed, each guarded, with its own lines kept as lines."""
    found = (part.split("\n") for part in re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip()))
    return ["\\\n".join(guarded for line in lines if (guarded := guard(line))) for lines in found if any(lines)]


def single_line(text: str) -> str:
    """Return the text on one line, with single spaces between words."""
    return " ".join(text.split())


def bind(text: str) -> str:
    """Return the text with no-break spaces after "№", "§", "n°" and "«", and before the marks : ; ! ? »."""
    return _BOUND_CLOSELY.sub("\N{NARROW NO-BREAK SPACE}", _BOUND.sub("\N{NO-BREAK SPACE}", text))


def plain_text(tokens: list[Token]) -> str:
    """Return the Markdown as plain text: lists with marks, links as "label: address", tables row by row."""
    blocks: list[str] = []
    stream = iter(tokens)
    counters: list[int | None] = []  # one per open list; None for a list without numbers
    mark = ""
    for token in stream:
        if token.type in ("bullet_list_open", "ordered_list_open"):
            ordered = token.type == "ordered_list_open"
            counters.append(int(token.attrGet("start") or 1) if ordered else None)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            counters.pop()
            mark = ""
            blocks.append("\n")
        elif token.type == "list_item_open":
            number = counters[-1]
            mark = "  " * (len(counters) - 1) + ("- " if number is None else f"{number}. ")
            counters[-1] = None if number is None else number + 1
        elif token.type == "table_open":
            blocks.append(_table_text(stream))
        elif token.type == "inline":
            blocks.append(mark + inline_text(token.children or []) + "\n")
            mark = " " * len(mark) if counters else ""
        elif token.type in ("paragraph_close", "heading_close") and not token.hidden:
            blocks.append("\n")
        elif token.type == "hr":
            blocks.append("---\n\n")
        elif token.type in ("code_block", "fence"):
            blocks.append(token.content + "\n")
    return tidy("".join(blocks))


def _table_text(tokens: Iterator[Token]) -> str:
    """Return a table, up to its end token: the headings, then one entry a row, links on lines of their own."""
    lines: list[str] = []
    cells: list[str] = []
    links: list[str] = []
    for token in tokens:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            cells, links = [], []
        elif token.type == "inline" and token.content:
            linked = any(child.type == "link_open" for child in token.children or ())
            (links if linked else cells).append(inline_text(token.children or []))
        elif token.type == "tr_close":
            lines += [("- " if lines else "") + " · ".join(cells), *(f"  {link}" for link in links)]
    return "\n".join(lines) + "\n\n"


def inline_text(tokens: list[Token]) -> str:
    text = ""
    links: list[tuple[int, str]] = []  # where each open link's label starts, and its address
    for token in tokens:
        if token.type == "softbreak":
            text += " "
        elif token.type == "hardbreak":
            text += "\n"
        elif token.type == "link_open":
            links.append((len(text), str(token.attrGet("href"))))
        elif token.type == "link_close":
            start, href = links.pop()
            text += "" if text[start:] == href else f"{token.content}{href}"
        else:
            text += token.content
    return text


def tidy(text: str) -> str:
    """Return the text without spaces at line ends and without two empty lines in a row."""
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines)


_TWO_STOPS = re.compile(r"(?<=[^.\s])(\\?\.)\.(?=[\s<&»“”\"]|$)")


def merge_full_stops(text: str) -> str:
    """Return the text without a second full stop where a name or date that ends in one ("Inc.") ends the sentence."""
    if ".." not in text:
        return text  # spares the search in a long page
    return _TWO_STOPS.sub(r"\1", text)
