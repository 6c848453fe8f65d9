"""The HTML of e-mails, and the page frame that e-mails and web pages share."""

from collections.abc import Sequence
from itertools import islice, pairwise
from textwrap import shorten

from babel import Locale
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markdown_it.token import Token
from markupsafe import Markup

from dunwell.domain.cleaning import one_line
from dunwell.texts.markup import MARKDOWN, inline_text, single_line

BUTTON = (
    "display:inline-block;padding:14px 28px;border-radius:8px;background:#0b5d4b;color:#ffffff;"
    "font-weight:bold;text-decoration:none"
)
SECOND_BUTTON = (
    "display:inline-block;padding:12px 26px;border:2px solid #0b5d4b;border-radius:8px;color:#0b5d4b;"
    "font-weight:bold;text-decoration:none"
)
"""Of what can be done instead of the first."""
_HIDDEN = (
    "display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;font-size:1px;line-height:1px;color:transparent"
)
_PREVIEW_LENGTH = 140  # characters that an inbox shows after the subject, at most
_LAYOUT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=True, trim_blocks=True).from_string(
    """\
<!doctype html>
<html lang="{{ lang }}" dir="{{ direction }}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{{ title }}</title>
<style>
:root { color-scheme: light dark; supported-color-schemes: light dark; }
body { margin: 0; padding: 0; background: #f3f4f6; color: #1f2933; -webkit-text-size-adjust: 100%; }
.letter { box-sizing: border-box; max-width: 600px; margin: 0 auto; padding: 32px; background: #ffffff;
  font: 16px/1.55 -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; overflow-wrap: anywhere; }
.from { margin: 0 0 24px; padding-bottom: 12px; border-bottom: 3px solid #0b5d4b; font-weight: bold; }
h1 { margin: 0 0 16px; font-size: 22px; line-height: 1.3; }
a { color: #0b5d4b; }
ul, ol { padding-inline-start: 1.2em; }
.facts { list-style: none; margin: 20px 0; padding: 14px 18px; background: #f0f6f4; border-radius: 8px; }
.facts li { padding: 2px 0; }
hr { border: 0; border-top: 1px solid #d5dae0; margin: 28px 0 12px; }
hr ~ p { color: #52606d; font-size: 14px; }
{% if table %}
table { width: 100%; border-collapse: collapse; font-size: 15px; overflow-wrap: break-word; }
th, td { padding: 9px 6px; border-bottom: 1px solid #d5dae0; text-align: start; vertical-align: top; }
th { color: #52606d; font-weight: normal; font-size: 14px; }
td:first-child { overflow-wrap: anywhere; min-width: 4.5em; }
{% endif %}
@media (max-width: 480px) {
  .letter { padding: 20px 16px; }
{% if table %}
  table { font-size: 14px; }
  th, td { padding: 8px 4px; }
{% endif %}
  .button { display: block !important; box-sizing: border-box; width: 100%; text-align: center; }
}
@media (prefers-color-scheme: dark) {
  body { background: #101418 !important; color: #e4e7eb !important; }
  .letter { background: #1a2026 !important; }
  .from { border-color: #4cc3a2 !important; }
  .facts { background: #202b2b !important; }
  a { color: #6ad7ba !important; }
  .button { background: #4cc3a2 !important; color: #06231c !important; }
  .second { background: transparent !important; border-color: #4cc3a2 !important; color: #6ad7ba !important; }
  hr, th, td { border-color: #3a444e !important; }
  th, hr ~ p { color: #a6b1bd !important; }
}
</style>
</head>
<body>
{% if preview %}
<div style="{{ hidden }}">{{ preview }}{{ gap }}</div>
{% endif %}
<!--[if mso]><table role="presentation" width="600" align="center"><tr><td><![endif]-->
<div class="letter">
<p class="from">{{ sender }}</p>
{{ content }}
</div>
<!--[if mso]></td></tr></table><![endif]-->
</body>
</html>
"""
)
_PREVIEW_PADDING = Markup("&zwnj;&nbsp;" * 60)  # otherwise an inbox fills the preview with the text that follows


def html_document(tokens: list[Token], title: str, locale: Locale, ways: Sequence[str], sender: str) -> str:
    """Return a whole HTML page, for phones and dark mode too, with `sender` at its top.

    A link outside a table to one of the addresses `ways` becomes a button; the first of them that there is stands
    out. The first list, which holds the facts of the invoice, is highlighted. The preview in an inbox is the longer
    of the first two paragraphs, so not the greeting.
    """
    links = _links_outside_tables(tokens)
    places = [place for url in ways if (place := MARKDOWN.normalizeLink(one_line(url))) in links]
    for number, place in enumerate(places):
        for link in links[place]:
            link.attrSet("style", SECOND_BUTTON if number else BUTTON)
            link.attrSet("class", "button second" if number else "button")
    for token in tokens:
        if token.type == "th_open":
            token.attrSet("scope", "col")
    facts = next((token for token in tokens if token.type == "bullet_list_open"), None)
    if facts is not None:
        facts.attrSet("class", "facts")
    content = Markup(MARKDOWN.renderer.render(tokens, MARKDOWN.options, {}).strip())
    table = any(token.type == "table_open" for token in tokens)
    return html_page(content, title, locale, sender, preview=_preview(tokens), table=table)


def _links_outside_tables(tokens: list[Token]) -> dict[str, list[Token]]:
    """Return the links by their addresses."""
    found: dict[str, list[Token]] = {}
    in_table = False
    for token in tokens:
        in_table = token.type == "table_open" or (in_table and token.type != "table_close")
        for child in token.children or ():
            if child.type == "link_open" and not in_table:
                found.setdefault(str(child.attrGet("href")), []).append(child)
    return found


def html_page(
    content: Markup, title: str, locale: Locale, sender: str, *, preview: str = "", table: bool = False
) -> str:
    """Return `content` in the page frame that e-mails and web pages share."""
    return _LAYOUT.render(
        lang=str(locale).replace("_", "-"),
        direction=locale.text_direction,
        title=title,
        sender=sender,
        content=content,
        preview=preview,
        hidden=_HIDDEN,
        gap=_PREVIEW_PADDING,
        table=table,
    )


def _preview(tokens: list[Token]) -> str:
    follows = (after for before, after in pairwise(tokens) if before.type == "paragraph_open" and not before.hidden)
    texts = [single_line(inline_text(token.children or [])) for token in islice(follows, 2)]
    return shorten(max(texts, key=len, default=""), _PREVIEW_LENGTH, placeholder="…")
