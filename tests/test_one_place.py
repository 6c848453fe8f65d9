"""Rules that have one place: the proposal of a known word, the cleaning of foreign text, the check of bearer tokens.

Each is recognised in the syntax tree of every module, so that a second one is found wherever it is written.
"""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SPELLING = "dunwell/domain/spelling.py"
CLEANING = "dunwell/domain/cleaning.py"
AUTH = "dunwell/web/auth.py"
CHECKS = "dunwell/intake/text_checks.py"  # refuses characters instead of cleaning them
SCRIPTS = "dunwell/services/letters.py"  # asks of which script a letter is
API_DESCRIPTION = "dunwell/web/api/openapi.py"  # describes the check to callers
PRODUCT = "dunwell/local/product.py"  # a caller, which sends one

Rule = Callable[[ast.AST], bool]


def _imports(module: str, name: str) -> Rule:
    """Whether a node takes `name` from `module`."""

    def found(node: ast.AST) -> bool:
        match node:
            case ast.ImportFrom(module=source, names=names):
                return source == module and any(alias.name in (name, "*") for alias in names)
            case ast.Attribute(value=ast.Name(id=source), attr=attribute):
                return (source, attribute) == (module, name)
        return False

    return found


def _compares_words(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(alias.name == "difflib" for alias in names)
        case ast.ImportFrom(module="difflib"):
            return True
    return False


def _asks_what_was_meant(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and "did you mean" in node.value.lower()


def _is_named_did_you_mean(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.strip("_") == "did_you_mean"


def _asks_what_can_be_printed(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "isprintable"


def _names_control_characters(node: ast.AST) -> bool:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return False
    return "\x00" in node.value or r"\x00" in node.value or r"\u0000" in node.value


def _speaks_of_bearers(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.strip().lower() == "bearer"


def _trees() -> Iterator[tuple[str, ast.Module]]:
    files = [*ROOT.glob("*.py")]
    for package in ("dunwell", "workflows", "activities"):
        files += (ROOT / package).rglob("*.py")
    for path in files:
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_bytes())


TREES = dict(_trees())


def _where(rule: Rule, under: str = "") -> set[str]:
    return {name for name, tree in TREES.items() if name.startswith(under) and any(map(rule, ast.walk(tree)))}


@pytest.mark.parametrize(
    ("rule", "under", "places"),
    [
        pytest.param(_compares_words, "", {SPELLING}, id="words are compared"),
        pytest.param(_asks_what_was_meant, "", {SPELLING}, id="a word is proposed"),
        pytest.param(_is_named_did_you_mean, "", {SPELLING}, id="did_you_mean"),
        pytest.param(_asks_what_can_be_printed, "", {CLEANING}, id="unprintable characters"),
        pytest.param(_names_control_characters, "", set(), id="control characters"),
        pytest.param(_imports("unicodedata", "category"), "", {CLEANING, CHECKS, SCRIPTS}, id="categories"),
        pytest.param(_imports("hmac", "compare_digest"), "dunwell/web/", {AUTH}, id="tokens are compared"),
        pytest.param(_speaks_of_bearers, "", {AUTH, API_DESCRIPTION, PRODUCT}, id="bearer tokens"),
    ],
)
def test_a_rule_has_one_place(rule: Rule, under: str, places: set[str]) -> None:
    assert _where(rule, under) == places


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        (_compares_words, "import difflib"),
        (_compares_words, "from difflib import SequenceMatcher as Matcher"),
        (_asks_what_was_meant, "reason = f'did you mean {near!r}?'"),
        (_is_named_did_you_mean, "def _did_you_mean(word): ..."),
        (_asks_what_can_be_printed, "''.join(c for c in text if c.isprintable())"),
        (_names_control_characters, r"text.replace('\x00', '')"),
        (_names_control_characters, r"re.compile(r'[\x00-\x1f]')"),
        (_imports("unicodedata", "category"), "unicodedata.category(char)"),
        (_imports("hmac", "compare_digest"), "from hmac import compare_digest as same"),
        (_imports("hmac", "compare_digest"), "hmac.compare_digest(a, b)"),
        (_speaks_of_bearers, "scheme.lower() != 'bearer'"),
    ],
)
def test_a_second_place_is_found(rule: Rule, line: str) -> None:
    assert any(map(rule, ast.walk(ast.parse(line))))
