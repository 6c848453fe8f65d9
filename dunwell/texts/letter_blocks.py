"""Converts the Markdown of a message to blocks for the layout of letters. Blocks are plain data without markup."""

from collections.abc import Iterable, Iterator

from markdown_it.token import Token

from dunwell.domain.model import Value
from dunwell.texts.markup import merge_full_stops


class Piece(Value):
    """A run of text in one typeface.

    address     the text is a URL, which may be broken after any punctuation
    line_break  a line ends here; the piece has no text
    """

    text: str = ""
    address: bool = False
    bold: bool = False
    italic: bool = False
    line_break: bool = False


class Block(Value):
    """A paragraph, a list or a table.

    kind    paragraph, heading, list, table or rule; the text below a rule is small print
    pieces  the text of a paragraph or heading
    start   the number of a list's first item; None for marks instead of numbers
    items   the blocks of each item of a list
    rows    the cells of a table, row by row, the headings first; `right` says which columns hold amounts
    """

    kind: str
    pieces: tuple[Piece, ...] = ()
    start: int | None = None
    items: tuple[tuple["Block", ...], ...] = ()
    rows: tuple[tuple[tuple[Piece, ...], ...], ...] = ()
    right: tuple[bool, ...] = ()


def blocks(tokens: Iterable[Token]) -> tuple[Block, ...]:
    """Return the blocks of a message that `layout.parse` parsed."""
    return tuple(_until(iter(tokens), ""))


def _until(tokens: Iterator[Token], end: str) -> Iterator[Block]:
    """Yield the blocks before the token `end`."""
    kind = "paragraph"
    for token in tokens:
        match token.type:
            case ended if ended == end:
                return
            case "heading_open":
                kind = "heading"
            case "inline":
                yield Block(kind=kind, pieces=tuple(_pieces(token.children or ())))
                kind = "paragraph"
            case "bullet_list_open":
                yield Block(kind="list", items=tuple(_items(tokens, "bullet_list_close")))
            case "ordered_list_open":
                start = int(token.attrGet("start") or 1)
                yield Block(kind="list", start=start, items=tuple(_items(tokens, "ordered_list_close")))
            case "table_open":
                yield _table(tokens)
            case "hr":
                yield Block(kind="rule")
            case "code_block" | "fence":
                yield Block(kind="paragraph", pieces=(Piece(text=token.content.strip()),))


def _items(tokens: Iterator[Token], end: str) -> Iterator[tuple[Block, ...]]:
    for token in tokens:
        if token.type == end:
            return
        if token.type == "list_item_open":
            yield tuple(_until(tokens, "list_item_close"))


def _table(tokens: Iterator[Token]) -> Block:
    rows: list[list[tuple[Piece, ...]]] = []
    right: list[bool] = []
    for token in tokens:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "th_open":
            right.append("right" in str(token.attrGet("style") or ""))
        elif token.type == "inline":
            rows[-1].append(tuple(_pieces(token.children or ())))
    return Block(kind="table", rows=tuple(map(tuple, rows)), right=tuple(right))


def _pieces(tokens: Iterable[Token]) -> Iterator[Piece]:
    """Yield the pieces of one paragraph. A link becomes "label: address", with the token's own colon."""
    bold = italic = False
    label, href = "", None
    for token in tokens:
        match token.type:
            case "strong_open" | "strong_close":
                bold = token.type == "strong_open"
            case "em_open" | "em_close":
                italic = token.type == "em_open"
            case "softbreak":
                yield Piece(text=" ")
            case "hardbreak":
                yield Piece(line_break=True)
            case "link_open":
                label, href = "", str(token.attrGet("href"))
            case "link_close":
                if href is not None and href not in {label, f"mailto:{label}"}:
                    yield Piece(text=token.content, bold=bold, italic=italic)
                    yield Piece(text=href.removeprefix("mailto:"), address=True, bold=bold, italic=italic)
                href = None
            case _ if token.content:
                label += token.content
                yield Piece(text=merge_full_stops(token.content), bold=bold, italic=italic)
