"""The engine and its transactions. A transaction on a customer takes that customer's lock first."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Lock

from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import Session, sessionmaker

from store.tables import CustomerRow

_READING = "dunwell_reading"
_NEWCOMERS = 4_862_001  # any number no one else locks in this database


class Database:
    """One database. Threads may share it; each transaction is its own session."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
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
                session.execute(
                    select(CustomerRow.customer_id).where(CustomerRow.customer_id == customer_id).with_for_update()
                )
            yield session

    def _lock_newcomers(self, session: Session) -> None:
        if not self._is_file:  # SQLite's writers queue at BEGIN
            session.execute(select(func.pg_advisory_xact_lock(_NEWCOMERS)))

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads and waits for nobody."""
        with self._sessions() as session:
            session.connection(execution_options={_READING: True})
            yield session

    def close(self) -> None:
        self.engine.dispose()


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_size=20, hide_parameters=True
        )
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": 60}, hide_parameters=True)
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
