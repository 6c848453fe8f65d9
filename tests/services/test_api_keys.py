"""API keys: their shape, their life, and what they cost to check."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from dunwell.domain.principals import Role
from dunwell.domain.refusal import Refused
from dunwell.services.api_keys import ApiKeys, is_well_formed
from dunwell.store import audit
from dunwell.store.database import Database
from tests.web.principals import OPERATOR

NOW = datetime(2027, 3, 2, 9, 0, tzinfo=UTC)


def test_a_key_is_shown_once_and_stored_as_a_hash(database: Database) -> None:
    keys = ApiKeys(database)
    made = keys.create("billing", Role.BILLING, 30, OPERATOR, NOW)
    assert re.fullmatch(r"dwl_[0-9A-Za-z]{36}", made.key)
    assert is_well_formed(made.key)
    found = keys.principal(made.key, NOW)
    assert found is not None
    assert (found.label, found.role, found.credential) == ("billing", Role.BILLING, made.key_id)
    with database.reading() as session:
        rows = session.connection().exec_driver_sql("select * from api_keys").all()
        entries = audit.read(session, about="key/billing")
    assert made.key not in str(rows)
    assert made.key[4:34] not in str(rows)
    assert [(one.action, one.principal, one.details["key"]) for one in entries] == [
        ("key_created", "operator", made.key_id)
    ]


@pytest.mark.parametrize("text", ["", "dwl_", "dwl_" + "0" * 36, "x" * 40, "dwl_" + "é" * 36])
def test_what_is_no_key_is_told_without_the_database(text: str) -> None:
    assert not is_well_formed(text)


def test_every_mistyped_character_is_noticed(database: Database) -> None:
    key = ApiKeys(database).create("billing", Role.BILLING, None, OPERATOR, NOW).key
    for place in range(4, len(key)):
        other = "a" if key[place] != "a" else "b"
        assert not is_well_formed(key[:place] + other + key[place + 1 :])


def test_a_name_has_two_live_keys_of_one_role(database: Database) -> None:
    keys = ApiKeys(database)
    first = keys.create("billing", Role.BILLING, None, OPERATOR, NOW)
    with pytest.raises(Refused, match="keys of one name have one role"):
        keys.create("billing", Role.MANAGER, None, OPERATOR, NOW)
    second = keys.create("billing", Role.BILLING, None, OPERATOR, NOW)
    with pytest.raises(Refused, match="two live keys") as refused:
        keys.create("billing", Role.BILLING, None, OPERATOR, NOW)
    assert first.key_id in refused.value.reason
    assert keys.principal(first.key, NOW) and keys.principal(second.key, NOW)
    keys.revoke(first.key_id, OPERATOR, NOW)
    keys.create("billing", Role.BILLING, None, OPERATOR, NOW)
    assert sorted(one["state"] for one in keys.list(NOW)) == ["live", "live", "revoked"]


def test_a_key_ends_by_itself_or_by_revocation(database: Database) -> None:
    keys = ApiKeys(database)
    ends = keys.create("report", Role.AUDITOR, 1, OPERATOR, NOW)
    assert keys.principal(ends.key, NOW + timedelta(hours=23)) is not None
    assert keys.recall(ends.key, NOW + timedelta(hours=24)) is None
    assert keys.principal(ends.key, NOW + timedelta(hours=24)) is None
    other = keys.create("report", Role.AUDITOR, None, OPERATOR, NOW)
    assert keys.principal(other.key, NOW) is not None
    keys.revoke(other.key_id, OPERATOR, NOW)
    assert keys.principal(other.key, NOW) is None
    with pytest.raises(Refused, match="was revoked at 2027-03-02"):
        keys.revoke(other.key_id, OPERATOR, NOW)
    with pytest.raises(Refused, match="is not known"):
        keys.revoke("key-of-nobody\0", OPERATOR, NOW)


@pytest.mark.parametrize(
    ("name", "days"), [("Ada Lopez", None), ("", None), ("x" * 41, None), ("b", 0), ("b", 99999)]
)
def test_a_bad_name_or_end_is_refused(database: Database, name: str, days: int | None) -> None:
    with pytest.raises(Refused):
        ApiKeys(database).create(name, Role.AGENT, days, OPERATOR, NOW)


def test_a_key_is_looked_up_every_half_minute_and_its_use_noted_every_minute(
    database: Database,
) -> None:
    clock = [0.0]
    keys = ApiKeys(database, lambda: clock[0])
    key = keys.create("product", Role.PRODUCT, None, OPERATOR, NOW).key
    said: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: said.append(args[2].split()[0].upper()))
    assert keys.principal(key, NOW)
    assert (said.count("SELECT"), said.count("UPDATE")) == (1, 1)
    said.clear()
    assert keys.recall(key, NOW + timedelta(seconds=29)) and keys.principal(key, NOW + timedelta(seconds=29))
    assert not said
    clock[0] = 31
    assert keys.recall(key, NOW + timedelta(seconds=31)) is None
    assert keys.principal(key, NOW + timedelta(seconds=31))
    assert (said.count("SELECT"), said.count("UPDATE")) == (1, 0)
    assert keys.principal(key, NOW + timedelta(seconds=60))
    assert said.count("UPDATE") == 1
    assert keys.list(NOW)[0]["used_at"] == NOW + timedelta(seconds=60)
