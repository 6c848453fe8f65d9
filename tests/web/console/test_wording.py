"""Reasons in the console's words: no command, and no option of one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from dunwell.intake.typed_codes import code_typed
from dunwell.web.console.formats import full_stop, local_times
from dunwell.web.console.wording import in_console
from starter import app

ROOT = Path(__file__).parents[3]

_ELSEWHERE = (
    "dunwell/commands",
    "dunwell/local",
    "dunwell/store/migrations",
    "dunwell/web/api",
    "dunwell/web/auth.py",  # of keys, which no page asks for
    "dunwell/web/console/wording.py",
    "dunwell/services/api_keys.py",
    "dunwell/services/laws.py",  # rates are confirmed by command and API
    "dunwell/services/users.py",  # users are made by command
)
"""What is said at other doors only."""
_ALONE = frozenset({"call-outcome", "close-task"})
"""What the lists of tasks of the other doors say beside a task; the console has its form there."""


def _constants(tree: ast.Module) -> Iterator[str]:
    """Yield each text of a module as it reads with some word for each value in it; none of what documents it."""
    inside = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node and isinstance(part, ast.Constant)
    }
    described = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(one.value) if isinstance(one, ast.Constant) else "X-1" for one in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside | described:
            yield node.value


def _texts() -> Iterator[tuple[str, str]]:
    """Yield each text that may reach a page and names a command, with where it stands."""
    modules = [one for one in ROOT.glob("dunwell/**/*.py") if not str(one.relative_to(ROOT)).startswith(_ELSEWHERE)]
    for module in modules:
        for text in _constants(ast.parse(module.read_text(encoding="utf-8"))):
            if "starter.py" in text and "bin/python" not in text:  # a worker prints that when it begins
                yield str(module.relative_to(ROOT)), text
    for file in (*ROOT.glob("messages/*.toml"), *ROOT.glob("dunwell/web/console/templates/*.html")):
        for line in file.read_text(encoding="utf-8").splitlines():
            if "starter.py" in line:
                yield str(file.relative_to(ROOT)), line


TEXTS = [(where, text) for where, text in _texts() if not any(f"starter.py {one}" in text for one in _ALONE)]


def _names(group: typer.core.TyperGroup, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        yield before + name
        if isinstance(command, typer.core.TyperGroup):
            yield from _names(command, f"{before}{name} ")


NAMES = {name for name in _names(typer.main.get_command(app)) if re.search(r"[ -]", name)} - {"write-off"}  # type: ignore[arg-type]
"""Commands whose names are no plain words."""


@pytest.mark.parametrize(("where", "text"), TEXTS, ids=lambda text: text.strip()[:60])
def test_no_sentence_on_a_page_names_a_command(where: str, text: str) -> None:
    said = in_console(text)
    assert "starter.py" not in said and "`" not in said, f"{where}: {said}"
    left = [name for name in NAMES if re.search(rf"(?<![“\w-]){name}(?![”\w-])", said)]
    assert not left, f"{where}: {said}"


def test_the_texts_that_name_commands_are_found() -> None:
    assert len(TEXTS) > 60 and {"dunwell", "messages"} == {where.partition("/")[0] for where, _ in TEXTS}
    assert {"resolve-dispute", "contact set", "webhook resend"} <= NAMES


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("'x' is not known; `starter.py list` shows all", "'x' is not known"),
        ("To mend it, rename the columns, or say what they hold with --map, such as --map 'No=number'", "below"),
        ("no other date tells: say --dialect day-first or --dialect month-first", "say day-first or month-first in"),
        (
            "take it back: `starter.py reverse-payment INV-1 'p 1' --reason wrong`. Then",
            "“Reverse a payment” on the page",
        ),
        (
            "book it with starter.py pay INV-1 AMOUNT --payment-id ID. Close this",
            "on the page of the case. Close this",
        ),
        (
            "Go on with starter.py resume --customer acme, or wait",
            "Go on with “Resume this customer” on the customer's page, or wait",
        ),
        (
            "if it is right: starter.py amend INV-1 --amount 5.00 --due-on 2027-04-01",
            "right: “Amend the invoice”",
        ),
        (
            "See `starter.py unmatched`, then starter.py match bank:1 INVOICE",
            "Decide under Unmatched money",
        ),
        (
            "it is not sent again; then say what became of it: starter.py settle-message a1 delivered, or failed",
            "then say on the page of the message what became of it",
        ),
        ("`starter.py reconcile --apply` brings that back", "the operator's “reconcile” brings that back"),
        ("nobody has confirmed it (starter.py rates confirm): x", "it (the operator's “rates confirm”): x"),
        ("is none of OFX; choose the layout of its bank (--layout)", "choose the layout of its bank"),
    ],
)
def test_the_console_names_its_own_forms_and_fields(text: str, said: str) -> None:
    found = in_console(text)
    assert said in found and "starter.py" not in found and "--" not in found


def test_times_in_reasons_are_the_customers() -> None:
    said = local_times("asks to be called at 2026-11-30 08:00 UTC", "Europe/Berlin")
    assert said == "asks to be called at Mon 30 Nov 2026, 09:00"


def test_spaces_in_a_code_become_hyphens() -> None:
    assert code_typed(" bank  interest ") == "bank-interest"


@pytest.mark.parametrize("text", ["one. Another, with its end.", "one", "a question?", "they say “no.”"])
def test_a_sentence_ends_once(text: str) -> None:
    assert not re.search(r"\.\W?\.|\?\.", full_stop(text)) and full_stop(text)[-1] in ".?”"
