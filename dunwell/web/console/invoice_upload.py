"""A file of invoices that somebody chose on a page, with what is said of its columns, now or for a file before it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePath

from fastapi import Request
from sqlalchemy.orm import Session

from dunwell.domain.invoice_layout import InvoiceLayout
from dunwell.domain.principals import Principal
from dunwell.domain.terms import Role
from dunwell.intake.csv_columns import (
    COLUMNS,
    CUSTOMER_COLUMNS,
    LASTING,
    NEEDED,
    UNUSED,
    ColumnMap,
    header_digest,
    read_column_map,
)
from dunwell.intake.csv_dialect import Dialect, read_dialect
from dunwell.intake.csv_rows import read_titles
from dunwell.intake.encoding import decode_table
from dunwell.intake.invoice_fields import INVOICE
from dunwell.intake.invoices import InvoiceFile, read_content
from dunwell.store import invoice_layouts
from dunwell.store.invoice_layouts import Remembered
from dunwell.web.console.uploads import read_upload

_HOLDS, _LEFT_OUT, _FIXED, _SAID = "holds.", "unused.", "fixed.", "said"
"""Fields of the form: `holds.number` is the title of the column with the number, `unused.3` a column to leave out,
`fixed.currency` the currency of every record, `said` that the form says all, so that nothing remembered is added."""


@dataclass(frozen=True)
class FieldGroup:
    """Fields that columns may hold, under a title. `open`: they are shown before anybody asks for them."""

    title: str
    fields: tuple[str, ...]
    open: bool = False


def _groups() -> tuple[FieldGroup, ...]:
    of_customer = (*CUSTOMER_COLUMNS,)
    people = [
        FieldGroup(
            _title(role), tuple(name for name in COLUMNS if _of_role(name, role)), role is Role.ACCOUNTS_PAYABLE
        )
        for role in Role
    ]
    return (
        FieldGroup("Needed in every file", NEEDED, open=True),
        *people[:1],
        FieldGroup("More about the invoice", tuple(name for name in INVOICE if name not in NEEDED)),
        FieldGroup("More about the customer", tuple(name for name in of_customer if name not in NEEDED)),
        *people[1:],
    )


def _of_role(name: str, role: Role) -> bool:
    return name.startswith(f"{role}_") and name not in INVOICE and name not in CUSTOMER_COLUMNS


def _title(role: Role) -> str:
    words = role.replace("_", " ")
    return f"Whom to ask: {words}" if role is not Role.ACCOUNT_MANAGER else f"Our {words}"


GROUPS = _groups()
"""What the columns of a file may hold: what is needed first, then whom to ask, then the rest."""


@dataclass(frozen=True)
class InvoiceUpload:
    """A file of invoices, with what somebody says of it.

    said        the form said all that is to be said of the columns
    remembered  what was said of a file with this header, where that is used
    """

    name: str
    content: bytes
    carried: str
    layout: InvoiceLayout
    said: bool = False
    remembered: Remembered | None = None

    @property
    def is_table(self) -> bool:
        """Whether the file may be a table, whose columns hold something."""
        return PurePath(self.name).suffix.lower() in {".csv", ".txt", ""}

    def read(self) -> InvoiceFile:
        """Raises Refused for a dialect or a column map that is none. A record names no file of this machine."""
        asked, mapped = self._way()
        return read_content(self.content, PurePath(self.name).name, asked, mapped, documents=False)

    def titles(self) -> list[str]:
        """Return the titles of the columns of a table, each once; none of another file."""
        if not self.is_table:
            return []
        asked, mapped = self._way()
        found = read_titles(decode_table(self.content, asked.encoding), asked, mapped)
        return list(dict.fromkeys(filter(None, found)))

    def header(self) -> str | None:
        """Return what identifies the header, before anything is said of its columns; None without one."""
        if not self.is_table:
            return None
        titles = read_titles(decode_table(self.content, None), Dialect(), ColumnMap())
        return header_digest(titles) if titles else None

    def _way(self) -> tuple[Dialect, ColumnMap]:
        layout = self.layout
        columns = [f"{title}={name}" for name, title in layout.columns.items()]
        unused = [f"{title}={UNUSED}" for title in layout.left_out]
        fixed = [f"{name}={value}" for name, value in layout.fixed.items()]
        return read_dialect(layout.dialect), read_column_map((*columns, *unused), fixed_values=fixed)


async def chosen_invoices(request: Request) -> InvoiceUpload:
    """Return the file of the form, or the one that the preview's own form carries, with what its columns hold."""
    upload = await read_upload(request, "a CSV or JSON file of invoices")
    return InvoiceUpload(
        upload.name, upload.content, upload.carried, _layout(upload.fields), said=_SAID in upload.fields
    )


def as_remembered(session: Session, upload: InvoiceUpload) -> InvoiceUpload:
    """Return the upload with what was said of a file with this header, where nothing else is said of it."""
    dialect = upload.layout.dialect
    header = None if upload.said or upload.layout != InvoiceLayout(dialect=dialect) else upload.header()
    known = invoice_layouts.find(session, header) if header else None
    if known is None:
        return upload
    layout = known.layout.model_copy(update={"dialect": dialect or known.layout.dialect})
    return replace(upload, layout=layout, remembered=known)


def remember(session: Session, upload: InvoiceUpload, principal: Principal, now: datetime) -> None:
    """Keep what was said of this file for the next one with its header; not what is another one's in the next."""
    header = upload.header()
    if header is not None:
        fixed = {name: value for name, value in upload.layout.fixed.items() if COLUMNS[name].kind in LASTING}
        layout = upload.layout.model_copy(update={"fixed": fixed})
        invoice_layouts.put(session, header, layout, principal, now)


def _layout(typed: Mapping[str, str]) -> InvoiceLayout:
    def under(prefix: str) -> dict[str, str]:
        return {name.removeprefix(prefix): said for name, said in typed.items() if name.startswith(prefix) and said}

    left_out = tuple(dict.fromkeys(under(_LEFT_OUT).values()))
    return InvoiceLayout(
        columns=under(_HOLDS), left_out=left_out, fixed=under(_FIXED), dialect=typed.get("dialect", "")
    )
