"""What commands share: options, database, server, and the texts and exit codes of failures."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from temporalio.client import Client, RPCError
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from typer.core import TyperCommand

from dunwell.bootstrap import NotReady, connect
from dunwell.client.cases import Cases
from dunwell.client.server import NoAnswer, ServerAway
from dunwell.domain.jurisdiction_file import LawError
from dunwell.domain.ladder_problems import PolicyError
from dunwell.domain.policy import Policy
from dunwell.domain.principals import NotAllowed
from dunwell.domain.refusal import Refused
from dunwell.intake.policy_files import read_ladders, traits_of
from dunwell.intake.typed_codes import without_accents
from dunwell.services.idempotency import StillRunning
from dunwell.settings import Settings, SettingsError
from dunwell.store.database import Database, explanation
from dunwell.store.private_files import TooOpen
from dunwell.store.schema import SchemaError, check_schema
from dunwell.texts.catalogue import Catalogue, CatalogueError

REFUSED, NOT_READY = 1, 2
"""Exit codes: the request was refused; the command line is wrong, or something needed is missing."""

_NEGATIVE = re.compile(r"-[0-9.,]+")

T = TypeVar("T")

InvoiceId = Annotated[str, typer.Argument(metavar="INVOICE", help="The invoice_id of the invoice file.")]
By = Annotated[str, typer.Option("--by", help="Who says so: a role or an id, never a person's name.")]
Note = Annotated[str | None, typer.Option("--note", help="Free words; they stay in the database.")]
Json = Annotated[bool, typer.Option("--json", help="Plain JSON on standard output, and nothing else.")]


def in_plain_letters(value: str | None) -> str | None:
    """Return the value of an option that is a short code, without accents: such codes have the letters A to Z."""
    return value and without_accents(value)


NoWait = Annotated[bool, typer.Option("--no-wait", help="Leave it with the server and do not wait for the case.")]
RequestId = Annotated[
    str | None,
    typer.Option("--request-id", help="Repeat a request safely: it is carried out once and answered alike."),
]
Reason = Annotated[
    str,
    typer.Option("--reason", callback=in_plain_letters, help="A short code, such as hardship or small-balance."),
]
OnlyInvoice = Annotated[str | None, typer.Option("--invoice", metavar="ID", help="Of this invoice only.")]
File = Annotated[str, typer.Argument(metavar="FILE|-", help="JSON, JSON Lines or CSV; - is standard input.")]
InDialect = Annotated[
    str | None,
    typer.Option("--dialect", metavar="WORDS", help="How a CSV file is written: semicolon,decimal-comma,day-first."),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="COLUMN=FIELD", help="What a column of a CSV file holds; FIELD - leaves it out."),
]
FixedValues = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="The same in every record of a CSV file: currency=EUR."),
]
AsOf = Annotated[str | None, typer.Option("--as-of", metavar="TIME", help="The time it begins, such as 2027-03-01.")]


class WithAmounts(TyperCommand):
    """A command that takes negative numbers as arguments, so that they are refused as amounts, not as options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.ignore_unknown_options = any(_NEGATIVE.fullmatch(word) for word in args)
        return super().parse_args(ctx, args)


def read_moment(option: str, text: str) -> datetime:
    """Return the value of an option as a time in UTC. Raises typer.BadParameter, naming the option."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{option}: {text[:40]!r} is not a time; write 2027-03-01T09:00Z or 2027-03-01"
        ) from None


def day_given(option: str, text: str | None) -> date | None:
    """Return the value of an option as a day; None without one. Raises typer.BadParameter, naming the option."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option}: {text[:40]!r} is no day; write 2026-12-31") from None


def without_none(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that are not None."""
    return {name: value for name, value in facts.items() if value is not None}


def known_ladders(catalogue: Catalogue) -> dict[str, Policy]:
    """Return every policy of the folder policies, by name. Raises NotReady when one of them is bad."""
    try:
        return read_ladders(traits_of(catalogue))
    except PolicyError as error:
        raise NotReady(f"A ladder of the folder policies cannot be used:\n{error}") from None


async def connected(settings: Settings) -> Client:
    """Connect to the Temporal server. Raises NotReady when it does not answer."""
    # The SDK logs to standard output, which must hold only the command's answer.
    quiet = LoggingConfig(filter=TelemetryFilter(core_level="OFF", other_level="OFF"))
    return await connect(settings, Runtime(telemetry=TelemetryConfig(logging=quiet)))


def with_cases(settings: Settings, ask: Callable[[Cases], Awaitable[T]]) -> T:
    """Return what `ask` returns, called with a client of cases. Raises NotReady without server or database."""
    with opened_database(settings) as database:
        return with_cases_of(database, settings, ask)


def with_cases_of(database: Database, settings: Settings, ask: Callable[[Cases], Awaitable[T]]) -> T:
    """Return the same for an open database. Raises NotReady without a server."""

    async def run() -> T:
        return await ask(Cases(await connected(settings), database))

    return asyncio.run(run())


def from_database(settings: Settings, read: Callable[[Session], T]) -> T:
    """Return what `read` returns, called with a reading session. Raises NotReady when the database is not set up."""
    with opened_database(settings) as database, database.reading() as session:
        return read(session)


@contextmanager
def opened_database(settings: Settings) -> Iterator[Database]:
    """Open the database, and close it at the end of the block. Raises NotReady when it is not set up."""
    database = Database(settings.database_url)
    try:
        check_set_up(database)
        yield database
    finally:
        database.close()


def check_set_up(database: Database) -> None:
    """Raise NotReady unless the database exists and has the schema of this release."""
    kind, _, path = database.url.partition(":///")
    # Checked first, because connecting to a missing SQLite file would create an empty one.
    missing = kind.startswith("sqlite") and not path.startswith("file:") and not Path(path.partition("?")[0]).exists()
    if missing:
        raise NotReady("The database of DATABASE_URL is not set up: run `make up`, or `worker.py --set-up` first.")
    try:
        check_schema(database)
    except SchemaError as error:
        raise NotReady(str(error)) from None


def error_text(error: Exception) -> tuple[str, int] | None:
    """Return the text and the exit code of an expected failure; None for any other exception, which is a bug."""
    match error:
        case Refused() | NotAllowed():
            return f"refused: {error}", REFUSED
        case NoAnswer() | StillRunning():
            return str(error), REFUSED
        case NotReady() | SettingsError() | ServerAway() | CatalogueError() | TooOpen() | LawError():
            return str(error), NOT_READY
        case SQLAlchemyError():
            return explanation(error), NOT_READY
        case RPCError():
            return f"The Temporal server refuses ({error.status.name.lower()}): check TEMPORAL_ settings.", NOT_READY
        case _:
            return None
