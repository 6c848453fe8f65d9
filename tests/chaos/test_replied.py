"""The checker of replies, answers, grace and pages: a good run passes, and each copy with one fault is named."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests.builders import the_ladders
from tests.chaos import audit
from tests.chaos.checker import RULES
from tests.chaos.process import FAULTS as KEPT_FAULTS
from tests.chaos.process import keep_faults
from tests.chaos.records import ANSWERS, FAULTS, STOPS, VISITS, Records
from tests.chaos.test_checker import _log_line, _message, _sql

_REPLY, _ANSWER = "G1 silent while a reply waits", "G3 an answer once"
_PAGE, _GRACE, _FAULT = "G3 a page's form once", "G2 grace is kept", "G13 no fault of the program"
_STOP, _CLOSED_TO = "G5 STOP is kept", "G5 nothing to a closed address"
_STOPPED = json.dumps({"at": "2026-11-28T10:00:10+00:00", "address": "AP@c1.example"}) + "\n"
_AT = "'2027-03-01 09:00:00'"
_LADDER = the_ladders()["gentle-saas"]
_BODY = _LADDER.model_dump_json().replace("'", "''")


_CLOSED = f"INSERT INTO closed_addresses VALUES ('email', 'ap@c1.example', 'stopped', {_AT})"


def _invoice(name: str, stage: str) -> list[str]:
    return [
        "INSERT INTO invoices(invoice_id, number, customer_id, amount, currency, digits, issued_on, due_on,"
        f" policy_name, policy_version) VALUES ('{name}', 'N', 'c1', '1200.00', 'EUR', 2, '2027-02-01', '2027-03-01',"
        f" 'gentle-saas', {_LADDER.version})",
        "INSERT INTO cases(invoice_id, customer_id, stage, rehearsal, revision, state, updated_at)"
        f" VALUES ('{name}', 'c1', '{stage}', 1, 1, '{{}}', {_AT})",
    ]


def _reply(name: str) -> str:
    return (
        "INSERT INTO replies(reply_id, customer_id, forwarded, channel, kind, why, sender, sender_key, sender_name,"
        " subject, text, whole, verdicts, proposals, received_at)"
        f" VALUES ('{name}', 'c1', 0, 'sms', 'person', 'w', 's', 's', 's', 's', 't', 't', '{{}}', '[]', {_AT})"
    )


def _handled(name: str) -> str:
    return f"UPDATE replies SET handled_at={_AT}, handled_by='user-a' WHERE reply_id='{name}'"


def _answer(name: str, words: str) -> str:
    return (
        "INSERT INTO answers(answer_id, reply_id, invoice_id, customer_id, contact_id, channel, phrases, words, asks,"
        f" subject, by, made_at) VALUES ('{name}', 'r1', 'inv-1', 'c1', 'c1.ap', 'email', '[]', '{words}', 0, '',"
        f" 'user-a', {_AT})"
    )


def _granted(number: int, day: str, until: str) -> str:
    reason = f"granted by restriction page ({number} of 1): what this invoice restricts is open until {until}; then"
    return (
        "INSERT INTO timeline(invoice_id, seq, key, at, kind, reason)"
        f" VALUES ('inv-1', {number}, 'k{number}', '{day} 09:00:00', 'grace', '{reason}')"
    )


def _hold(number: int, day: str) -> str:
    return (
        f"INSERT INTO holds VALUES ('inv-1.restricted.{number}', 'c1', 'inv-1', 'restricted', 'r', '{day} 09:00:00',"
        " NULL, NULL)"
    )


def _request(key: str, number: int = 1) -> str:
    return (
        "INSERT INTO requests(principal, invoice_id, key, request_id, event, first_at)"
        f" VALUES ('link {number}', 'inv-1', '{key}', 'r-{key}-{number}', 'promise_to_pay', {_AT})"
    )


def _told(key: str, number: int) -> str:
    return (
        "INSERT INTO audit(object, number, key, at, kind, principal, action, details, request_id, prev, hash)"
        f" VALUES ('invoice/inv-1', {number}, '{key}', {_AT}, 'link', 'link', 'promise', '{{}}', 'r-{key}-1', '', '')"
    )


def _link(id_: str, message: str | None, kind: str) -> str:
    whose = f"'{message}'" if message else "NULL"
    return (
        "INSERT INTO links(link_id, kind, hash, customer_id, message_id, scopes, made_at)"
        f" VALUES ('{id_}', '{kind}', '{id_}', 'c1', {whose}, '[]', {_AT})"
    )


_GOOD = (
    f"INSERT INTO policies VALUES ('gentle-saas', {_LADDER.version}, 'd', '{_BODY}')",
    "INSERT INTO customers(customer_id, name, country, time_zone, language)"
    " VALUES ('c1', 'Acme', 'DE', 'Europe/Berlin', 'en')",
    *_invoice("inv-1", "chasing"),
    *_invoice("inv-2", "paid"),
    *_message("m1", "first-reminder", "2027-03-02"),
    _link("l1", "m1", "page"),
    _link("l2", None, "restriction"),
    _hold(1, "2027-03-20"),
    _granted(1, "2027-03-22", "2027-03-25"),
    _hold(2, "2027-03-25"),
    _reply("r1"),
    *_message("m2", "@paid", "2027-03-23", invoice="inv-2"),  # the word that the money came
    _answer("answer-a", "Thank you, a1."),
    _handled("r1"),
    *_message("m3", "@answer~answer-a", "2027-03-24"),
    "UPDATE messages SET body='Hello Ada. Thank you, a1. Yours' WHERE message_id='m3'",
    _request("f-promise"),
    _told("f-promise", 1),
    _told("asked.f-wish", 2),
    _request("f-told"),
)


def _visit(act: str, outcome: str, *ids: str, message: str = "m1", customer: str = "") -> str:
    line = {"at": "2026-11-28T10:00:10+00:00", "outcome": outcome, "act": act, "link": "abcdef", "form_ids": ids}
    return json.dumps(line | {"message": message, "customer": customer}) + "\n"


def _form(form: str, outcome: str, form_id: str = "f", mark: str = "", reply: str = "r1") -> str:
    line = {"at": "2026-11-28T10:00:10+00:00", "reply_id": reply, "clerk": "user-a", "form": form}
    return json.dumps(line | {"form_id": form_id, "outcome": outcome, "mark": mark}) + "\n"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replied")
    database = Database(f"sqlite:///{folder}/dunwell.sqlite")
    migrate(database)
    audit.watch(database)
    database.close()
    _sql(folder, *_GOOD)
    (folder / "providers.jsonl").write_text("".join(_log_line(one) for one in ("m1", "m2", "m3")))
    (folder / "clock").write_text("2026-11-28T10:00:00+00:00 2027-02-22T08:00:00+00:00 172800.0")
    visits = _visit("promise", "done", "f-promise"), _visit("instalments", "done", "f-wish"), _visit("", "scanned")
    (folder / VISITS).write_text("".join(visits))
    forms = (
        _form("answer", "answered", mark="a1"),
        _form("handled", "refused"),
        _form("tell/pause", "noted", "f-told"),
    )
    (folder / ANSWERS).write_text("".join(forms))
    (folder / "statuses").mkdir()
    (folder / "statuses" / "inv-1.json").write_text("{}")
    return folder


def _did(*statements: str) -> Callable[[Path], None]:
    return lambda folder: _sql(folder, *statements)


def _added(file: str, line: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        with (folder / file).open("a") as kept:
            kept.write(line)

    return edit


def _while_a_reply_waits(message: str, step: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        _sql(folder, _reply("r2"), *_message(message, step, "2027-03-26", warning=False))
        _added("providers.jsonl", _log_line(message))(folder)

    return edit


def _after_it_was_closed(*then: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        _sql(folder, _CLOSED, *then, *_message("x", "second-reminder", "2027-03-26"))
        _added("providers.jsonl", _log_line("x"))(folder)

    return edit


FAULTY: dict[str, tuple[str, str, Callable[[Path], None]]] = {
    "a confirmation while a reply waits": (
        _REPLY,
        "message x (@promise) left",
        _while_a_reply_waits("x", "@promise"),
    ),
    "a restriction while a reply waits": (_REPLY, "hold inv-1", _did(_reply("r2"), _hold(3, "2027-03-27"))),
    "an answer that never left": (_ANSWER, "never left", _did(_answer("answer-b", ""), "DELETE FROM replies")),
    "an answer that left twice": (
        _ANSWER,
        "left as 2 messages",
        _did(*(line.replace("c1.ap", "c1.boss") for line in _message("x", "@answer~answer-a", "2027-03-24"))),
    ),
    "an answer in other words": (
        _ANSWER,
        "in other words",
        _did("UPDATE messages SET body='Hello' WHERE message_id='m3'"),
    ),
    "two answers of one form": (_ANSWER, "2 answers are kept", _did(_answer("answer-b", "Thank you, a1."))),
    "a refused answer that is kept": (
        _ANSWER,
        "was refused, and its answer is kept",
        _added(ANSWERS, _form("answer", "refused", mark="a1")),
    ),
    "a handled reply that is not": (_ANSWER, "is not handled", _did("UPDATE replies SET handled_at=NULL")),
    "what a reply says, told twice": (_ANSWER, "is kept 2 times", _did(_request("f-told", 2))),
    "what was refused of a reply, told": (
        _ANSWER,
        "was refused, and is kept 1 times",
        _added(ANSWERS, _form("tell/pause", "refused", "f-told")),
    ),
    "a STOP that closes nothing": (_STOP, "ap@c1.example said STOP", _added(STOPS, _STOPPED)),
    "a message after STOP": (_CLOSED_TO, "went to c1.ap by email, closed at", _after_it_was_closed()),
    "a restriction before the day of grace": (
        _GRACE,
        "inv-1.restricted.2 was placed on 24 Mar",
        _did("UPDATE holds SET placed_at='2027-03-24 09:00:00' WHERE hold_id='inv-1.restricted.2'"),
    ),
    "grace more often than the policy grants it": (
        _GRACE,
        "granted grace 2 times",
        _did(_granted(2, "2027-03-26", "2027-03-29")),
    ),
    "grace for longer than the policy grants it": (
        _GRACE,
        "for more than 3 days",
        _did("UPDATE timeline SET reason=replace(reason, '2027-03-25', '2027-03-26')", "DELETE FROM holds"),
    ),
    "a promise of a page that is not kept": (
        _PAGE,
        "is not kept",
        _did("DELETE FROM requests WHERE key='f-promise'"),
    ),
    "a wish of a page that is not kept": (_PAGE, "is not kept", _did("DELETE FROM audit WHERE key='asked.f-wish'")),
    "a form of a page that nobody wrote down": (
        _PAGE,
        "nobody wrote it down",
        _did("DELETE FROM audit WHERE key='f-promise'"),
    ),
    "a scanner that promised": (
        _PAGE,
        "was scanned, and is kept",
        _added(VISITS, _visit("", "scanned", "f-promise")),
    ),
    "a scanner that wished": (_PAGE, "is kept for a person", _added(VISITS, _visit("", "scanned", "f-wish"))),
    "a refused form of a page that is kept": (
        _PAGE,
        "was refused, and is kept",
        _added(VISITS, _visit("promise", "refused", "f-promise")),
    ),
    "a link that ended for no reason": (
        _PAGE,
        "neither revoked nor expired",
        _added(VISITS, _visit("promise", "404", "f-promise")),
    ),
    "a restriction page that ended for no reason": (
        _PAGE,
        "neither revoked nor expired",
        _added(VISITS, _visit("restricted grace", "404", message="", customer="c1")),
    ),
    "a fault of the web service": (_FAULT, "ValueError: no", _added(FAULTS, "Traceback:\n  line\nValueError: no\n")),
}


def test_a_good_run_passes(good: Path) -> None:
    assert {name: list(RULES[name](Records(good))) for name in (_REPLY, _ANSWER, _PAGE, _GRACE, _FAULT)} == {
        name: [] for name in (_REPLY, _ANSWER, _PAGE, _GRACE, _FAULT)
    }


@pytest.mark.parametrize("fault", FAULTY)
def test_each_fault_is_named(copy: Path, fault: str) -> None:
    rule, expected, edit = FAULTY[fault]
    edit(copy)
    found = list(RULES[rule](Records(copy)))
    assert [one for one in found if expected in one], found


@pytest.mark.parametrize(
    "ended",
    [
        "UPDATE links SET revoked_at='2027-03-02 09:00:00' WHERE link_id='l1'",
        "UPDATE links SET made_at='2026-12-01 09:00:00' WHERE link_id='l1'",
    ],
)
def test_a_link_that_was_revoked_or_expired_explains_a_404(copy: Path, ended: str) -> None:
    """It expires after the invoice was settled, when it has lived 60 days."""
    _sql(
        copy,
        ended,
        "UPDATE cases SET stage='paid' WHERE invoice_id='inv-1'",
        "UPDATE chaos_audit SET at='2026-01-01'",
    )
    _added(VISITS, _visit("promise", "404", "f-promise"))(copy)
    assert list(RULES[_PAGE](Records(copy))) == []


def test_a_link_of_an_open_invoice_explains_none(copy: Path) -> None:
    _sql(copy, "UPDATE links SET made_at='2026-12-01 09:00:00'", "UPDATE chaos_audit SET at='2026-01-01'")
    _added(VISITS, _visit("promise", "404"))(copy)
    assert len(list(RULES[_PAGE](Records(copy)))) == 1


def test_whoever_gave_up_as_nobody_answered_may_have_been_heard(copy: Path) -> None:
    """The form was sent again and again: it was carried out once, and the answer was lost."""
    _added(VISITS, _visit("promise", "503", "f-promise"))(copy)
    assert list(RULES[_PAGE](Records(copy))) == []


def test_an_answer_that_its_case_was_not_told_of_yet_is_under_way(copy: Path) -> None:
    """The web service was killed between the two; the event is free again minutes later."""
    cases = '{"cases": [{"name": "reply_handled", "content": {"answer": "answer-a"}, "invoices": ["inv-1"]}]}'
    event = f"INSERT INTO webhook_events VALUES ('dunwell', 'e1', 'reply_handled', '{cases}', '2027-03-24', NULL)"
    _sql(copy, "DELETE FROM message_invoices WHERE message_id='m3'")
    assert len(list(RULES[_ANSWER](Records(copy)))) == 1
    _sql(copy, event)
    records = Records(copy)
    assert (list(RULES[_ANSWER](records)), records.not_applied) == ([], ["answer-a"])


def test_an_address_that_was_opened_again_may_be_written_to(copy: Path) -> None:
    _after_it_was_closed("DELETE FROM closed_addresses")(copy)
    assert list(RULES[_CLOSED_TO](Records(copy))) == []


def test_a_stop_that_closed_its_address_is_kept(copy: Path) -> None:
    _added(STOPS, _STOPPED)(copy)
    _sql(copy, _CLOSED)
    assert list(RULES[_STOP](Records(copy))) == []


def test_a_500_leaves_its_traceback_in_the_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record = logging.LogRecord("dunwell.web", logging.ERROR, "app.py", 1, "unexpected %s at %s:%s", (), None)
    try:
        raise LookupError("'dict object' has no attribute 'stage'")
    except LookupError:
        assert keep_faults(record)
    assert "has no attribute 'stage'" in (tmp_path / FAULTS).read_text()
    assert FAULTS == KEPT_FAULTS
