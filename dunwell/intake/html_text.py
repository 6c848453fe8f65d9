"""The text of an HTML mail: lines as a reader sees them, quotations marked with ">" as in a mail of plain text."""

import re
from html.parser import HTMLParser

_BLOCKS = frozenset(
    {"address", "article", "blockquote", "center", "dd", "div", "dl", "dt", "footer", "form", "header", "hr", "li"}
    | {"h1", "h2", "h3", "h4", "h5", "h6", "main", "ol", "p", "pre", "section", "table", "tbody", "tr", "ul"}
)
_UNSEEN = frozenset(
    {"script", "style", "head", "title", "template", "noscript", "object", "svg", "textarea", "select"}
)
_QUOTING_CLASSES = frozenset({"gmail_quote", "yahoo_quoted", "protonmail_quote"})
_QUOTING_IDS = frozenset({"divRplyFwdMsg", "appendonsend", "mail-editor-reference-message-container"})
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
_MOST_DEPTH = 500
_SPACES = re.compile(r"[ \t\r\n\f\u00a0]+")
_MANY_BREAKS = re.compile(r"\n{3,}")


def text_of(html: str) -> str:
    """Return what a reader sees. No address of a link or picture is kept, and nothing of it is markup any more."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[tuple[str, bool]] = []  # the open elements, and whether each begins a quotation
        self._unseen = 0
        self._quoted = 0
        self._follows = False  # all that comes after a mark of Outlook is quoted
        self._lines: list[str] = []
        self._line = ""

    def text(self) -> str:
        self._end_line()
        return _MANY_BREAKS.sub("\n\n", "\n".join(self._lines)).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body":
            self.handle_endtag("head")  # its end may be left out
        if tag in _BLOCKS or tag == "br":
            self._end_line()
        elif tag in ("td", "th"):
            self._line += " "
        if tag in _VOID or len(self._open) >= _MOST_DEPTH:
            return
        given = {name: value or "" for name, value in attrs}
        if given.get("id") in _QUOTING_IDS:
            self._follows = True
        quotes = tag == "blockquote" or not _QUOTING_CLASSES.isdisjoint(given.get("class", "").split())
        self._open.append((tag, quotes))
        self._quoted += quotes
        self._unseen += tag in _UNSEEN

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._end_line()
        if not any(name == tag for name, _ in self._open):
            return
        while self._open:
            name, quotes = self._open.pop()
            self._quoted -= quotes
            self._unseen -= name in _UNSEEN
            if name == tag:
                break

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._line += data

    def _end_line(self) -> None:
        line, self._line = _SPACES.sub(" ", self._line).strip(), ""
        mark = "> " if self._quoted or self._follows else ""
        if line or (self._lines and self._lines[-1]):
            self._lines.append(f"{mark}{line}" if line else "")
