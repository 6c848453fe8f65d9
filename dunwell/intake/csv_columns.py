"""The columns of a CSV file: which field each one holds, and what is wrong with its header."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType

from dunwell.domain.cleaning import printable
from dunwell.domain.refusal import Refused
from dunwell.domain.spelling import did_you_mean, nearest, proposal
from dunwell.domain.terms import Role
from dunwell.intake.invoice_fields import CONTACT, CUSTOMER, INVOICE, Field
from dunwell.intake.lines import Record
from dunwell.intake.refusals import Refusal

_UNPREFIXED = frozenset({"country", "time_zone", "language"})
"""Fields of the customer whose columns have no prefix."""

CUSTOMER_COLUMNS: Mapping[str, str] = MappingProxyType(
    {name if name in _UNPREFIXED else f"customer_{name}": name for name in CUSTOMER}
)
_CONTACT_PARTS = tuple(name for name in CONTACT if name != "role")

COLUMNS: Mapping[str, Field] = MappingProxyType(
    dict(INVOICE)
    | {column: CUSTOMER[name] for column, name in CUSTOMER_COLUMNS.items()}
    | {f"{role}_{part}": CONTACT[part] for role in Role for part in _CONTACT_PARTS}
)
"""Every known column with the field that it holds."""

NEEDED = tuple(
    column for column, one in COLUMNS.items() if one.needed and (column in INVOICE or column in CUSTOMER_COLUMNS)
)
"""What every file of invoices has, as a column or a fixed value. Whom to ask is needed of unknown customers only."""
UNUSED = "-"
"""In place of a field: the column is left out."""
LASTING = frozenset({"code", "word", "name", "tag", "rate"})
"""Kinds of fields whose fixed value may hold for the next file: not days, amounts, ids, or anything of a person."""
_BOTH = "given by --set and in a column"
_SHOWN = 12  # column names in one message


@dataclass(frozen=True)
class ColumnMap:
    """What a person says of the columns of a file.

    columns   the column of each field that --map names
    left_out  the columns to ignore
    fixed     the value in every record of each field that --set names, and that the file has no column for
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    fixed: Mapping[str, str] = field(default_factory=dict)

    @property
    def named(self) -> tuple[str, ...]:
        """Every column that --map names, once."""
        return tuple(dict.fromkeys((*self.columns.values(), *self.left_out)))


@dataclass(frozen=True)
class Header:
    """The columns of a file.

    width   how many columns there are
    places  the index of each field's column, from 0; two fields may share a column. From `width` on stand the fields
            with a fixed value, in their order
    titles  the title in the file of each field's column; the name of a field with a fixed value
    unused  the titles in the file of the columns that are ignored
    fixed   the value in every record of each field that the file has no column for
    """

    width: int
    places: Mapping[str, int]
    titles: Mapping[str, str]
    unused: tuple[str, ...]
    fixed: Mapping[str, str]


@dataclass(frozen=True)
class Layout:
    """What the rows of a kind of CSV file hold.

    what    the kind, for people; `page` lists its fields
    fields  every known column with the field that it holds
    needed  the columns that a file needs which has these ones
    record  a row in the shape of the JSON object
    """

    what: str
    page: str
    fields: Mapping[str, Field]
    needed: Callable[[Collection[str]], Iterable[str]]
    record: Callable[[str, Header, Sequence[str]], Record]


def read_column_map(
    items: Iterable[str], layout: Layout | None = None, fixed_values: Iterable[str] = ()
) -> ColumnMap:
    """Read what a person says of the columns of a file. Raises Refused for a bad item.

    items         such as "Invoice No=number"; the field "-" ignores a column
    layout        that of invoice files if none is given
    fixed_values  such as "currency=EUR": the value of a field in every record
    """
    layout = layout or INVOICES
    columns: dict[str, str] = {}
    left_out: list[str] = []
    for item in items:
        column, mark, name = (part.strip() for part in item.rpartition("="))
        if not mark or not column:
            raise Refused("--map", f"{printable(item)!r} is not COLUMN=FIELD: write --map 'Invoice No=number'")
        if name == UNUSED:
            left_out.append(column)
            continue
        _check_field("--map", name, layout)
        if name in columns:
            raise Refused("--map", f"{name!r} is given two columns: keep one")
        columns[name] = column
    fixed: dict[str, str] = {}
    for item in fixed_values:
        name, mark, value = (part.strip() for part in item.partition("="))
        if not mark or not value:
            raise Refused("--set", f"{printable(item)!r} is not FIELD=VALUE: write --set currency=EUR")
        _check_field("--set", name, layout)
        if name in fixed:
            raise Refused("--set", f"{name!r} is given two values: keep one")
        fixed[name] = value
    return ColumnMap(columns, tuple(left_out), fixed)


def _check_field(option: str, name: str, layout: Layout) -> None:
    if name not in layout.fields:
        advice = did_you_mean(name, layout.fields, f"{layout.page} lists them")
        raise Refused(option, f"{printable(name)!r} is no field of {layout.what}: {advice}")


def count_known(cells: Sequence[str], mapped: ColumnMap, layout: Layout) -> tuple[int, int]:
    """Return how many columns of a header are known, and how many it has."""
    named = set(map(_key, mapped.named))
    return sum(_normalised(cell) in layout.fields or _key(cell) in named for cell in cells), len(cells)


def read_header(where: str, cells: Sequence[str], mapped: ColumnMap, layout: Layout) -> Header | Refusal:
    """Return the columns of a file by their titles and by --map, or one refusal that lists every problem."""
    keys = [_key(cell) for cell in cells]
    named = set(map(_key, mapped.named))
    absent = [column for column in mapped.named if _key(column) not in keys]
    places = {name: keys.index(_key(column)) for name, column in mapped.columns.items() if _key(column) in keys}
    own = [
        (_normalised(cell), at)
        for at, cell in enumerate(cells)
        if keys[at] not in named and _normalised(cell) in layout.fields
    ]
    # --map wins over a column that has the name of the field.
    places |= {name: at for name, at in reversed(own) if name not in mapped.columns}
    places = dict(sorted(places.items(), key=lambda place: place[1]))
    twice = [name for name, times in Counter(name for name, _ in own).items() if times > 1 and name in places]
    twice += [column for column in mapped.named if keys.count(_key(column)) > 1]
    both = [f"{name} ({cells[at]})" for name, at in places.items() if name in mapped.fixed]
    used = set(places.values())
    places |= {name: len(cells) + at for at, name in enumerate(mapped.fixed)}
    missing = [name for name in layout.needed(places) if name not in places]
    unused = tuple(cell for at, cell in enumerate(cells) if at not in used and cell and keys[at] not in named)
    free = [name for name in layout.fields if name not in places]
    misspelled = {cell: near for cell in unused if (near := nearest(_normalised(cell), free))}
    titles = {name: cells[at] if at < len(cells) else name for name, at in places.items()}
    header = Header(len(cells), places, titles, unused, mapped.fixed)
    problems = {
        "missing": missing,
        "more than once": twice,
        "named by --map and not there": absent,
        _BOTH: both,
    }
    return _refused(where, problems, misspelled, unused) or header


def _refused(
    where: str, found: Mapping[str, Sequence[str]], misspelled: Mapping[str, str], unused: Sequence[str]
) -> Refusal | None:
    """Return one refusal with every problem of a header; None when it has none."""
    problems = [f"{what}: {_listed(names)}" for what, names in found.items() if names]
    advice = "rename the columns, or say what they hold with --map, such as --map 'Invoice No=number'"
    if found["missing"]:
        advice += "; give what is the same in every record with --set, such as --set currency=EUR"
    elif found[_BOTH]:
        advice = "leave out the value, or leave out the column with --map, such as --map 'Curr=-'"
    if misspelled and not found["missing"]:
        problems += [f"{printable(cell)!r} ({proposal(repr(near))})" for cell, near in misspelled.items()]
        advice = f"rename the column, or say --map '{printable(next(iter(misspelled)))}=-' to leave it out"
    elif problems and unused:
        problems.append(f"not known: {_listed(unused)}")
    return Refusal(where, "columns", f"{'; '.join(problems)}. To mend it, {advice}") if problems else None


def _names_of_contacts(names: Collection[str]) -> Iterator[str]:
    """Yield the columns that are needed for each role of which the file has any column."""
    for role in Role:
        if any(f"{role}_{part}" in names for part in _CONTACT_PARTS):
            yield from (f"{role}_{part}" for part in _CONTACT_PARTS if CONTACT[part].needed)


def csv_record(where: str, header: Header, cells: Sequence[str]) -> Record:
    """Return a row in the shape of the JSON object. Blank cells are left out."""
    filled = {name: cells[at] for name, at in header.places.items() if cells[at]}
    titles = header.titles
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
        customer["contacts"] = contacts  # without such a column the record has no list, which is not an empty one
    return Record(where, {**plain, "customer": customer}, places)


def _needed(names: Collection[str]) -> Iterator[str]:
    yield from NEEDED
    yield from _names_of_contacts(names)


INVOICES = Layout("an invoice file", "docs/invoices.md", COLUMNS, _needed, csv_record)


def header_digest(titles: Iterable[str]) -> str:
    """Return what identifies the header of a file, however its titles are spaced and capitalised."""
    return sha256("\n".join(map(_key, titles)).encode()).hexdigest()


def _key(title: str) -> str:
    return " ".join(title.lower().split())


def _normalised(title: str) -> str:
    """Return a title in the form of the known column names: "due_on" for "Due on" or "due-on"."""
    return "_".join(title.lower().replace("-", " ").replace("_", " ").split())


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(repr(printable(word)) for word in words[:_SHOWN]) + more
