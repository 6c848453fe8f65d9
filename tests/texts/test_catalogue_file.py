"""A language is one file: what it may hold, what is refused and where, and which file serves a debtor's language."""

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import pytest

from dunwell.texts.catalogue import Catalogue, CatalogueError
from dunwell.texts.catalogue_file import ANSWERS, LABELS
from dunwell.texts.page_words import PAGES
from tests.services.languages import facts

_FILE = """\
[language]
code = "CODE"
name = "Test"
[language.plurals]
days = { one = "{n} day", other = "{n} days" }
[language.consequences]
restricted = "limited on {{ consequence_on }}"
suspended = "suspended on {{ consequence_on }}"
legal = "legal on {{ consequence_on }}"
handed_over = "handed over on {{ consequence_on }}"
[language.consequences_short]
restricted = "limited"
suspended = "suspended"
legal = "legal"
handed_over = "handed over"
[language.labels]
LABELS
[language.pages]
PAGES
[language.fragments]
sign_off = "{% if page_link %}{{ page_link }}{% endif %} {{ sender_name }}"
opt_out = "STOP"
greeting = "Hello {{ contact_name }},"
opening = "{{ greeting }} {{ number }}"
more = "{% if others %}{{ others | length }} more {% endif %}"
page = "{{ sign_off }}"
claim = "{{ page }}{% if claims %}{{ claim_total }}{% endif %}{% if interest_since %}{{ interest_rate }}{% endif %}"
[language.answers]
ANSWERS

[first]
asks = true
subject = "Invoice {{ number }} {{ more }}"
body = "{{ opening }}: {{ days(days_late) }} {{ more }} {{ claim }}"
short = "Pay {{ asked }} {{ more }}"
call = "Ask for {{ contact_name }} {{ more }}"

[last]
asks = true
announces = true
subject = "Invoice {{ number }} {{ more }}"
body = "{{ greeting }} {{ consequence }} {{ more }} {{ claim }}"
short = "{{ consequence_short }} {{ more }}"
call = "{{ consequence }} {{ more }}"
"""


def _table(words: Mapping[str, frozenset[str]]) -> str:
    named = {name: " ".join([name, *(f"{{{one}}}" for one in sorted(braces))]) for name, braces in words.items()}
    return "\n".join(f'{name} = "{text}"' for name, text in named.items())


_ANSWERS = "\n".join(f'{name} = "{name} {{{{ number }}}}"' for name in ANSWERS)
LANGUAGE_FILE = _FILE.replace("LABELS", _table(LABELS)).replace("PAGES", _table(PAGES)).replace("ANSWERS", _ANSWERS)
_BROKEN_LINE = LANGUAGE_FILE.splitlines().index("[first]") + 1


def write(folder: Path, code: str, edit: Callable[[str], str] = str) -> None:
    text = edit(LANGUAGE_FILE.replace("CODE", code))
    (folder / f"{code}.toml").write_text(text, encoding="utf-8")


def swap(old: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return edit


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        pytest.param(
            lambda text: text[: text.index("[last]")],
            ["message 'last'", "missing here, but", "en.toml has it"],
            id="a message is missing in one language",
        ),
        pytest.param(
            lambda text: text + text[text.index("[last]") :].replace("[last]", "[more]"),
            ["message 'more'", "has no such message"],
            id="a message that no other language has",
        ),
        pytest.param(
            swap("asks = true\n", ""),
            ["message 'first'", "field 'asks'", "is False, but True"],
            id="traits differ",
        ),
        pytest.param(
            swap('subject = "Invoice', 'states = "legal"\nsubject = "Invoice'),
            ["message 'first'", "field 'states'", "is 'legal', but None"],
            id="states differs",
        ),
        pytest.param(
            swap('subject = "Invoice', 'states = "jailed"\nsubject = "Invoice'),
            ["field 'states'", "'jailed' is no consequence"],
            id="states an unknown consequence",
        ),
        pytest.param(
            swap('call = "Ask for', 'call = "{{ consequence }} Ask for'),
            ["message 'first'", "field 'call'", "not marked announces"],
            id="a threat that is not marked",
        ),
        pytest.param(
            swap('short = "{{ consequence_short }}', 'short = "pay'),
            ["message 'last'", "field 'short'", "never says {{ consequence }}"],
            id="marked as announcing, but one text does not",
        ),
        pytest.param(
            swap('"Pay {{ asked }}', '"Pay {{ asked'),
            ["message 'first'", "field 'short'", "line 1"],
            id="broken template",
        ),
        pytest.param(
            swap('"Pay {{ asked }}', '"Pay {{ asked | shout }}'),
            ["field 'short'", "No filter named 'shout'"],
            id="unknown filter",
        ),
        pytest.param(
            swap('"Pay {{ asked }}', '"Pay {{ askd }}'),
            ["field 'short'", "unknown name 'askd'", "did you mean 'asked'?"],
            id="misspelled fact",
        ),
        pytest.param(
            swap("days(days_late)", "days(company)"),
            ["message 'first'", "field 'body'"],
            id="a plural of something that is no number",
        ),
        pytest.param(
            swap('"Pay {{ asked }}', '"{{ asked.__class__.__mro__ }}'),
            ["field 'short'", "unsafe"],
            id="a template that reaches for the program",
        ),
        pytest.param(
            swap('call = "Ask for {{ contact_name }} {{ more }}"', 'call = "Ask for {{ contact_name }}"'),
            ["message 'first'", "field 'call'", "never tells of {{ others }}"],
            id="asks for one invoice and forgets the others",
        ),
        pytest.param(
            swap("{{ more }} {{ claim }}", "{{ more }}"),
            ["message 'first'", "field 'body'", "never tells of {{ claims }}"],
            id="asks and forgets the interest",
        ),
        pytest.param(
            swap('greeting = "Hello {{ contact_name }},"', 'greeting = "{{ opening }}"'),
            ["language.fragments.greeting", "unknown name 'opening'"],
            id="a fragment that uses one below it",
        ),
        pytest.param(
            swap("opening = ", 'number = "1"\nopening = '),
            ["language.fragments.number", "taken"],
            id="a fragment named like a fact",
        ),
        pytest.param(
            swap('{ one = "{n} day", other', "{ other"),
            ["language.plurals.days", "plural forms missing: one"],
            id="a plural form is missing",
        ),
        pytest.param(
            swap('legal = "legal"\n', ""),
            ["language.consequences_short", "needs exactly handed_over, legal, restricted, suspended"],
            id="a consequence without words",
        ),
        pytest.param(
            swap('bank = "bank"\n', 'banc = "bank"\n'),
            ["field 'language.labels'", "missing: bank; unknown: banc"],
            id="a label is missing",
        ),
        pytest.param(
            swap('sorry = "', 'sory = "'),
            ["field 'language.answers'", "missing: sorry; unknown: sory"],
            id="a phrase of clerks' answers is missing",
        ),
        pytest.param(
            swap('sorry = "sorry {{ number }}', 'sorry = "{{ numbr }}'),
            ["field 'language.answers.sorry'", "unknown name 'numbr'"],
            id="a phrase that names no fact",
        ),
        pytest.param(
            swap("{n} {total}", "{n} {all}"),
            ["language.labels.page", "these braces: {n}, {total}"],
            id="a label that has no place for what it must tell",
        ),
        pytest.param(
            swap('amount = "amount"', 'amount = " "'),
            ["language.labels.amount", "must be a text"],
            id="an empty label",
        ),
        pytest.param(
            swap('short = "Pay', 'shrot = "Pay'),
            ["message 'first'"],
            id="misspelled field",
        ),
        pytest.param(
            swap('call = "Ask', 'note = "x"\ncall = "Ask'),
            ["message 'first'", "field 'note'", "unknown field"],
            id="unknown field",
        ),
        pytest.param(
            swap('short = "Pay {{ asked }} {{ more }}"', 'short = ""'),
            ["message 'first'", "field 'short'"],
            id="empty text",
        ),
        pytest.param(
            swap("[first]\nasks = true", '[first]\nasks = "yes"'),
            ["field 'asks'", "true or false"],
            id="a trait that is no boolean",
        ),
        pytest.param(
            lambda text: 'first = "x"\n' + text[: text.index("[first]")],
            ["message 'first'"],
            id="a message that is no table",
        ),
        pytest.param(swap("[first]", "[first"), [f"line {_BROKEN_LINE}", "a bracket too few"], id="broken TOML"),
        pytest.param(lambda text: text[text.index("[first]") :], ["'language'", "missing"], id="no language table"),
        pytest.param(
            swap('code = "es"', 'code = "pt"'),
            ["language.code", "named es.toml"],
            id="code and file name differ",
        ),
    ],
)
def test_a_bad_file_is_refused_and_says_where(tmp_path: Path, edit: Callable[[str], str], says: list[str]) -> None:
    write(tmp_path, "en")
    write(tmp_path, "es", edit)
    with pytest.raises(CatalogueError) as refused:
        Catalogue.load(tmp_path).check()
    for word in [f"{tmp_path.name}/es.toml", *says]:
        assert word in str(refused.value)


def test_load_needs_english(tmp_path: Path) -> None:
    write(tmp_path, "es")
    with pytest.raises(CatalogueError, match=r"en\.toml is missing"):
        Catalogue.load(tmp_path)


def test_load_refuses_a_language_nobody_speaks(tmp_path: Path) -> None:
    write(tmp_path, "en")
    write(tmp_path, "qq")
    with pytest.raises(CatalogueError, match=r"qq\.toml, field 'language.code': 'qq' is no language"):
        Catalogue.load(tmp_path)


def test_a_new_language_is_one_new_file(tmp_path: Path) -> None:
    """Arabic: six plural forms, written from right to left."""
    forms = ", ".join(f'{form} = "{form} {{n}}"' for form in ("zero", "one", "two", "few", "many", "other"))
    write(tmp_path, "en")
    write(tmp_path, "ar", swap('{ one = "{n} day", other = "{n} days" }', f"{{ {forms} }}"))
    catalogue = Catalogue.load(tmp_path)
    composed = catalogue.compose("first", "ar-EG", facts(due_on=date(2026, 3, 17)))
    assert 'dir="rtl"' in composed.html
    assert "few 5" in composed.text


@pytest.mark.parametrize(
    ("have", "wanted", "gets"),
    [
        (["en", "es"], "es", "es"),  # exact
        (["en", "pt", "pt-BR"], "pt-BR", "pt-BR"),  # exact, though the base is there too
        (["en", "pt", "pt-BR"], "PT_br", "pt-BR"),  # however it is spelled
        (["en", "pt", "pt-BR"], "pt-PT", "pt"),  # base
        (["en", "pt-BR"], "pt", "pt-BR"),  # any of the same base
        (["en", "pt-BR"], "pt-PT", "pt-BR"),
        (["en", "es"], "de", "en"),  # nothing near
        (["en", "es"], "est", "en"),  # Estonian is no Spanish
        (["en", "es"], "", "en"),
    ],
)
def test_language_for(tmp_path: Path, have: list[str], wanted: str, gets: str) -> None:
    for code in have:
        write(tmp_path, code)
    assert Catalogue.load(tmp_path).language_for(wanted) == gets
