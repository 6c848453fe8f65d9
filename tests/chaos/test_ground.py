"""A storm's PostgreSQL: the checker reads it in the order of the commits, and a crash takes nothing away."""

from pathlib import Path

from tests.chaos.ground import ground
from tests.chaos.records import Records

_CLOSE = (
    "INSERT INTO closed_addresses(channel, address, reason, since) VALUES ('email', '{}', 'bounced', '2027-03-02')"
)


def test_commits_make_the_order_and_outlive_a_crash(tmp_path: Path) -> None:
    with ground("postgres", tmp_path) as under:
        with under.database.engine.connect() as slow, under.database.engine.connect() as quick:
            slow.exec_driver_sql(_CLOSE.format("written first"))
            quick.exec_driver_sql(_CLOSE.format("committed first"))
            quick.commit()
            slow.commit()
        with under.database.engine.connect() as unlucky:
            unlucky.exec_driver_sql(_CLOSE.format("never committed"))
            under.crash()
            unlucky.invalidate()
        with under.database.engine.begin() as late:
            late.exec_driver_sql(_CLOSE.format("after the crash"))
        under.keep()
    records = Records(tmp_path)
    order = ["committed first", "written first", "after the crash"]
    assert [(line["kind"], line["value"]) for line in records.audit] == [("closed", name) for name in order]
    assert {row["address"] for row in records.rows("SELECT * FROM closed_addresses")} == set(order)


def test_a_restored_file_keeps_the_audit_of_the_time_that_is_lost(tmp_path: Path) -> None:
    with ground("sqlite", tmp_path) as under:
        for name in ("before the copy", "lost", "after the restore"):
            with under.database.engine.begin() as connection:
                connection.exec_driver_sql(_CLOSE.format(name))
            if name == "before the copy":
                under.back_up()
            if name == "lost":
                under.restore()
    records = Records(tmp_path)
    kinds = ["closed", "copied", "closed", "restored", "closed"]
    assert [line["kind"] for line in records.audit] == kinds
    assert [line["seq"] for line in records.audit] == sorted(line["seq"] for line in records.audit)
    closed = "SELECT address FROM closed_addresses"
    assert {row["address"] for row in records.rows(closed)} == {"before the copy", "after the restore"}
    assert records.replaced is not None
    assert {row["address"] for row in records.replaced.rows(closed)} == {"before the copy", "lost"}
