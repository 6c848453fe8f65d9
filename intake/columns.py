"""The columns of a CSV file: which field each one holds, and what its header lacks."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from domain.refusal import Refused
from domain.spelling import nearest
from domain.terms import Role
from intake.invoice_fields import CONTACT, CUSTOMER, INVOICE, Field
from intake.lines import Record
from intake.refusals import Refusal, printable

_PLAIN = frozenset({"country", "time_zone", "language"})
"""Fields of the customer whose columns need no prefix."""

CUSTOMER_COLUMNS: Mapping[str, str] = MappingProxyType(
    {name if name in _PLAIN else f"customer_{name}": name for name in CUSTOMER}
)
_CONTACT_PARTS = tuple(name for name in CONTACT if name != "role")

COLUMNS: Mapping[str, Field] = MappingProxyType(
    dict(INVOICE)
    | {column: CUSTOMER[name] for column, name in CUSTOMER_COLUMNS.items()}
    | {f"{role}_{part}": CONTACT[part] for role in Role for part in _CONTACT_PARTS}
)
"""Every column that is read, with the field that it holds."""

_NEEDED = tuple(
    column for column, one in COLUMNS.items() if one.needed and (column in INVOICE or column in CUSTOMER_COLUMNS)
)
_UNUSED = "-"
_SHOWN = 12  # column names in one message


@dataclass(frozen=True)
class Header:
    """The columns of a file.

    names   the field of each column in order; None: the column is not used
    titles  what stands in the file for each field
    unused  the columns that are not used, as they stand in the file
    """

    names: tuple[str | None, ...]
    titles: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()


def read_mapping(items: Iterable[str]) -> dict[str, str]:
    """Column to field, of texts such as "Invoice No=number"; the field "-" leaves a column out. Raises Refused."""
    chosen: dict[str, str] = {}
    for item in items:
        column, mark, name = (part.strip() for part in item.rpartition("="))
        if not mark or not column:
            raise Refused("--map", f"{printable(item)!r} is not COLUMN=FIELD: write --map 'Invoice No=number'")
        if name != _UNUSED and name not in COLUMNS:
            near = nearest(name, COLUMNS)
            advice = f"did you mean {near!r}?" if near else "docs/invoices.md lists them"
            raise Refused("--map", f"{printable(name)!r} is no field of an invoice file: {advice}")
        if name != _UNUSED and name in chosen.values():
            raise Refused("--map", f"{name!r} is given two columns: keep one")
        chosen[column] = name
    return chosen


def how_well(cells: Sequence[str], mapping: Mapping[str, str]) -> tuple[int, int]:
    """How many columns of a header are known, and how many there are: the better of two separators has more."""
    return sum(_plain(cell) in COLUMNS or cell in mapping for cell in cells), len(cells)


def read_header(where: str, cells: Sequence[str], mapping: Mapping[str, str]) -> Header | Refusal:
    """The columns by their own names and by `mapping`; else one refusal that names all that is wrong with them."""
    chosen = {_key(column): name for column, name in mapping.items()}
    absent = [column for column in mapping if _key(column) not in map(_key, cells)]
    taken = set(chosen.values())
    names: list[str | None] = []
    for cell in cells:
        name = chosen.get(_key(cell), _plain(cell))
        own = _key(cell) in chosen or name not in taken  # a column that --map puts in its place is not used
        names.append(name if own and name in COLUMNS else None)
    twice = [name for name, times in Counter(filter(None, names)).items() if times > 1]
    missing = [name for name in (*_NEEDED, *_names_of_contacts(names)) if name not in names]
    unused = tuple(cell for cell, name in zip(cells, names, strict=True) if name is None and cell)
    likely = {
        cell: near
        for cell in unused
        if _key(cell) not in chosen and (near := nearest(_plain(cell), [one for one in COLUMNS if one not in names]))
    }
    problems = []
    if missing:
        problems.append(f"missing: {_listed(missing)}")
    if likely and not missing:
        problems.append(", ".join(f"{printable(cell)!r} (did you mean {near!r}?)" for cell, near in likely.items()))
    if twice:
        problems.append(f"more than once: {_listed(twice)}")
    if absent:
        problems.append(f"named by --map and not there: {_listed(absent)}")
    if not problems:
        titles = {name: cell for cell, name in zip(cells, names, strict=True) if name is not None}
        return Header(tuple(names), titles, tuple(cell for cell in unused if _key(cell) not in chosen))
    if unused and not (likely and not missing):
        problems.append(f"not known: {_listed(unused)}")
    advice = "rename the columns, or say what they hold with --map, such as --map 'Invoice No=number'"
    if likely and not missing:
        advice = f"rename the column, or say --map '{next(iter(likely))}=-' to leave it out"
    return Refusal(where, "columns", f"{'; '.join(problems)}. To mend it, {advice}")


def _names_of_contacts(names: Sequence[str | None]) -> Iterator[str]:
    """The columns that every role needs of which there is a column at all."""
    for role in Role:
        if any(f"{role}_{part}" in names for part in _CONTACT_PARTS):
            yield from (f"{role}_{part}" for part in _CONTACT_PARTS if CONTACT[part].needed)


def csv_record(where: str, header: Header, cells: Sequence[str]) -> Record:
    """A row in the shape of the JSON object. Blank cells are left out."""
    filled = {name: cell for name, cell in zip(header.names, cells, strict=True) if name and cell}
    titles = dict(header.titles)
    customer: dict[str, object] = {
        name: filled[column] for column, name in CUSTOMER_COLUMNS.items() if column in filled
    }
    places = {f"customer.{name}": titles.get(column, column) for column, name in CUSTOMER_COLUMNS.items()}
    contacts: list[dict[str, object]] = []
    for role in Role:
        names = {part: f"{role}_{part}" for part in _CONTACT_PARTS}
        contact = {part: filled[column] for part, column in names.items() if column in filled}
        if contact:
            path = f"customer.contacts[{len(contacts)}]"
            places |= {f"{path}.{part}": titles.get(column, column) for part, column in names.items()}
            contacts.append({"role": role.value, **contact})
    places |= {name: titles[name] for name in INVOICE if name in titles}
    plain = {name: filled[name] for name in INVOICE if name in filled}
    if any(f"{role}_{part}" in titles for role in Role for part in _CONTACT_PARTS):
        customer["contacts"] = contacts  # a file without any such column says nothing about contacts
    return Record(where, {**plain, "customer": customer}, places)


def _key(title: str) -> str:
    return " ".join(title.lower().split())


def _plain(title: str) -> str:
    """A title as our own columns are written: "Due on" and "due-on" are due_on."""
    return "_".join(title.lower().replace("-", " ").replace("_", " ").split())


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(repr(printable(word)) for word in words[:_SHOWN]) + more
