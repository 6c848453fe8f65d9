"""What the columns of invoice files with one header hold: said once, and used for the next file with this header."""

from collections.abc import Mapping

from dunwell.domain.model import Value


class InvoiceLayout(Value):
    """What a person said of the columns of a file.

    columns   the title of the column of each field
    left_out  the titles of the columns to leave out
    fixed     the value in every line of each field that has no column
    dialect   how the file is written, where that was said
    """

    columns: Mapping[str, str] = {}
    left_out: tuple[str, ...] = ()
    fixed: Mapping[str, str] = {}
    dialect: str = ""
