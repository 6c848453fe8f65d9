"""Random values, and good ones with a part gone bad."""

import copy
from collections.abc import Callable
from random import Random
from typing import Any

_ODD: list[Any] = [
    *(None, True, False, 0, -1, 1e308, -0.0, 10**30, "", " ", "0", "-1", "1e999", "NaN", "Infinity", "1,200.00"),
    *("2027-02-30", "0001-01-01", "9999-12-31", "2027-03-10", "2027-03-10T10:00:00", "2027-03-10T10:00:00+99:00"),
    *("\x00", "\ud800", "\u202e", "𝟙𝟚", "a" * 5000, "'; drop table invoices; --", "{{ 7 * 7 }}", "../../etc/passwd"),
    *("<script>", "%s%n", "due", "=1+1", "Pâté", "📞", [], {}, [[]], [{}], {"": ""}, {"by": {"by": "by"}}),
]


def value(random: Random, depth: int = 3) -> Any:
    """Any JSON value, odd more often than not."""
    kind = random.randrange(8 if depth else 5)
    if kind < 3:
        return copy.deepcopy(random.choice(_ODD))
    if kind == 3:
        return random.choice([random.randint(-(10**12), 10**12), random.random() * 10 ** random.randint(-9, 18)])
    if kind == 4:
        return "".join(chr(random.choice([random.randrange(32, 127), random.randrange(1, 0xD7FF)])) for _ in range(9))
    if kind == 5:
        return nested(random)
    if kind == 6:
        return [value(random, depth - 1) for _ in range(random.randrange(4))]
    return {str(value(random, 0))[:40]: value(random, depth - 1) for _ in range(random.randrange(5))}


def nested(random: Random) -> Any:
    made: Any = "deep"
    for _ in range(random.choice([1, 5, 60])):
        made = [made] if random.random() < 0.5 else {"a": made}
    return made


def mutated(random: Random, good: Any, change: Callable[[Random], Any] = value) -> Any:
    """A copy of `good` in which up to three parts were replaced, doubled or taken away."""
    made = copy.deepcopy(good)
    for _ in range(random.randint(1, 3)):
        places = list(_places(made))
        if not places:
            return change(random)
        parent, key = random.choice(places)
        action = random.randrange(4)
        if action == 0:
            del parent[key]
        elif action == 1 and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        elif action == 2 and isinstance(parent, dict):
            parent[str(value(random, 0))[:30]] = change(random)
        else:
            parent[key] = change(random)
    return made


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every place in a tree, as its parent and the key there."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else []
    found: list[tuple[Any, Any]] = []
    for key in keys:
        found += [(tree, key), *_places(tree[key])]
    return found


def spoiled(random: Random, good: bytes) -> bytes:
    """Bytes with some changed, cut out, doubled or put in."""
    made = bytearray(good)
    for _ in range(random.randint(1, 8)):
        place, length = random.randrange(len(made) + 1), random.choice([1, 1, 2, 30])
        action = random.randrange(4)
        if action == 0:
            del made[place : place + length]
        elif action == 1:
            made[place:place] = random.randbytes(length)
        elif action == 2:
            made[place:place] = made[place : place + length]
        else:
            made[place : place + length] = random.choice(
                [b'"', b"{", b"]", b",", b"\n", b"\r", b"\x00", b"\xff", b"=", b"[[", b"\xef\xbb\xbf", b"1e99999999"]
            )
    return bytes(made)
