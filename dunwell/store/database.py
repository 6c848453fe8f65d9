"""The engine and its transactions. A transaction on a customer takes that customer's lock first."""

import shutil
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from threading import Lock

from sqlalchemy import BindParameter, Connection, Engine, bindparam, create_engine, event, func, select, text, union
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, aliased, sessionmaker

from dunwell.store.private_files import own_file
from dunwell.store.tables import CustomerRow

_READING = "dunwell_reading"
_NAMED: BindParameter[str] = bindparam("customer_ids", expanding=True)
_ONE, _OTHER = aliased(CustomerRow), aliased(CustomerRow)
# Two ways to a row, each by its own index: with "or" PostgreSQL would read all customers.
_TOGETHER = union(
    select(_ONE.customer_id).where(_ONE.customer_id.in_(_NAMED)),
    select(_OTHER.customer_id).join(_ONE, _ONE.group == _OTHER.group).where(_ONE.customer_id.in_(_NAMED)),
)
_LOCK = (
    select(CustomerRow)
    .where(CustomerRow.customer_id.in_(_TOGETHER))
    .order_by(CustomerRow.customer_id)
    .with_for_update(of=CustomerRow)
)
_FULL = "has no room left on its disk"
_LEAST_FREE = 20_000_000  # bytes; below that an SQLite file and its journal are about to fail
_NEWCOMERS = 4_862_001  # any number no one else locks in this database


class Database:
    """One database. Threads may share it; each transaction is its own session.

    Raises TooOpen when the SQLite file may be read by other users.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        event.listen(self._sessions, "loaded_as_persistent", _hold)
        # SQLite has one writer, and those who wait ask again by chance: among dozens of threads some starve. So the
        # threads of a process stand in line here, and only processes compete at the file.
        self._line: AbstractContextManager[object] = Lock() if self._is_file else nullcontext()

    @property
    def _is_file(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def writing(self, customer_id: str | None = None) -> Iterator[Session]:
        """A transaction that commits at the end, rolled back on any error; with the customer's lock if named.

        Without a name it takes the lock of all newcomers: two writers may bring the same customer at once.
        """
        with self._line, self._sessions.begin() as session:
            if customer_id is None:
                self._lock_newcomers(session)
            else:
                lock_customers(session, [customer_id])
            yield session

    def _lock_newcomers(self, session: Session) -> None:
        if not self._is_file:  # SQLite's writers queue at BEGIN
            session.execute(select(func.pg_advisory_xact_lock(_NEWCOMERS)))

    @contextmanager
    def unit_of_work(self, customer_id: str) -> Iterator["UnitOfWork"]:
        """Several transactions on one customer, one after the other; an error takes back the one that is open."""
        with ExitStack() as opened:
            yield UnitOfWork(self, customer_id, opened)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads and waits for nobody."""
        with self._sessions() as session:
            session.connection(execution_options={_READING: True})
            yield session

    def problem(self) -> str | None:
        """Why the database cannot be used now, in a few words; None when all is well. For health checks."""
        try:
            with self.reading() as session:
                session.execute(text("select 1"))
        except SQLAlchemyError as error:
            return trouble(error)
        path = self.engine.url.database
        if self._is_file and path and shutil.disk_usage(Path(path).parent).free < _LEAST_FREE:
            return _FULL
        return None

    def close(self) -> None:
        self.engine.dispose()


class UnitOfWork:
    """Work on one customer that other parties are called in between, with a transaction before and after each call.

    Whoever reads or writes takes `session`, which begins a transaction when none is open. Nothing slow may happen
    until `leave`: everybody else waits for this customer.
    """

    def __init__(self, database: Database, customer_id: str, opened: ExitStack) -> None:
        self._database, self._customer_id, self._opened = database, customer_id, opened
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        if self._session is None:
            self._session = self._opened.enter_context(self._database.writing(self._customer_id))
        return self._session

    def leave(self) -> None:
        """Commit, and let others in."""
        self._session = None
        self._opened.close()


def trouble(error: SQLAlchemyError) -> str:
    """What is wrong with the database, as the end of "The database ...". It repeats no value of a statement."""
    said = str(getattr(error, "orig", "")).lower()
    if "disk is full" in said or "no space left" in said:
        return _FULL
    if "readonly" in said or "read-only" in said:
        return "can only be read"
    silent = isinstance(error, OperationalError | InterfaceError) and "no such" not in said
    return "does not answer" if silent else "refuses what is asked of it"


def lock_customers(session: Session, customer_ids: Collection[str]) -> None:
    """Take the locks of customers and of all who belong to a group with them, always in the same order.

    One message may speak of several customers of a group, so whoever writes about one holds the locks of all.
    """
    session.scalars(_LOCK, {"customer_ids": list(customer_ids)}).all()


def no_answer(error: SQLAlchemyError) -> str:
    """What to tell people of a database that cannot be used: one sentence, without the password."""
    said = (str(getattr(error, "orig", None) or type(error).__name__).splitlines() or [""])[0]
    what = trouble(error)
    advice = {
        _FULL: "make room, nothing else is needed",
        "can only be read": "give this user the right to write to it",
        "does not answer": "check the URL and that it runs",
    }.get(what, "it was not made by this release, or was changed by hand: compare it with a backup")
    return f"The database of DATABASE_URL {what} ({said}): {advice}."


def _hold(session: Session, row: object) -> None:
    """A session forgets rows that nobody looks at and asks for them again; what it read it shall know to its end."""
    session.info.setdefault("held", []).append(row)


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_size=20, hide_parameters=True
        )
    engine = create_engine(parsed, connect_args={"timeout": 60}, hide_parameters=True)
    if parsed.database and not parsed.database.startswith("file:"):
        path = Path(parsed.database)
        if path.exists():
            own_file(path)
        # Made when something is kept, not before: a command that only shows what would happen leaves no file behind.
        event.listen(engine, "do_connect", lambda *_: own_file(path))
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin on its own
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Writers queue at BEGIN: a lock taken later, after a read, would fail instead of waiting."""
    reading = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
