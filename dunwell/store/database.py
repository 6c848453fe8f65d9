"""The database connection and its transactions. A transaction on a customer takes that customer's lock first."""

import shutil
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import BindParameter, Connection, Engine, bindparam, create_engine, event, func, select, text, union
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, aliased, sessionmaker

from dunwell.store.private_files import own_file
from dunwell.store.tables import CustomerRow

_READING = "dunwell_reading"
_NAMED: BindParameter[str] = bindparam("customer_ids", expanding=True)
_NAMED_ROW, _IN_GROUP = aliased(CustomerRow), aliased(CustomerRow)
# A union, so that each half uses its own index: with "or" PostgreSQL would read all customers.
_WITH_GROUPS = union(
    select(_NAMED_ROW.customer_id).where(_NAMED_ROW.customer_id.in_(_NAMED)),
    select(_IN_GROUP.customer_id)
    .join(_NAMED_ROW, _NAMED_ROW.group == _IN_GROUP.group)
    .where(_NAMED_ROW.customer_id.in_(_NAMED)),
)
_LOCK = (
    select(CustomerRow)
    .where(CustomerRow.customer_id.in_(_WITH_GROUPS))
    .order_by(CustomerRow.customer_id)
    .with_for_update(of=CustomerRow)
)
_FULL = "has no room left on its disk"
_LEAST_FREE = 20_000_000  # bytes on disk; with less, writes to an SQLite file and its journal soon fail
_NEW_CUSTOMERS = 4_862_001  # of a PostgreSQL advisory lock; no other lock of this database may have it


class Database:
    """A database. Threads may share it; each transaction has a session of its own.

    Raises TooOpen when other users may read the SQLite file.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        event.listen(self._sessions, "loaded_as_persistent", _keep_loaded)
        # SQLite has one writer and its waiters poll, so that among dozens of threads some starve. The threads of a
        # process therefore queue at this lock, and only processes compete for the file.
        self._writer: AbstractContextManager[object] = Lock() if self._is_file else nullcontext()

    @property
    def _once(self) -> dict[str, Any]:
        # On SQLite the driver would leave its connection in another mode than `_prepare_sqlite` chose.
        return {_READING: True} if self._is_file else {"isolation_level": "AUTOCOMMIT"}

    @property
    def _is_file(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def writing(self, customer_id: str | None = None) -> Iterator[Session]:
        """Open a transaction that commits at the end and is rolled back on any error.

        It holds the lock of `customer_id`, or without one the lock under which new customers are added, because two
        writers may add the same customer at once.
        """
        with self._writer, self._sessions.begin() as session:
            if customer_id is None:
                self._lock_new_customers(session)
            else:
                lock_customers(session, [customer_id])
            yield session

    @contextmanager
    def writing_beside_customers(self) -> Iterator[Session]:
        """Open a transaction that takes no customer's lock, for what belongs to none: users, sessions, keys."""
        with self._writer, self._sessions.begin() as session:
            yield session

    def _lock_new_customers(self, session: Session) -> None:
        if not self._is_file:  # SQLite's writers queue at BEGIN
            session.execute(select(func.pg_advisory_xact_lock(_NEW_CUSTOMERS)))

    @contextmanager
    def unit_of_work(self, customer_id: str) -> Iterator["UnitOfWork"]:
        """Open a unit of work on a customer. An error rolls back the transaction that is open, not earlier ones."""
        with ExitStack() as opened:
            yield UnitOfWork(self, customer_id, opened)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that only reads and takes no lock."""
        with self._sessions() as session:
            session.connection(execution_options={_READING: True})
            yield session

    @contextmanager
    def reading_once(self) -> Iterator[Connection]:
        """Open a connection for one statement that reads.

        On PostgreSQL no transaction is begun and ended around it, which saves two calls.
        """
        with self.engine.connect() as connection:
            yield connection.execution_options(**self._once)

    def problem(self) -> str | None:
        """Return why the database cannot be used now, as the end of "The database ..."; None when it can.

        For health checks.
        """
        try:
            with self.reading() as session:
                session.execute(text("select 1"))
        except SQLAlchemyError as error:
            return problem_of(error)
        path = self.engine.url.database
        if self._is_file and path and shutil.disk_usage(Path(path).parent).free < _LEAST_FREE:
            return _FULL
        return None

    def close(self) -> None:
        self.engine.dispose()


class UnitOfWork:
    """Work on one customer in several transactions, with calls to providers or Temporal between them.

    `session` begins a transaction when none is open. Between that and `commit` nothing slow may happen, because the
    transaction holds the customer's lock.
    """

    def __init__(self, database: Database, customer_id: str, opened: ExitStack) -> None:
        self._database, self._customer_id, self._opened = database, customer_id, opened
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        if self._session is None:
            self._session = self._opened.enter_context(self._database.writing(self._customer_id))
        return self._session

    def commit(self) -> None:
        """Commit the open transaction and release its locks. Does nothing when none is open."""
        self._session = None
        self._opened.close()


def problem_of(error: SQLAlchemyError) -> str:
    """Return what is wrong with the database, as the end of "The database ...". It repeats no statement's values."""
    said = str(getattr(error, "orig", "")).lower()
    if "disk is full" in said or "no space left" in said:
        return _FULL
    if "readonly" in said or "read-only" in said:
        return "can only be read"
    no_reply = isinstance(error, OperationalError | InterfaceError) and "no such" not in said
    return "does not answer" if no_reply else "refuses what is asked of it"


def lock_customers(session: Session, customer_ids: Collection[str]) -> None:
    """Take the locks of these customers and of all others in their groups, always in the same order.

    One message may be about several customers of a group, so a transaction about one of them locks all.
    """
    session.scalars(_LOCK, {"customer_ids": list(customer_ids)}).all()


def explanation(error: SQLAlchemyError) -> str:
    """Return one sentence for people about a database that cannot be used, with what to do. It holds no password."""
    said = (str(getattr(error, "orig", None) or type(error).__name__).splitlines() or [""])[0]
    what = problem_of(error)
    advice = {
        _FULL: "make room, nothing else is needed",
        "can only be read": "give this user the right to write to it",
        "does not answer": "check the URL and that it runs",
    }.get(what, "it was not made by this release, or was changed by hand: compare it with a backup")
    return f"The database of DATABASE_URL {what} ({said}): {advice}."


def _keep_loaded(session: Session, row: object) -> None:
    """Keep a reference to each loaded row: a session holds them weakly, and would query a dropped one again."""
    session.info.setdefault("loaded", []).append(row)


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
        # Create the file at the first connection only: a command that opens none leaves no file behind.
        event.listen(engine, "do_connect", lambda *_: own_file(path))
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Begin with the write lock, except for reading: a lock taken later, after a read, fails instead of waiting."""
    reading = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
