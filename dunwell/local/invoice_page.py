"""Writes docs/invoices.md from the fields of an invoice record: python -m dunwell.local.invoice_page

The reasons it shows for refused values come from the reader itself.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dunwell.domain.terms import Role
from dunwell.intake.csv_columns import CUSTOMER_COLUMNS, NEEDED
from dunwell.intake.csv_dialect import SEPARATORS
from dunwell.intake.invoice_fields import CONTACT, CUSTOMER, INVOICE, Field
from dunwell.intake.invoices import read_content
from dunwell.intake.numbers_and_dates import Days, Decimals

PAGE = Path(__file__).parents[2] / "docs" / "invoices.md"
_SHOWN = 60
_EXAMPLES = "docs/examples/invoices.jsonl"  # `document` paths start at its folder
_LEFT_OUT = ("document",)  # its example is a file that does not exist here

_TABLES: tuple[tuple[str, str, Mapping[str, Field]], ...] = (
    ("The invoice", "", INVOICE),
    ("The customer: `customer`", "customer", CUSTOMER),
    ("A contact: an item of `customer.contacts`, or of `contacts`", "customer.contacts[0]", CONTACT),
)


def example() -> dict[str, Any]:
    """Return a record with the example of every field, except fields that name files."""
    record = {name: one.example for name, one in INVOICE.items() if name not in _LEFT_OUT}
    contact = {name: one.example for name, one in CONTACT.items()}
    return record | {"customer": {name: one.example for name, one in CUSTOMER.items()} | {"contacts": [contact]}}


def refusal_of(path: str, name: str, value: object) -> str:
    """Return the reason with which the reader refuses `value` in the field `name` of the object at `path`."""
    record = example()
    inner: Any = record if not path else record["customer"]
    if path.endswith("]"):
        inner = inner["contacts"][0]
    inner[name] = value
    found = read_content(json.dumps(record).encode(), _EXAMPLES).refusals
    if len(found) != 1:
        raise ValueError(f"{path}.{name}: {value!r} is refused {len(found)} times")
    return found[0].reason


def page() -> str:
    """Return the text of docs/invoices.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Invoice files\n"
    yield "Made by `make docs` from `dunwell/intake/invoice_fields.py`.\n"
    yield _formats().rstrip()
    for title, path, fields in _TABLES:
        yield f"\n## {title}\n"
        yield "| field | CSV column | what | needed | example | what it does |"
        yield "|---|---|---|---|---|---|"
        for name, one in fields.items():
            cells = (
                f"`{name}`",
                _column(path, name),
                one.kind,
                "yes" if one.needed else "",
                _code(one.example),
                one.about,
            )
            yield f"| {' | '.join(cells)} |"
        yield "\nRefused are, among others:\n"
        yield "| field | value | what is said |"
        yield "|---|---|---|"
        for name, one in fields.items():
            for value in one.refused:
                said = refusal_of(path, name, value).replace("|", "\\|")
                yield f"| `{name}` | {_code(value)} | {said} |"
    yield _together().rstrip()
    yield "\n## A whole record\n"
    yield "```json"
    yield json.dumps(example(), indent=2, ensure_ascii=False)
    yield "```"


_FORMATS = """\
`start` and `preview` read a file of invoices: JSON (a list, or objects one after the other), JSON Lines (one object a
line) or CSV. The API takes the same JSON. A field that is left out, null or blank is the same.

All problems are reported in one pass, each with its line, field, value and what to write. A bad record does not
affect others: the rest is started.

## CSV as other programs write it

Separator, decimal sign, order of day and month, and encoding are determined once, from all cells of the file, and
reported in one line. No cell is interpreted by itself: a file that can be read in two ways is refused, and the reason
names the option to give.

- **Separator**: comma, semicolon, tab or pipe. A first line `sep=;` is followed.
- **Amounts**: `1200.00`, `1,200.00`, `1200,00`, `1.200,00`, `1 200,00`, `1'200.00`. A file in which every amount
  looks like `1.200` is refused.
- **Dates**: `2027-03-03`, `03.03.2027`, `3/3/2027`. With slashes, some date must have a day above 12.
- **Encoding**: UTF-8, UTF-16 with a byte order mark, or Windows-1252 (Latin-1) if no text can be in another one.
- **Columns**: the names below, in any order; capitals, spaces and hyphens do not matter (`Due on` is `due_on`).
  Columns with other names are ignored and listed in that line; one that looks like a misspelling is refused.
- **At least**: NEEDED. A new invoice also needs
  [somebody who can be asked](#rules-for-whole-records): of a customer who is not known yet the file names a person
  with an address, such as `accounts_payable_name` and `accounts_payable_email`. All else may be left out, but
  `time_zone` where the country has several.

`--dialect` overrides what was determined: words of WORDS, and an encoding, separated by commas. `--map COLUMN=FIELD`
says what a column holds, as often as needed; `--map COLUMN=-` ignores one. `--set FIELD=VALUE` gives a field that
has no column its value in every record, such as `--set currency=EUR`. In the console both are said on the page of the
preview, and are used there for the next file with the same columns.

`--refused FILE` writes the refused lines to a CSV file: the columns of the original, and a column `reason`. Correct
them there and start that file; a column `reason` is ignored. Of a JSON file the records stand whole in one column.
The console offers the same file.

```
starter.py start export.csv --dialect day-first,windows-1252 --map 'Invoice No=number' --map 'Client=customer_id' \\
    --set currency=EUR --set country=DE
```
"""

_TOGETHER = """
## Rules for whole records

- One record is one invoice with its total. Records with the same `invoice_id` are all refused.
- All records of a customer must have the same `name` and `country`; otherwise they are all refused.
- At least one contact can be asked to pay: ROLES with an e-mail, a phone or a postal address of two lines. A customer
  who is known with such a contact need not be named with one again.
- `contacts` beside `customer` are contacts for this invoice alone. A record without a list of contacts leaves the
  known contacts as they are; an empty list means that there are none any more.
- Invoice numbers and names of people hold no web address. A company may be called `Booking.com B.V.`: its name is
  written so that mail programs do not make a link of it.
- `due_on` is not before `issued_on`.
- A record has at most 50 contacts; at most 25 problems of one record are reported.
"""


def _formats() -> str:
    words, needed = (", ".join(map("`{}`".format, names)) for names in ((*SEPARATORS, *Decimals, *Days), NEEDED))
    return _FORMATS.replace("WORDS", words).replace("NEEDED", needed)


def _together() -> str:
    others = (f"`{role}`" for role in Role if role is not Role.ACCOUNT_MANAGER)
    return _TOGETHER.replace("ROLES", ", ".join(others))


def _column(path: str, name: str) -> str:
    if not path:
        return f"`{name}`"
    if path == "customer":
        return f"`{next(column for column, field in CUSTOMER_COLUMNS.items() if field == name)}`"
    return "" if name == "role" else f"`<role>_{name}`, such as `accounts_payable_{name}`"


def _code(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) > _SHOWN:
        return f"{len(text)} characters"
    return f"`{text}`".replace("\n", "`, `").replace("|", "\\|")


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
