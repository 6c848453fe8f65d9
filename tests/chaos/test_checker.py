"""The checker itself: it passes a good run and catches each kind of violation, made by plain SQL or a false line."""

import base64
import json
import shutil
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dunwell.domain.policy import Policy
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from tests.builders import the_ladders
from tests.chaos import audit
from tests.chaos.checker import RULES, check, forms_once, who_left_stays_so
from tests.chaos.records import Records

_RESTORE = ("copied", "restored")
_MAILS = ("m1", "m2", "m3", "n1")

_CUSTOMERS = {"inv-1": "c1", "inv-2": "c1", "inv-3": "c2"}
_KEPT_CLAIM = {
    "as_of": "2027-03-20",
    "principal": "1043.11",
    "disputed": "0.00",
    "interest": "3.01",
    "lump_sum": "0.00",
    "costs": "0.00",
    "total": "1046.12",
}
"""By 10 March 3.11 of interest had accrued; the 200.00 met 40.00 of lump sum, that, and 156.89 of the principal."""

_CARRIED = "INSERT INTO message_invoices(invoice_id, step, contact_id, channel, message_id, warning) VALUES"


def _message(
    id_: str, step: str, day: str, *, warning: bool = True, state: str = "delivered", invoice: str = "inv-1"
) -> list[str]:
    """Claimed by `invoice` at 10:00 in Berlin, then known to be `state` five minutes later."""
    customer = _CUSTOMERS[invoice]
    return [
        "INSERT INTO messages(message_id, customer_id, step, message, channel, contact_id, address, subject, body,"
        " asks, amount, state, call, called_at, planned_at, claimed_at) VALUES"
        f" ('{id_}', '{customer}', '{step}', '{step}', 'email', '{customer}.ap', 'ap@{customer}.example', 's', 'b',"
        " 1, '1200.00', 'claimed',"
        f" 'begun', '{day} 09:00:00', '{day} 09:00:00', '{day} 09:00:00')",
        f"{_CARRIED} ('{invoice}', '{step}', '{customer}.ap', 'email', '{id_}', {int(warning)})",
        f"UPDATE messages SET state='{state}', settled_at='{day} 09:05:00' WHERE message_id='{id_}'",
    ]


def _good() -> list[str]:
    """inv-1 is warned twice, restricted, paid and freed; inv-2 is handed over after the whole ladder.

    inv-3 is under German law: a part is paid, and a message claims interest and lump sum beside the rest.
    """
    ladder, claiming = the_ladders()["gentle-saas"], the_ladders()["gradual-pressure"]
    bodies = [one.model_dump_json().replace("'", "''") for one in (ladder, claiming)]
    steps = [{"step": s.id, "outcome": "done"} for s in ladder.steps]

    def case(name: str) -> str:
        state = json.dumps(_state("0.00", [], None))
        return (
            "INSERT INTO cases(invoice_id, customer_id, stage, rehearsal, revision, state, updated_at)"
            f" VALUES ('{name}', '{_CUSTOMERS[name]}', 'scheduled', 1, 1, '{state}', '2027-03-01 09:00:00')"
        )

    def came_to(name: str, stage: str, paid: str, count: int, claim: dict[str, str] | None = None) -> str:
        ended = None if stage == "chasing" else stage
        state = json.dumps(_state(paid, steps[:count], ended) | {"last_claim": claim})
        return f"UPDATE cases SET stage='{stage}', state='{state}' WHERE invoice_id='{name}'"

    def line(name: str, seq: int, kind: str) -> str:
        return (
            "INSERT INTO timeline(invoice_id, seq, key, at, kind, reason)"
            f" VALUES ('{name}', {seq}, 'k{seq}', '2027-03-02 09:00:00', '{kind}', 'because')"
        )

    def invoice(name: str, policy: Policy = ladder) -> str:
        claims = "'DE', 'statutory', 'statutory'" if policy is claiming else "NULL, NULL, NULL"
        return (
            "INSERT INTO invoices(invoice_id, number, customer_id, amount, currency, digits, issued_on, due_on,"
            " policy_name, policy_version, jurisdiction, interest, lump_sum)"
            f" VALUES ('{name}', 'N', '{_CUSTOMERS[name]}', '1200.00', 'EUR', 2, '2027-02-01', '2027-03-01',"
            f" '{policy.name}', {policy.version}, {claims})"
        )

    def task(step: str) -> str:
        return (
            "INSERT INTO tasks(task_id, invoice_id, step, kind, due_at, reason, script, state)"
            f" VALUES ('inv-2.{step}', 'inv-2', '{step}', 'call', '2027-03-02 09:00:00', 'r', '', 'open')"
        )

    def change(number: int, access: str) -> str:
        return (
            "INSERT INTO access_changes(change_id, customer_id, invoice_id, access, work_on_hold, reason, at)"
            f" VALUES ('c1.{number}', 'c1', 'inv-1', '{access}', 0, 'r', '2027-03-22 09:00:00')"
        )

    return [
        f"INSERT INTO policies VALUES ('gentle-saas', {ladder.version}, 'd', '{bodies[0]}')",
        f"INSERT INTO policies VALUES ('gradual-pressure', {claiming.version}, 'd', '{bodies[1]}')",
        "INSERT INTO customers(customer_id, name, country, time_zone, language, kind)"
        " VALUES ('c1', 'Acme', 'DE', 'Europe/Berlin', 'en', NULL),"
        " ('c2', 'B', 'DE', 'Europe/Berlin', 'en', 'business')",
        invoice("inv-1"),
        invoice("inv-2"),
        invoice("inv-3", claiming),
        *map(case, _CUSTOMERS),
        *_message("m1", "first-reminder", "2027-03-02"),
        *_message("m2", "second-reminder", "2027-03-16"),
        "INSERT INTO holds VALUES ('inv-1.restricted.1', 'c1', 'inv-1', 'restricted', 'r', '2027-03-22 09:00:00',"
        " NULL, NULL)",
        change(1, "restricted"),
        *_message("m3", "restrict", "2027-03-22"),
        "INSERT INTO payments(invoice_id, payment_id, amount, currency, received_at)"
        " VALUES ('inv-1', 'p1', '1200.00', 'EUR', '2027-03-23 09:00:00')",
        "UPDATE holds SET released_at='2027-03-23 09:00:00'",
        change(2, "full"),
        "INSERT INTO payments(invoice_id, payment_id, amount, currency, received_at)"
        " VALUES ('inv-3', 'p2', '200.00', 'EUR', '2027-03-10 09:00:00')",
        *_message("n1", "hand-over", "2027-03-24", invoice="inv-3"),
        "UPDATE messages SET amount='1000.00', body='Together 1,050.03' WHERE message_id='n1'",
        "UPDATE message_invoices SET claimed='50.03', claim_until='2027-04-02' WHERE message_id='n1'",
        *(_kept(id_) for id_ in _MAILS),
        *(task(s.id) for s in ladder.steps),
        line("inv-1", 1, "opened"),
        line("inv-1", 2, "ended"),
        line("inv-2", 1, "opened"),
        came_to("inv-1", "paid", "1200.00", 3),
        came_to("inv-2", "handed_over", "0.00", 5),
        came_to("inv-3", "chasing", "200.00", 0, _KEPT_CLAIM),
    ]


def _state(paid: str, steps: list[dict[str, str]], ended: str | None) -> dict[str, object]:
    return {
        "paid": paid,
        "amount": "1200.00",
        "earlier_amounts": [],
        "dispute": None,
        "past_disputes": [],
        "due_on": "2027-03-01",
        "ended": ended,
        "claimed": "0.00",
        "beside_principal": "0.00",
        "last_claim": None,
        "redo": [],
        "round": 1,
        "steps": steps,
    }


def _kept(id_: str) -> str:
    """What the web service keeps of a report that the mail was delivered."""
    body = json.dumps({"event": {"message_id": id_, "kind": "delivered", "state": "delivered"}})
    return (
        "INSERT INTO webhook_events(provider, event_id, kind, body, received_at, done_at) VALUES"
        f" ('sendgrid', 'e-{id_}', 'delivered', '{body}', '2027-03-02 09:05:00', '2027-03-02 09:05:00')"
    )


def _signalled(*signals: tuple[str, dict[str, str]]) -> str:
    def event(name: str, content: dict[str, str]) -> dict[str, object]:
        data = base64.b64encode(json.dumps(content).encode()).decode()
        told = {"signalName": name, "input": {"payloads": [{"data": data}]}}
        return {"workflowExecutionSignaledEventAttributes": told}

    return json.dumps({"events": [event(name, content) for name, content in signals]})


def _log_line(id_: str, event: str = "accepted", provider: str = "sendgrid", **more: str) -> str:
    return (
        json.dumps({"at": "2098-01-01T00:00:00+00:00", "provider": provider, "event": event, "id": id_} | more) + "\n"
    )


def _form(event: str, outcome: str, note: str) -> str:
    """A form about inv-3 that the clerk user-a sent."""
    facts = {"invoice_id": "inv-3", "event": event, "clerk": "user-a", "note": note, "outcome": outcome}
    times = {"at": "2098-01-01T00:00:01+00:00", "sent_at": "2098-01-01T00:00:00+00:00", "seen": 0, "retries": 0}
    return json.dumps(facts | times | {"form_id": f"f-{note}", "content": {"reason": "holiday"}}) + "\n"


_FORMS_KEPT = (
    "INSERT INTO requests(principal, invoice_id, key, request_id, event, first_at)"
    " VALUES ('user-a', 'inv-3', 'f-taken', 'r1', 'pause', '2027-03-02 09:00:00')",
    "INSERT INTO notes(note_id, invoice_id, author, text, at)"
    " VALUES ('note-r1', 'inv-3', 'user-a', 'taken', '2027-03-02 09:00:00')",
    "INSERT INTO audit(object, number, key, at, kind, principal, action, details, request_id, prev, hash)"
    " VALUES ('invoice/inv-3', 1, 'r1', '2027-03-02 09:00:00', 'person', 'user-a', 'pause', '{}', 'r1', '', '')",
)
"""What the form that was taken leaves behind; the one that was refused leaves nothing."""


def _line(seq: int, kind: str, ref: str = "") -> str:
    return (
        "INSERT INTO timeline(invoice_id, seq, key, at, kind, reason, ref)"
        f" VALUES ('inv-3', {seq}, 'k{seq}', '2027-03-02 09:00:00', '{kind}', 'by user-a', '{ref}')"
    )


_AT_WORK: dict[str, object] = {"stage": "chasing", "planned": True, "tasks": 0, "running": True, "attempts": 1}


def _stood(*looks: dict[str, object]) -> str:
    """One moment of inv-1, looked at twice."""
    return json.dumps([{"inv-1": one} for one in looks]) + "\n"


def _stands(**changes: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        line = _stood(_AT_WORK | changes, _AT_WORK | changes)
        (folder / "standing.jsonl").write_text(line)

    return edit


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without fault, small enough to read. Nobody edits it: each test has its copy."""
    folder = tmp_path_factory.mktemp("good")
    database = Database(f"sqlite:///{folder}/dunwell.sqlite")
    migrate(database)
    audit.watch(database)
    database.close()
    _sql(folder, *_good(), *_FORMS_KEPT)
    (folder / "forms.jsonl").write_text(_form("pause", "done", "taken") + _form("promise_to_pay", "refused", "no"))
    reports = [("reported", {"status": "delivered"}), ("heard", {"status": "delivered", "word": "delivered"})]
    mails = [_log_line(id_) + "".join(_log_line(id_, event, **more) for event, more in reports) for id_ in _MAILS]
    (folder / "providers.jsonl").write_text("".join(mails))
    (folder / "standing.jsonl").write_text(_stood(_AT_WORK, _AT_WORK))
    for name, kinds in (("inv-1", ("opened", "ended")), ("inv-2", ("opened",)), ("inv-3", ())):
        nothing = {"step": None, "channel": None, "ref": None}
        told = [{"at": "2027-03-02T09:00:00Z", "kind": kind, "reason": "because"} | nothing for kind in kinds]
        _write(folder, "statuses", name, json.dumps({"timeline": told}))
    _write(folder, "histories", "inv-1", _signalled(("payment_received", {"payment_id": "p1", "amount": "1200.00"})))
    _write(folder, "histories", "inv-2", _signalled())
    _write(folder, "histories", "inv-3", _signalled(("payment_received", {"payment_id": "p2", "amount": "200.00"})))
    return folder


def _write(folder: Path, kind: str, name: str, content: str) -> None:
    (folder / kind).mkdir(exist_ok=True)
    (folder / kind / f"{name}.json").write_text(content)


def _sql(folder: Path, *statements: str) -> None:
    with sqlite3.connect(folder / "dunwell.sqlite") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def _logged(line: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        with (folder / "providers.jsonl").open("a") as file:
            file.write(line)

    return edit


def _done(*statements: str) -> Callable[[Path], None]:
    return lambda folder: _sql(folder, *statements)


def _steps(name: str, *steps: str, outcome: str = "done") -> Callable[[Path], None]:
    taken = json.dumps([{"step": step, "outcome": outcome} for step in steps])
    return _done(f"UPDATE cases SET state=json_set(state, '$.steps', json('{taken}')) WHERE invoice_id='{name}'")


def _history(*signals: tuple[str, dict[str, str]]) -> Callable[[Path], None]:
    return lambda folder: _write(folder, "histories", "inv-1", _signalled(*signals))


def _letter_after_payment(folder: Path) -> None:
    _sql(folder, *_message("m4", "last-letter", "2027-04-06"))
    _logged(_log_line("m4"))(folder)


def _two_messages_for_one_step(folder: Path) -> None:
    _sql(
        folder,
        "ALTER TABLE message_invoices RENAME TO kept",
        "CREATE TABLE message_invoices AS SELECT * FROM kept",
        f"{_CARRIED} ('inv-1', 'first-reminder', 'c1.ap', 'email', 'm2', 1)",
    )


def _two_people_at_one_address(folder: Path) -> None:
    _sql(
        folder,
        *(line.replace("c1.ap", "c1.boss") for line in _message("m5", "first-reminder", "2027-03-02")),
        "UPDATE messages SET address_key='payer' WHERE message_id IN ('m1', 'm5')",
    )
    _logged(_log_line("m5"))(folder)


def _too_many_letters(folder: Path) -> None:
    for number in range(5):
        _sql(folder, *_message(f"x{number}", f"answer~{number}", "2027-04-06", warning=False))


def _changed(name: str, **facts: object) -> Callable[[Path], None]:
    """What the case keeps is changed."""
    fields = "".join(f", '$.{key}', json('{json.dumps(value)}')" for key, value in facts.items())
    return _done(f"UPDATE cases SET state=json_set(state{fields}) WHERE invoice_id='{name}'")


def _claim_kept(**heads: str) -> Callable[[Path], None]:
    return _changed("inv-3", last_claim=_KEPT_CLAIM | heads)


def _paid_and_open(folder: Path) -> None:
    """All of inv-3 is paid, and its case waits for the interest."""
    _sql(
        folder,
        "INSERT INTO payments(invoice_id, payment_id, amount, currency, received_at)"
        " VALUES ('inv-3', 'p3', '1000.00', 'EUR', '2027-03-25 09:00:00')",
    )
    _changed("inv-3", paid="1200.00")(folder)


def _in_chile(*days: str, kind: str = "consumer") -> Callable[[Path], None]:
    """inv-1 is owed by somebody in Chile, who gets an e-mail on each of these days as well."""

    def edit(folder: Path) -> None:
        _sql(folder, f"UPDATE customers SET country='CL', kind='{kind}' WHERE customer_id='c1'")
        for number, day in enumerate(days):
            _sql(folder, *_message(f"x{number}", f"answer~{number}", day, warning=False))

    return edit


_REVERSED = ("payment_reversed", {"payment_id": "p1"})
_PART = ("payment_reversed", {"payment_id": "p1", "amount": "300.00", "reversal_id": "r1"})
_OTHER_PART = ("payment_reversed", _PART[1] | {"reversal_id": "r2"})
_PAID = ("payment_received", {"payment_id": "p1", "amount": "1200.00"})
_ALL = [step.id for step in the_ladders()["gentle-saas"].steps]
_AUDIT = "UPDATE chaos_audit SET value='accepted' WHERE kind='state' AND key='m2'"

VIOLATIONS = {
    "a letter claimed after the payment": ("G1", "m4", _letter_after_payment),
    "a letter that left before any claim": ("G1", "m1", _done("DELETE FROM chaos_audit WHERE key='m1'")),
    "a hold after one delivered warning": ("G2", "after 1 delivered", _done(_AUDIT)),
    "a warning nobody reported as delivered": ("G2", "after 1 delivered", lambda f: _drop_report(f, "m2")),
    "a warning to an address that is closed": (
        "G2",
        "after 0 delivered",
        _done("INSERT INTO chaos_audit(seq, kind, key, value) VALUES (0, 'closed', 'email', 'ap@c1.example')"),
    ),
    "warnings of an earlier due date": (
        "G2",
        "after 0 delivered",
        _done("INSERT INTO chaos_audit(seq, kind, key, value) VALUES (0, 'round', 'inv-1', '2')"),
    ),
    "a hold a day after the last warning": (
        "G2",
        "less than 3 days",
        _done("UPDATE messages SET settled_at='2027-03-21 09:00:00' WHERE message_id='m2'"),
    ),
    "a warning to an address that a rehearsal closed": (
        "G2",
        "after 0 delivered",
        _done(
            "INSERT INTO chaos_audit(seq, kind, key, value) VALUES (0, 'closed', 'email', 'rehearsal:ap@c1.example')"
        ),
    ),
    "a report that was taken and not kept": (
        "G2",
        "delivered of m3 was taken and is not kept",
        _done("DELETE FROM webhook_events WHERE event_id='e-m3'"),
    ),
    "a report that nobody acted on": (
        "G2",
        "delivered of m3 was never acted on",
        _done("UPDATE webhook_events SET done_at=NULL WHERE event_id='e-m3'"),
    ),
    "a report that its message does not show": (
        "G2",
        "message m3 is accepted",
        _done("UPDATE messages SET state='accepted' WHERE message_id='m3'"),
    ),
    "a mail accepted twice": ("G3", "m1 was accepted 2 times", _logged(_log_line("m1"))),
    "a mail that is in no outbox": ("G3", "ghost", _logged(_log_line("ghost"))),
    "an SMS that is in no outbox": (
        "G3",
        "+1555",
        _logged(_log_line("SM1", provider="twilio", to="+1555", body="b")),
    ),
    "one step twice at one address": ("G3", "was accepted 2 times for payer", _two_people_at_one_address),
    "one step, contact and channel twice": ("G3", "2 messages", _two_messages_for_one_step),
    "steps in another order": ("G4", "order", _steps("inv-1", "second-reminder", "first-reminder")),
    "a jump over a warning": ("G4", "jumped over second", _steps("inv-1", "first-reminder", "restrict")),
    "handed over before the ladder's end": ("G4", "without hand-over", _steps("inv-2", *_ALL[:-1])),
    "warnings skipped before a consequence": ("G4", "skipped", _steps("inv-2", *_ALL, outcome="skipped")),
    "a step that nobody heard of": ("G4", "nobody heard", _done("DELETE FROM tasks WHERE step='restrict'")),
    "a letter at night": (
        "G5",
        "23:00",
        _done("UPDATE messages SET claimed_at='2027-03-02 22:00:00' WHERE message_id='m1'"),
    ),
    "a letter on a Sunday": (
        "G5",
        "Sun 07 Mar",
        _done("UPDATE messages SET claimed_at='2027-03-07 09:00:00' WHERE message_id='m1'"),
    ),
    "a letter on a holiday": (
        "G5",
        "Fri 26 Mar",
        _done("UPDATE messages SET claimed_at='2027-03-26 09:00:00' WHERE message_id='m1'"),
    ),
    "five letters in a week": ("G5", "cap 4", _too_many_letters),
    "a hold left after payment": ("G7", "is left", _done("UPDATE holds SET released_at=NULL")),
    "a hold left after the due date moved": (
        "G7",
        "later due date",
        _done(
            "UPDATE holds SET released_at=NULL",
            "UPDATE cases SET stage='chasing', state=json_set(state, '$.round', 2) WHERE invoice_id='inv-1'",
        ),
    ),
    "access kept low without a hold": ("G7", "otherwise", _done("DELETE FROM access_changes WHERE access='full'")),
    "a decision only the database knows": (
        "G9",
        "does not tell",
        _done("UPDATE timeline SET reason='other' WHERE invoice_id='inv-1' AND seq=1"),
    ),
    "a decision only the workflow tells": ("G9", "database lacks", _done("DELETE FROM timeline WHERE seq=2")),
    "a case that counts another sum": (
        "G10",
        "counted",
        _done("UPDATE cases SET state=json_set(state, '$.paid', '1100.00') WHERE invoice_id='inv-1'"),
    ),
    "a payment signalled and not booked": (
        "G10",
        "2400",
        _history(_PAID, (_PAID[0], _PAID[1] | {"payment_id": "p2"})),
    ),
    "a reversal signalled and not booked": ("G10", "0 was signalled", _history(_PAID, _REVERSED)),
    "a part taken back and not booked": ("G10", "900.00 was signalled", _history(_PAID, _PART, _PART)),
    "a part taken back by another id": ("G10", "600.00 was signalled", _history(_PAID, _PART, _OTHER_PART)),
    "a head that is not what the law gives": ("G10", "6.02 of interest is claimed", _claim_kept(interest="6.02")),
    "heads that do not add up": ("G10", "1050.00 of total is claimed", _claim_kept(total="1050.00")),
    "a claim that nobody kept": ("G10", "no claim is kept", _changed("inv-3", last_claim=None)),
    "interest that keeps a paid case open": ("G10", "the case has not ended", _paid_and_open),
    "money that met no interest": (
        "G10",
        "5.00 counts as paid",
        _changed("inv-3", beside_principal="5.00", claimed="1"),
    ),
    "a claim that a message doubles": (
        "G10",
        "claims 100.06 beside inv-3",
        _done("UPDATE message_invoices SET claimed='100.06' WHERE message_id='n1'"),
    ),
    "a message that claims nothing": (
        "G10",
        "claims 0 beside inv-3",
        _done("UPDATE message_invoices SET claimed='0' WHERE message_id='n1'"),
    ),
    "a message that asks for what was paid": (
        "G10",
        "n1 asks for 1200.00, 1000.00 was open",
        _done("UPDATE messages SET amount='1200.00' WHERE message_id='n1'"),
    ),
    "a total that is not printed": (
        "G10",
        "n1 does not name the 1050.03",
        _done("UPDATE messages SET body='Together 1,000.00' WHERE message_id='n1'"),
    ),
    "more messages than a law allows": (
        "G5",
        "law of CL allows 2",
        _in_chile("2027-04-06", "2027-04-08", "2027-04-12"),
    ),
    "messages that a law wants apart": ("G5", "1 day, 0:00:00 apart", _in_chile("2027-04-06", "2027-04-07")),
    "more calls than a law allows": ("G5", "5 of call, visit in the 7 days", _in_chile()),
    "a case that nobody was asked about": ("G13", "nobody was asked", _stands(planned=False)),
    "a case that was taken from the engine": ("G13", "does not run it", _stands(running=False)),
    "an activity that is tried for ever": ("G13", "an activity 30 times", _stands(attempts=30)),
    "a confirmed form that is not kept": ("G3", "is kept 0 times", _done("DELETE FROM requests")),
    "a confirmed form whose note is lost": ("G3", "with 0 notes", _done("DELETE FROM notes")),
    "a confirmed form that nobody wrote down": ("G3", "nobody wrote it down", _done("DELETE FROM audit")),
    "a refused form that is kept": ("G3", "was refused, and is kept", _done("UPDATE notes SET text='no'")),
    "a form that did it twice": ("G3", "2 lines paused by user-a", _done(_line(1, "paused"), _line(2, "paused"))),
    "a form that promised twice": (
        "G3",
        "was done 2 times",
        _done(_line(1, "promise", "note-r1"), _line(2, "promise", "note-r1")),
    ),
    "a form taken without a word": ("G3", "what had been done meanwhile: promise", _done(_line(1, "promise"))),
    "a form that failed": (
        "G3",
        "was answered done, then refused",
        lambda folder: (folder / "forms.jsonl").write_text(_form("pause", "done, then refused", "x")),
    ),
    "a credit nobody paid": (
        "G10",
        "credit",
        _done("INSERT INTO credits VALUES ('inv-1', 'c1', '5.00', 'EUR', '2027-03-23 09:00:00')"),
    ),
}


def test_a_clerk_may_take_back_a_payment_that_another_clerk_took_back(copy: Path) -> None:
    """The second form tells nothing new, so the audit has it not."""
    form = json.loads(_form("payment_reversed", "done", "second"))
    form["content"] = {"payment_id": "p2", "reason": "no-funds"}
    (copy / "forms.jsonl").write_text(json.dumps(form) + "\n")
    _sql(
        copy,
        "INSERT INTO requests(principal, invoice_id, key, request_id, event, first_at)"
        " VALUES ('user-b', 'inv-3', 'f-second', 'r2', 'payment_reversed', '2027-03-02 09:00:00')",
        "INSERT INTO notes(note_id, invoice_id, author, text, at)"
        " VALUES ('note-r2', 'inv-3', 'user-b', 'second', '2027-03-02 09:00:00')",
    )
    assert [line for line in forms_once(Records(copy)) if "nobody wrote it down" in line]
    _sql(
        copy,
        "INSERT INTO payment_reversals(invoice_id, payment_id, key, amount, at, reason, recorded_at) VALUES"
        " ('inv-3', 'p2', '~rest', '200', '2027-03-02 09:00:00', 'no-funds', '2027-03-02 09:00:00')",
    )
    assert list(forms_once(Records(copy))) == []


def _drop_report(folder: Path, id_: str) -> None:
    lines = (folder / "providers.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if not (f'"{id_}"' in line and "reported" in line)]
    (folder / "providers.jsonl").write_text("".join(kept))


def test_a_good_run_passes(copy: Path) -> None:
    verdict = check(copy)
    assert (verdict.violations, verdict.running) == ([], ())
    assert {(tally.cases, tally.contacts) for tally in verdict.tallies} == {(3, 9)}


def test_a_report_of_an_sms_nobody_knows_yet_may_wait(copy: Path) -> None:
    """The worker that called the provider was killed before it could write the answer down."""
    _sql(
        copy,
        "INSERT INTO webhook_events(provider, event_id, kind, body, received_at) VALUES ('twilio', 'SM1.delivered',"
        """ 'delivered', '{"event": {"provider_id": "SM1"}}', '2027-03-02 09:05:00')""",
    )
    _logged(_log_line("SM1", "heard", "twilio", status="delivered", word="delivered"))(copy)
    assert check(copy).violations == []


def test_companies_are_contacted_as_their_ladder_says(copy: Path) -> None:
    _in_chile(kind="business")(copy)
    assert check(copy).violations == []


def test_a_payment_by_update_counts_as_one_by_signal(copy: Path) -> None:
    data = base64.b64encode(json.dumps(_PAID[1]).encode()).decode()
    told = {"name": _PAID[0], "args": {"payloads": [{"data": data}]}}
    event = {"workflowExecutionUpdateAcceptedEventAttributes": {"acceptedRequest": {"input": told}}}
    _write(copy, "histories", "inv-1", json.dumps({"events": [event]}))
    assert check(copy).violations == []


def test_the_news_of_a_restriction_is_no_warning_of_it(copy: Path) -> None:
    """Paid, taken back by the bank, restricted again the next day: the warnings of weeks ago are proof enough."""
    _sql(
        copy,
        "INSERT INTO holds VALUES ('inv-1.restricted.2', 'c1', 'inv-1', 'restricted', 'r', '2027-03-23 09:30:00',"
        " '2027-03-23 09:40:00', NULL)",
    )
    assert check(copy).violations == []


def test_a_small_rest_is_as_good_as_paid(copy: Path) -> None:
    """Fifty cents short: nobody may be asked for them."""
    less = "UPDATE chaos_audit SET value='1199.50' WHERE kind='payment'"
    _sql(copy, less, *_message("m4", "last-letter", "2027-04-06"))
    _logged(_log_line("m4"))(copy)
    assert any("m4" in line for line in check(copy).violations)


def test_a_payment_that_is_written_as_reversed_settles_nothing(copy: Path) -> None:
    _sql(
        copy,
        "INSERT INTO payments(invoice_id, payment_id, amount, currency, received_at) VALUES"
        " ('inv-2', 'p1', '1200.00', 'EUR', '2027-03-23 09:00:00')",
    )
    assert Records(copy).settled_at(10**6, "inv-2")
    _sql(copy, _taken_back("700.00"))
    assert (Records(copy).paid_before(10**6, "inv-2"), Records(copy).settled_at(10**6, "inv-2")) == (
        Decimal(500),
        False,
    )


def _taken_back(amount: str) -> str:
    return (
        "INSERT INTO payment_reversals(invoice_id, payment_id, key, amount, at, reason) VALUES"
        f" ('inv-2', 'p1', 'r1', '{amount}', '2027-03-24 09:00:00', 'R01')"
    )


def _restored(folder: Path) -> None:
    """From here on the database is a copy of what it was, put back; all that was reported was reported meanwhile."""
    shutil.copy(folder / "dunwell.sqlite", folder / "replaced.sqlite")
    for kind, at in (("copied", "2097-01-01"), ("restored", "2099-01-01")):
        _sql(folder, f"INSERT INTO chaos_audit(kind, at) VALUES ('{kind}', '{at} 00:00:00')")


def test_what_a_restore_took_away_was_kept_until_then(copy: Path) -> None:
    _restored(copy)
    lost = "DELETE FROM webhook_events WHERE event_id='e-m3'"
    _sql(copy, lost)
    assert check(copy).violations == []
    with sqlite3.connect(copy / "replaced.sqlite") as connection:
        connection.execute(lost)
    assert [line for line in check(copy).violations if "delivered of m3 was taken and is not kept" in line]


def _left_in_the_lost_time(folder: Path, *, before_the_copy: bool = False, asks: bool = False) -> None:
    """The mail m4 was claimed and accepted, and then the database was replaced by a copy that has nothing of it."""
    copied = "INSERT INTO chaos_audit(kind, at) VALUES ('copied', '2097-01-01 00:00:00')"
    claimed = [
        *_message("m4", "first-reminder.copy", "2027-03-02", warning=False),
        f"UPDATE messages SET asks={int(asks)} WHERE message_id='m4'",
    ]
    _sql(folder, *([*claimed, copied] if before_the_copy else [copied, *claimed]))
    shutil.copy(folder / "dunwell.sqlite", folder / "replaced.sqlite")
    _sql(
        folder,
        *(f"DELETE FROM {table} WHERE message_id='m4'" for table in ("message_invoices", "messages")),
        "INSERT INTO chaos_audit(kind, at) VALUES ('restored', '2099-01-01 00:00:00')",
    )
    _logged(_log_line("m4"))(folder)


def test_a_message_that_neither_database_nor_case_can_know_is_no_fault(copy: Path) -> None:
    _left_in_the_lost_time(copy)
    assert check(copy).violations == []
    _logged(_log_line("m4", at="2100-01-01T00:00:00+00:00"))(copy)
    assert [line for line in check(copy).violations if "mail m4 was accepted and is not in the outbox" in line]


def test_a_message_that_nobody_knows_of_any_more_must_not_have_asked_for_what_was_paid(copy: Path) -> None:
    _left_in_the_lost_time(copy, asks=True)
    assert [line for line in check(copy).violations if "m4 (first-reminder.copy) asked for inv-1" in line]


def test_what_the_case_had_heard_of_before_a_restore_is_not_forgotten(copy: Path) -> None:
    _left_in_the_lost_time(copy)
    said = base64.b64encode(json.dumps({"messages": [{"message_id": "m4"}]}).encode()).decode()
    file = copy / "histories" / "inv-1.json"
    history = json.loads(file.read_text())
    payloads: list[dict[str, object]] = [
        {"metadata": {"encoding": "YmluYXJ5L251bGw="}},
        {"data": said},
    ]  # the first: null
    history["events"].append(
        {
            "eventTime": "2098-01-01T00:00:01Z",
            "activityTaskCompletedEventAttributes": {"result": {"payloads": payloads}},
        }
    )
    file.write_text(json.dumps(history))
    assert [line for line in check(copy).violations if "mail m4 was accepted and is not in the outbox" in line]


def test_what_the_copy_had_as_claimed_is_not_forgotten(copy: Path) -> None:
    _left_in_the_lost_time(copy, before_the_copy=True)
    assert [line for line in check(copy).violations if "mail m4 was accepted and is not in the outbox" in line]


@pytest.mark.parametrize("last_answer", ["2020-01-01", "2098-01-01"])
def test_a_case_without_a_question_left_does_not_learn_of_a_restore(copy: Path, last_answer: str) -> None:
    """The older copy has the case as open; its run ends later, without another answer of the database."""
    _restored(copy)
    _sql(
        copy,
        "INSERT INTO timeline(invoice_id, seq, key, at, kind, reason)"
        " VALUES ('inv-1', 9, 'k9', '2027-03-02 09:00:00', 'standstill', 'nothing leaves')",
        "UPDATE cases SET revision=revision+1 WHERE invoice_id='inv-1'",  # reconciled
    )
    file = copy / "histories" / "inv-1.json"
    history = json.loads(file.read_text())
    history["events"] += [
        {
            "eventTime": f"{last_answer}T00:00:00Z",
            "activityTaskCompletedEventAttributes": {"result": {"payloads": []}},
        },
        {"eventTime": "2099-01-01T00:00:00Z"},
    ]
    file.write_text(json.dumps(history))
    unlike = [line for line in check(copy).violations if "inv-1 does not tell what the database has" in line]
    assert len(unlike) == (last_answer > "2090")


def test_a_payment_that_is_written_again_after_a_restore_is_one_payment(copy: Path) -> None:
    again = "INSERT INTO chaos_audit(kind, key, value, part) VALUES ('payment', 'inv-1', '1200.00', 'p1')"
    _restored(copy)
    _sql(copy, again)
    records = Records(copy)
    assert records.paid_before(records.end, "inv-1") == 1200


def test_a_delivery_that_a_restore_took_away_warned_nobody(copy: Path) -> None:
    """The claim of the restored database is counted without it, and nobody stumbles over the missing time."""
    rule = RULES["G10 claim by heads"]
    counted_again = "UPDATE cases SET state=json_set(state, '$.last_claim.again', 1) WHERE invoice_id='inv-3'"
    _sql(
        copy,
        "DELETE FROM chaos_audit WHERE kind='state' AND key='n1'",
        "INSERT INTO chaos_audit(kind, at) VALUES ('copied', '2097-01-01 00:00:00')",
        "INSERT INTO chaos_audit(kind, key, value) VALUES ('state', 'n1', 'delivered')",
    )
    shutil.copy(copy / "dunwell.sqlite", copy / "replaced.sqlite")
    _sql(
        copy,
        "UPDATE messages SET settled_at=NULL WHERE message_id='n1'",
        "INSERT INTO chaos_audit(kind, at) VALUES ('restored', '2099-01-01 00:00:00')",
        counted_again,
    )
    assert list(rule(Records(copy))) == []


def test_a_hold_that_is_put_back_needs_no_new_proof(copy: Path) -> None:
    """But a new one does: what a restore took away proves nothing any more."""
    _sql(copy, "UPDATE holds SET released_at=NULL")
    _restored(copy)
    _sql(
        copy,
        "UPDATE holds SET released_at='2027-03-23 09:00:00'",
        "UPDATE chaos_audit SET value='accepted' WHERE kind='state'",
        "INSERT INTO holds VALUES ('inv-1.restricted.2', 'c1', 'inv-1', 'restricted', 'r', '2027-03-23 09:30:00',"
        " '2027-03-23 09:40:00', NULL)",
    )
    assert check(copy).violations == []
    with sqlite3.connect(copy / "replaced.sqlite") as connection:
        connection.execute("UPDATE holds SET released_at='2027-03-23 09:00:00'")
    assert [line for line in check(copy).violations if "hold inv-1.restricted.2 after 0 delivered" in line]


def test_staged_work_waits_on_when_the_due_date_moves(copy: Path) -> None:
    _sql(
        copy,
        "INSERT INTO holds VALUES ('inv-1.work.1', 'c1', 'inv-1', 'work', 'r', '2027-03-22 09:00:00', NULL, NULL)",
        "UPDATE cases SET stage='chasing', state=json_set(state, '$.round', 2) WHERE invoice_id='inv-1'",
    )
    assert not [line for line in check(copy).violations if "inv-1.work.1" in line]


def test_what_is_under_way_at_one_look_does_not_stand_still(copy: Path) -> None:
    (copy / "standing.jsonl").write_text(_stood(_AT_WORK | {"planned": False}, _AT_WORK))
    assert check(copy).violations == []


def test_credit_that_another_invoice_had_used_up_counts_for_nothing(copy: Path) -> None:
    _history(_PAID, ("credit_applied", {"credit_id": "c9", "amount": "5.00"}))(copy)
    assert check(copy).violations == []


def test_a_case_without_an_end_is_named(copy: Path) -> None:
    (copy / "statuses" / "inv-2.json").unlink()
    assert check(copy).running == ("inv-2",)


@pytest.mark.parametrize(("guarantee", "words", "edit"), VIOLATIONS.values(), ids=VIOLATIONS.keys())
def test_each_kind_of_violation_is_caught(
    guarantee: str, words: str, edit: Callable[[Path], None], copy: Path
) -> None:
    edit(copy)
    found = check(copy).violations
    assert any(line.startswith(f"{guarantee} ") and words in line for line in found), found


def test_who_was_closed_before_a_restore_is_closed_after_it(copy: Path) -> None:
    """By what the cases of the replaced database had been told: a person, and one of their addresses."""
    told: list[dict[str, Any]] = [
        {"change": {"contact_id": "c1.user", "what": "closed", "reason": "left", "channel": None}},
        {"change": {"contact_id": "c1.user", "what": "closed", "reason": "opted_out", "channel": "email"}},
    ]
    known = json.dumps([{**one, "by": "agent.1", "at": "2027-03-01T09:00:00Z"} for one in told])
    _sql(
        copy,
        "INSERT OR REPLACE INTO contacts(contact_id, customer_id, role, position, name, email, shared)"
        " VALUES ('c1.user', 'c1', 'user', 1, 'U', 'User@c1.example', 1)",
    )
    shutil.copy(copy / "dunwell.sqlite", copy / "replaced.sqlite")
    with sqlite3.connect(copy / "replaced.sqlite") as connection:
        connection.execute(
            "UPDATE cases SET state=json_set(state, '$.contact_changes', json(?)) WHERE invoice_id='inv-1'", (known,)
        )
    assert [line.partition(" (")[0] for line in who_left_stays_so(Records(copy))] == [
        "c1.user was closed at 2027-03-01T09:00:00Z"
    ] * 2
    (copy / "accounts.jsonl").write_text(
        json.dumps({"about": "c1.user", "action": "open", "at": "2098-01-01T00:00:00+00:00"}) + "\n"
    )
    _sql(copy, *(f"INSERT INTO chaos_audit(kind, at) VALUES ('{kind}', '2097-01-01')" for kind in _RESTORE))
    assert list(who_left_stays_so(Records(copy))) == [], "a clerk opened it since"
    (copy / "accounts.jsonl").unlink()
    _sql(
        copy,
        "UPDATE contacts SET closed_at='2027-03-01 09:00:00' WHERE contact_id='c1.user'",
        "INSERT INTO closed_addresses(channel, address, reason, since)"
        " VALUES ('email', 'user@c1.example', 'stopped', '2027-03-01 09:00:00')",
    )
    assert list(who_left_stays_so(Records(copy))) == []
