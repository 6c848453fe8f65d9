"""Invoice files and ladder files, damaged in every way: each is read or refused, and nothing else."""

import json
import tomllib
from pathlib import Path
from random import Random
from typing import Any

from dunwell.domain.ladder_file import parse_policy
from dunwell.domain.ladder_problems import PolicyError
from dunwell.intake.invoices import read_file
from dunwell.intake.policy_files import FOLDER, read_ladder
from tests.builders import the_traits
from tests.fuzz.nonsense import mutated, spoiled, value
from tests.fuzz.tally import Tally
from tests.intake.builders import csv_cells, csv_text, record

_SUFFIXES = ("json", "jsonl", "ndjson", "csv", "txt")


def invoice_files(random: Random, count: int, folder: Path) -> Tally:
    """`refused` counts the refused records."""
    tally = Tally("invoice files")
    for _ in range(count):
        suffix = random.choice(_SUFFIXES)
        path = folder / f"invoices.{suffix}"
        path.write_bytes(_invoices(random, suffix))
        tally.tried += 1
        try:
            tally.refused += len(read_file(str(path)).refusals)
        except Exception:
            tally.crashes += 1
    return tally


def _invoices(random: Random, suffix: str) -> bytes:
    if random.random() < 0.2:
        return random.randbytes(random.randrange(2000))
    records = [record(invoice_id=f"INV-{number}") for number in range(random.randrange(1, 4))]
    if suffix == "csv" or random.random() < 0.2:
        text = csv_text(*(csv_cells(one) for one in records))
        return spoiled(random, text.encode())
    changed: list[Any] = [mutated(random, one) if random.random() < 0.7 else one for one in records]
    text = json.dumps(changed) if suffix == "json" else "\n".join(json.dumps(one) for one in changed)
    encoded = text.encode()
    return spoiled(random, encoded) if random.random() < 0.5 else encoded


def policies(random: Random, count: int, folder: Path) -> Tally:
    """Half of the files are spoiled as text, half have a value of another kind somewhere."""
    tally = Tally("ladder files")
    texts = {path.name: path.read_bytes() for path in sorted(FOLDER.glob("*.toml"))}
    for _ in range(count):
        tally.tried += 1
        name = random.choice(list(texts))
        text, path = texts[name], folder / name
        try:
            if random.random() < 0.5:
                path.write_bytes(spoiled(random, text))
                read_ladder(path, the_traits())
            else:
                parse_policy(mutated(random, tomllib.loads(text.decode()), _toml_value), name, the_traits())
        except PolicyError:
            tally.refused += 1
        except Exception:
            tally.crashes += 1
    return tally


def _toml_value(random: Random) -> Any:
    words: list[Any] = [
        *("due", "due + 1 day", "due - 9999 days", "due + 500 business days at 23:59", "first-reminder + 720 hours"),
        *("00:00-24:00", "09:00-08:00", "99 delivered warnings, 999 days apart", "restricted", "email", "call"),
        *(["email", "email"], ["nobody"], {"limit": 10**9}, 2**63, -1, 1.5, float("nan"), "1e999999", "0.001"),
    ]
    return random.choice(words) if random.random() < 0.6 else value(random)
