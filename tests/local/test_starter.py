"""The command line as its users meet it: the real server, a real worker, an SQLite file."""

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from temporalio.client import Client, WorkflowExecutionStatus

import starter
from dunwell.bootstrap import connect
from dunwell.client import starting
from dunwell.client.answers import TellOutcome
from dunwell.client.cases import Cases
from dunwell.client.registration import Registrar
from dunwell.client.server import NoAnswer, Patience
from dunwell.commands import policy as ladder_commands
from dunwell.domain.channels import Channel
from dunwell.domain.policy import PolicyRef
from dunwell.domain.refusal import Refused
from dunwell.local.temporal_server import DevServer, free_port
from dunwell.settings import Settings
from dunwell.store import addresses, notes, outbox
from dunwell.store import cases as stored_cases
from dunwell.store import invoices as stored_invoices
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from dunwell.store.tables import ContactRow, MessageRow, TaskRow
from tests.builders import an_invoice, another_customer, keep_customer, sample_deps, the_ladders
from tests.intake.builders import csv_cells, csv_text
from tests.local.conftest import DUE, ISSUED, Place, Run, an_item
from workflows.messages import workflow_id

SOON = str(ISSUED + timedelta(days=5))


def a_file(*items: dict[str, Any], name: str = "invoices.jsonl") -> str:
    Path(name).write_text("\n".join(json.dumps(item) for item in items), encoding="utf-8")
    return name


def started(run: Run, invoice_id: str, **changes: object) -> str:
    assert run("start", a_file(an_item(invoice_id, **changes))).out.startswith("1 started")
    return invoice_id


# Starting ------------------------------------------------------------------------------------------------


def test_a_file_is_started_once_and_its_bad_lines_harm_nobody(here: Place, run: Run) -> None:
    good = [an_item(f"MANY-{number}", customer__id=f"CM-{number // 3}") for number in range(100)]
    bad = [an_item("BAD-1", due_on="soon"), an_item("BAD-2", policy="no-such-ladder")]
    file = a_file(*good[:50], *bad, *good[50:])
    first = run("start", file, "--refused", "refused.csv")
    assert first.code == 1
    assert first.out.splitlines() == [
        "2 refused lines written to refused.csv",
        "100 started, 0 already running, 0 already ended, 2 refused",
    ]
    assert "line 51 (invoice 2026/0001 of Lindenhof Maschinenbau GmbH): due_on: 'soon' is not a date" in first.err
    titles, *lines = Path("refused.csv").read_text(encoding="utf-8-sig").splitlines()
    assert titles == "record,reason" and ["BAD-1" in lines[0], "no-such-ladder" in lines[1]] == [True, True]
    assert run("start", file, "--refused", f"./{file}").code == 2
    assert "invoice BAD-2: policy: 'no-such-ladder' is not a ladder" in first.err
    again = run("start", file)
    assert again.out == "0 started, 100 already running, 0 already ended, 2 refused\n"


def test_e3_start_and_preview_read_a_european_file_alike(here: Place, run: Run) -> None:
    cells = csv_cells(an_item("EURO-1", amount="1234.50", customer__name="Müller & Söhne KG"))
    cells |= {name: ".".join(reversed(cells[name].split("-"))) for name in ("issued_on", "due_on")}
    cells |= {"amount": "1.234,50", "Buchungskreis": "0001"}
    cells["Nr"] = cells.pop("invoice_id")
    content = f"{';'.join(cells)}\r\n{';'.join(cells.values())}\r\n".encode("cp1252")
    Path("export.csv").write_bytes(content)
    unmapped = run("preview", "export.csv")
    assert "Ids are made from the numbers" in unmapped.err
    for command in ("preview", "start"):
        said = run(command, "export.csv", "--map", "Nr=invoice_id", "--dialect", "day-first")
        told = [line for line in said.err.splitlines() if not line.startswith("language: ")]
        assert (said.code, len(told)) == (0, 1)
        assert "a semicolon; amounts with a decimal comma; days first (31.12.2027); letters as in cp1252" in said.err
    assert "1234.50 EUR" in run("status", "EURO-1").out
    assert "--dialect: 'x' is unknown" in run("preview", "export.csv", "--dialect", "x").err


def test_csv_and_standard_input(here: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.csv").write_text(csv_text(csv_cells(an_item("CSV-1"))), encoding="utf-8")
    assert run("start", "a.csv").out.startswith("1 started")
    lines = io.TextIOWrapper(io.BytesIO(json.dumps(an_item("PIPE-1")).encode()))
    monkeypatch.setattr(sys, "stdin", lines)
    said = run("start", "-")
    assert (said.code, said.out) == (0, "1 started, 0 already running, 0 already ended, 0 refused\n")


def test_a_finished_case_is_not_restarted_by_its_file(here: Place, run: Run) -> None:
    started(run, "ENDS-1")
    assert run("cancel", "ENDS-1", "--reason", "credit-note").out.startswith("ENDS-1: cancelled")
    said = run("start", "invoices.jsonl")
    assert (said.code, said.out) == (0, "0 started, 0 already running, 1 already ended, 0 refused\n")


def test_a_payment_that_may_be_older_than_the_import_is_answered_as_not_counted(here: Place, run: Run) -> None:
    run("start", a_file(an_item("OLD-1", paid="500.00")))
    said = run("pay", "OLD-1", "500.00", "--payment-id", "bank-7", "--received-at", "2026-02-01T10:00Z")
    assert said.code == 0
    assert "payment bank-7: 500.00 EUR received before the import: not counted until a person confirms it" in said.out


def test_a_rehearsal_lives_through_its_ladder_and_is_never_mixed(here: Place, run: Run) -> None:
    file = a_file(an_item("1", issued_on="2027-02-01", due_on="2027-03-01"))
    said = run("start", file, "--rehearse", "--speed", "5000000", "--as-of", "2027-02-20", "--id-prefix", "REH-")
    assert said.code == 0
    assert "REHEARSAL" in said.out
    assert "No real provider is reached" in said.out
    assert run("start", file).out.startswith("1 started")  # the id was left to the real case
    assert "give the rehearsal ids of its own" in run("start", file, "--rehearse").err
    named = a_file(an_item("REH-1", issued_on="2027-02-01", due_on="2027-03-01"))
    assert "is known as a rehearsal, which keeps its id" in run("start", named).err
    deadline = datetime.now(UTC) + timedelta(seconds=10)
    # A message is claimed before it leaves, so the first look may find it between the two.
    while not (rows := run("outbox", "--invoice", "REH-1", "--json").json) or rows[0]["state"] == "claimed":
        assert datetime.now(UTC) < deadline
    assert set(rows[0]) >= {
        "message_id",
        "invoices",
        "step",
        "channel",
        "contact",
        "to",
        "state",
        "body",
        "planned_at",
    }
    assert (rows[0]["invoices"], rows[0]["state"]) == (["REH-1"], "delivered")
    assert rows[0]["planned_at"].startswith("2027-03-")
    assert "first-reminder" in run("outbox").out
    listed = [one for one in run("list", "--json").json if one["rehearsal"]]
    assert [one["invoice_id"] for one in listed] == ["REH-1"]


def test_b6_b11_a_customer_is_corrected_and_rests_by_commands(here: Place, run: Run) -> None:
    started(run, "CUST-1")
    whole = run("customer", "C-CUST-1", "--json").json
    (ada, *_) = whole["contacts"]
    said = run("contact", "set", ada["contact_id"], "--email", "new@debtor.example", "--by", "agent-7")
    assert (said.code, "e-mail changed from" in said.out) == (0, True)
    assert "0 started, 1 already running" in run("start", "invoices.jsonl").out  # the same file undoes nothing
    assert "new@debtor.example" in run("customer", "C-CUST-1").out
    assert "email corrected by agent-7" in run("customer", "C-CUST-1").out
    paused = run("pause", "--customer", "C-CUST-1", "--reason", "illness", "--by", "agent-7")
    assert (paused.code, "1 open invoice" in paused.out) == (0, True)
    deadline = datetime.now(UTC) + timedelta(seconds=10)
    while run("status", "CUST-1", "--json").json["stage"] != "paused":
        assert datetime.now(UTC) < deadline
    assert "the whole customer rests until resumed: illness" in run("status", "CUST-1").out
    assert run("resume", "CUST-1").code == 1  # the customer rests, not this invoice
    assert "CUST-1: paid" in run("pay", "CUST-1", "1200.00", "--payment-id", "p").out  # a payment still counts
    assert run("resume", "--customer", "C-CUST-1").code == 0
    assert run("pause", "--reason", "illness").code == 2
    assert run("contact", "close", ada["contact_id"], "--reason", "left").code == 0
    assert run("contact", "open", ada["contact_id"]).code == 0


# Telling and reading -------------------------------------------------------------------------------------


def test_a_promise_with_a_note_rests_the_case(here: Place, run: Run) -> None:
    started(run, "PROM-1")
    said = run("promise", "PROM-1", SOON, "--note", "Ms Vega called", "--by", "kim", "--via", "phone")
    assert said.out.startswith("PROM-1: promised, 1200.00 EUR open, access full; next: ")
    status = run("status", "PROM-1", "--json")
    assert status.err == ""
    assert status.json["promises"][0]["via"] == "phone"
    ref = status.json["promises"][0]["ref"]
    with Database(here.database_url).reading() as session:
        (note,) = notes.of_invoice(session, "PROM-1")
    assert (note.note_id, note.author, note.text) == (ref, "kim", "Ms Vega called")
    assert "Ms Vega called" not in status.out  # the engine never saw it
    readable = run("status", "PROM-1").out
    assert "note" in readable
    assert "by kim: Ms Vega called" in readable


def test_every_decision_of_a_person(here: Place, run: Run) -> None:
    started(run, "TALK-1")
    half = str(ISSUED + timedelta(days=9))
    for arguments, answer in [
        (("dispute", "TALK-1", "--reason", "wrong-quantity"), "disputed, 1200.00"),
        (("resolve-dispute", "TALK-1", "adjusted", "--new-amount", "900,00"), "scheduled, 900.00"),
        (("amend", "TALK-1", "--amount", "1.000,00"), "scheduled, 1000.00"),
        (("pause", "TALK-1", "--reason", "hardship", "--until", SOON), "paused, 1000.00"),
        (("resume", "TALK-1"), "scheduled, 1000.00"),
        (("call-outcome", "TALK-1", "no_answer", "--task", "TALK-1.call"), "scheduled, 1000.00"),
        (("plan", "TALK-1", f"{SOON}=400,00", f"{half}=600.00"), "plan, 1000.00"),
        (("write-off", "TALK-1", "--reason", "small-balance"), "written_off, 0.00"),
    ]:
        said = run(*arguments)
        assert (said.code, said.err) == (0, ""), arguments
        assert said.out.startswith(f"TALK-1: {answer} EUR open"), arguments


def test_a11_credit_is_applied_taken_back_and_returned(here: Place, run: Run) -> None:
    payer = {"customer__id": "C-CREDIT"}
    file = a_file(an_item("OVER-1", **payer), an_item("OPEN-1", amount="300.00", **payer))
    assert run("start", file).out.startswith("2 started")
    said = run("pay", "OVER-1", "1500.00", "--payment-id", "p1")
    assert said.out.startswith("OVER-1: paid, 0.00 EUR open, credit 300.00 EUR, access full")
    assert "credit  300.00 EUR of this customer on invoice OVER-1" in run("status", "OPEN-1").out
    assert "credit 300.00" in run("list").out
    (task,) = [one for one in run("tasks", "--invoice", "OVER-1", "--json").json if one["kind"] == "decision"]
    assert (task["amount"], "apply-credit OVER-1" in task["reason"]) == ("300.00", True)

    for _ in range(2):  # the same request again
        applied = run("apply-credit", "OVER-1", "OPEN-1", "--request-id", "r1")
        assert applied.out.startswith("OPEN-1: paid, 0.00 EUR open, access full"), applied.err
    assert "OVER-1 has no credit" in run("apply-credit", "OVER-1", "OPEN-1").err
    assert run("status", "OVER-1", "--json").json["credit"] == "0.00"

    lines = run("status", "OPEN-1", "--json").json["timeline"]
    (credit_id,) = [line["ref"] for line in lines if "paid by credit" in line["reason"]]
    assert "300.00 EUR open" in run("reverse-payment", "OPEN-1", credit_id, "--reason", "credit-withdrawn").out
    assert run("status", "OVER-1", "--json").json["credit"] == "300.00"
    returned = run("return-credit", "OVER-1", "--amount", "100,00")
    assert returned.out == "OVER-1: 100.00 EUR returned; 200.00 EUR of credit are left\n"
    assert "amount: is more than the 200.00 EUR of credit" in run("return-credit", "OVER-1", "--amount", "201").err


def test_a1_a_request_id_is_for_one_request(here: Place, run: Run) -> None:
    started(run, "ONCE-1")
    first = run("pause", "ONCE-1", "--reason", "hardship", "--note", "she called", "--request-id", "r1")
    assert first.out.startswith("ONCE-1: paused")
    other = run("write-off", "ONCE-1", "--reason", "small-balance", "--request-id", "r1")
    assert (other.code, "request_id: was used" in other.err) == (1, True)
    assert "she called" in run("status", "ONCE-1").out
    assert run("resume", "ONCE-1").code == 0
    assert (
        run("pause", "ONCE-1", "--reason", "hardship", "--note", "she called", "--request-id", "r1").out == first.out
    )
    assert not run("status", "ONCE-1").out.startswith("ONCE-1: paused")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(
            ("pay", "NO-1", "5.00", "--payment-id", "p", "--received-at", "2090-01-01"),
            "received_at: lies more than 3 days ahead",
            id="a17 from the future",
        ),
        pytest.param(
            ("pay", "NO-1", "5.00", "--payment-id", "p", "--received-at", "2090-01-01", "--no-wait"),
            "received_at: lies more than 3 days ahead",
            id="a17 from the future, left with the server",
        ),
        pytest.param(("promise", "NO-1", "2026-01-01"), "date: lies in the past", id="a day gone by"),
        pytest.param(("promise", "NO-1", "friday"), "date: 'friday' is not a date", id="no date"),
        pytest.param(
            ("promise", "NO-1", SOON, "--amount", "9e9"),
            "amount: '9e9' is not an amount: write it as",
            id="no amount",
        ),
        pytest.param(("promise", "NO-1", SOON, "--promised-by", "a@b.example"), "promised_by: ", id="an address"),
        pytest.param(("cancel", "NO-1", "--reason", "x", "--by", "a@b.example", "--note", "n"), "by: ", id="by whom"),
        pytest.param(("pay", "NO-1", "5.00", "--payment-id", "p", "--currency", "USD"), "currency: ", id="currency"),
        pytest.param(
            ("pay", "NO-1", "5.001", "--payment-id", "p"), "amount: '5.001' may be 5001.00 or 5.00", id="too exact"
        ),
        pytest.param(("reverse-payment", "NO-1", "p"), "payment_id: no payment of this id", id="nothing to reverse"),
        pytest.param(("resume", "NO-1"), "stage: it is not paused", id="not paused"),
        pytest.param(("amend", "NO-1"), "message: changes nothing", id="no change"),
        pytest.param(("call-outcome", "NO-1", "reached"), "task: no call is open", id="no call"),
        pytest.param(("resume", "NOO-1"), "did you mean NO-1", id="a slip of the finger"),
        pytest.param(("resume", "zzz"), "`starter.py list` shows those", id="nothing like it"),
        pytest.param(("pay", "NOO-1", "5.00", "--payment-id", "p"), "did you mean NO-1", id="pay nobody"),
        pytest.param(("status", "NOO-1"), "did you mean NO-1", id="status of nobody"),
        pytest.param(("outbox", "--invoice", "NOO-1"), "did you mean NO-1", id="messages of nobody"),
        pytest.param(("resume", "NO-1", "--request-id", "a b"), "request_id: must be", id="request id"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    here: Place, run: Run, arguments: tuple[str, ...], reason: str
) -> None:
    run("start", a_file(an_item("NO-1")))
    said = run(*arguments)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("refused: ")
    assert reason in said.err
    assert said.err.count("\n") == 1


def test_a_refused_request_leaves_no_note(here: Place, run: Run) -> None:
    started(run, "NOTE-1")
    assert run("promise", "NOTE-1", "2026-01-01", "--note", "said so").code == 1
    with Database(here.database_url).reading() as session:
        assert notes.of_invoice(session, "NOTE-1") == []


def test_the_same_request_is_carried_out_once(here: Place, run: Run) -> None:
    started(run, "ASKED-TWICE-1")
    for _ in range(2):
        assert run("pause", "ASKED-TWICE-1", "--reason", "hardship", "--request-id", "r1").code == 0
    kinds = [line["kind"] for line in run("status", "ASKED-TWICE-1", "--json").json["timeline"]]
    assert kinds.count("paused") == 1


def test_money_before_and_after_the_end(here: Place, run: Run) -> None:
    started(run, "PAY-1")
    assert run("pay", "PAY-1", "200.00", "--payment-id", "p1").out.startswith("PAY-1: scheduled, 1000.00 EUR open")
    assert run("pay", "PAY-1", "1000.00", "--payment-id", "p2").out.startswith("PAY-1: paid, ")
    assert "refused: stage: the case has ended (paid)" in run("promise", "PAY-1", SOON).err
    twice = run("pay", "PAY-1", "1000.00", "--payment-id", "p2")
    assert (twice.code, "new run" in twice.out) == (0, False)
    assert "with another amount" in run("pay", "PAY-1", "999.00", "--payment-id", "p2").err
    more = run("pay", "PAY-1", "50.00", "--payment-id", "p3")
    assert (more.code, "new run" in more.out) == (0, True)
    back = run("reverse-payment", "PAY-1", "p2", "--reason", "chargeback")
    assert back.out.startswith("PAY-1: scheduled, 950.00 EUR open, access full; next: first-reminder")
    kinds = [line["kind"] for line in run("status", "PAY-1", "--json").json["timeline"]]
    assert kinds.count("payment") == 3
    assert [kind for kind in kinds if kind != "task"][-1] == "reopened"  # the task about credit is withdrawn


def test_a_part_taken_back_the_head_that_was_paid_and_the_claim(here: Place, run: Run) -> None:
    started(run, "PART-1")
    run("pay", "PART-1", "200.00", "--payment-id", "p1", "--for", "principal")
    assert run("pay", "PART-1", "9.00", "--payment-id", "p2", "--for", "fees").code == 2
    for _ in range(2):
        run("reverse-payment", "PART-1", "p1", "--amount", "50.00", "--reversal-id", "r1")
    assert "paid    150.00 EUR for principal, payment p1; 50.00 of it taken back" in run("status", "PART-1").out
    more = run("reverse-payment", "PART-1", "p1", "--amount", "150.01", "--reversal-id", "r2")
    assert (more.code, "is more than the 150.00 EUR that are left" in more.err) == (1, True)
    shown = run("claim", "PART-1", "--as-of", str(DUE)).out
    assert f"1050.00 EUR may be claimed on {DUE}" in shown
    facts = run("claim", "PART-1", "--json").json
    assert {"currency", "principal", "disputed", "interest", "lump_sum", "costs"} <= facts.keys()
    assert {"total", "certainty", "periods"} <= facts.keys()
    assert "--as-of: '31.12.2026' is no day; write 2026-12-31" in run("claim", "PART-1", "--as-of", "31.12.2026").err
    assert run("claim", "PART-9").code == 1


def test_tasks_show_whom_to_call_when_and_what_to_say(here: Place, run: Run) -> None:
    started(run, "TASK-1", customer__time_zone="America/New_York", customer__country="US")
    facts = {
        "invoice_id": "TASK-1",
        "step": "s",
        "kind": "call",
        "reason": "why",
        "script": "Good day",
        "state": "open",
    }
    with Database(here.database_url).writing() as session:
        due = datetime(2027, 3, 1, 15, tzinfo=UTC)
        session.add(TaskRow(task_id="TASK-1.s", contact_id="C-TASK-1.accounts_payable.1", due_at=due, **facts))
        session.execute(update(ContactRow).values(phone="+12125550100"))  # who has none is looked for, not called
    (task,) = run("tasks", "--invoice", "TASK-1", "--json").json
    assert (task["contact_name"], task["due_local"]) == ("Katrin Vogel", "2027-03-01T10:00:00-05:00")
    assert "Mon 01 Mar 2027 10:00 EST" in run("tasks").out
    assert "Good day" not in run("tasks").out
    assert "Good day" in run("tasks", "--verbose").out
    assert run("call-outcome", "TASK-1", "promise", "--promise-date", SOON).out.startswith("TASK-1: promised")
    assert run("tasks", "--invoice", "TASK-1", "--json").json == []


def test_the_list_is_by_urgency_hour_and_amount(here: Place, run: Run) -> None:
    started(run, "WORK-1")
    nine, ten = datetime(2027, 3, 1, 9, tzinfo=UTC), datetime(2027, 3, 1, 10, tzinfo=UTC)
    facts = {"invoice_id": "WORK-1", "step": "s", "reason": "why", "script": "", "state": "open", "currency": "EUR"}
    rows = [
        # name, kind, due, amount, told to a manager
        ("ten", "call", ten, "900.00", None),
        ("small", "call", nine, "50.00", None),
        ("large", "call", nine.replace(minute=59), "700.00", None),
        ("late", "visit", ten, "10.00", ten),
        ("decide", "decision", nine, None, None),
    ]
    with Database(here.database_url).writing() as session:
        for name, kind, due, amount, told in rows:
            amount_of = Decimal(amount) if amount else None
            row = TaskRow(task_id=name, kind=kind, due_at=due, amount=amount_of, escalated_at=told, **facts)
            session.add(row)

    def listed(*options: str) -> list[str]:
        return [task["task_id"] for task in run("tasks", "--invoice", "WORK-1", "--json", *options).json]

    assert listed() == ["late", "decide", "large", "small", "ten"]
    assert listed("--kind", "call") == ["large", "small", "ten"]
    assert listed("--due-by", "2027-03-01T09:30Z") == ["decide", "small"]
    shown = run("tasks", "--invoice", "WORK-1").out
    assert "visit, ESCALATED" in shown
    assert "03-01 09:00" in shown
    one = run("task", "large").out
    assert "due      Mon 01 Mar 2027 10:59 CET there, 2027-03-01 09:59 UTC" in one
    assert "starter.py call-outcome WORK-1 OUTCOME --task large" in one
    assert run("task", "none").err.startswith("refused: task: 'none' is no task")


def test_d2_a_task_is_closed_by_a_plain_command_also_after_the_end(here: Place, run: Run) -> None:
    started(run, "DONE-1")
    facts = {"invoice_id": "DONE-1", "step": "", "kind": "decision", "reason": "why", "script": "", "state": "open"}
    with Database(here.database_url).writing() as session:
        due = datetime(2027, 3, 1, 15, tzinfo=UTC)
        for name, outlives in (("DONE-1.ask", False), ("DONE-1.needless", False), ("DONE-1.give-back", True)):
            session.add(TaskRow(task_id=name, due_at=due, outlives_case=outlives, **facts))
    assert "then     starter.py close-task DONE-1.ask" in run("task", "DONE-1.ask").out
    assert run("close-task", "DONE-1.ask", "--by", "clerk").code == 0
    assert "done, by clerk" in run("task", "DONE-1.ask").out
    run("cancel", "DONE-1", "--reason", "credit-note")
    needless = run("close-task", "DONE-1.needless")
    assert (needless.code, "nothing is left to do" in needless.out) == (0, True)
    assert "the case is cancelled" in needless.out
    assert [task["task_id"] for task in run("tasks", "--invoice", "DONE-1", "--json").json] == ["DONE-1.give-back"]
    assert "close its task with done" in run("call-outcome", "DONE-1", "reached", "--task", "DONE-1.give-back").err
    assert run("close-task", "DONE-1.give-back", "--by", "clerk").code == 0
    assert run("tasks", "--invoice", "DONE-1", "--json").json == []
    assert "is closed already (done, by clerk)" in run("close-task", "DONE-1.give-back").out
    assert "is no task" in run("close-task", "none").err


def test_list_filters_by_stage(here: Place, run: Run) -> None:
    started(run, "LIST-1")
    run("pause", "LIST-1", "--reason", "hardship")
    assert "LIST-1" in {one["invoice_id"] for one in run("list", "--stage", "paused", "--json").json}
    assert "LIST-1" not in {one["invoice_id"] for one in run("list", "--stage", "scheduled", "--json").json}
    assert "Lindenhof" in run("list", "--stage", "paused").out


def test_d3_lists_name_an_answer_as_people_read_it(here: Place, run: Run) -> None:
    started(run, "ANSWERS-1")
    run("dispute", "ANSWERS-1", "--reason", "quality")
    said = run("list", "--stage", "disputed").out
    assert "dispute-received" in said and "~" not in said
    assert "~" not in run("customer", "C-ANSWERS-1").out


def test_preview_tells_everything_and_keeps_nothing(run: Run) -> None:
    file = a_file(an_item("PRE-1", issued_on="2026-12-01", due_on="2026-12-11"), an_item("PRE-2", currency="EURO"))
    said = run("preview", file, "--as-of", "2026-12-01", "--json")
    assert said.code == 1
    (shown,) = said.json["invoices"]
    assert (shown["time_zone"], shown["window"]) == ("Europe/Berlin", "09:00-17:00")
    assert [step["step"] for step in shown["steps"]][:3] == ["first-reminder", "second-reminder", "restrict"]
    assert shown["steps"][0]["local"] == "2026-12-14T10:00:00+01:00"
    assert any("New Year" in day for step in shown["steps"] for day in step["closed"])
    assert said.json["refused"][0]["field"] == "currency"
    readable = run("preview", file, "--as-of", "2026-12-01")
    assert "Mon 14 Dec 2026 10:00 CET" in readable.out
    assert "line 2 (invoice 2026/0001 of Lindenhof Maschinenbau GmbH): currency" in readable.err
    assert not list(Path().rglob("*.sqlite"))


def test_preview_says_that_an_invoice_has_a_case_and_what_looks_like_a_slip(here: Place, run: Run) -> None:
    file = a_file(an_item("PRE-1"), an_item("PRE-2", due_on="2058-01-01"))
    assert "has a case already" not in run("preview", file).out
    assert "PRE-2: due_on: 2058-01-01 is more than 10 years away: is it a slip?" in run("start", file).err
    run("pay", "PRE-1", "10.00", "--payment-id", "p1")
    said = " ".join(run("preview", file).out.split())
    assert "this invoice has a case already (scheduled, 10.00 EUR paid): the preview is that of a new one" in said
    assert "more than 10 years away" in said


def test_c6_c8_preview_tells_the_language_the_way_to_pay_and_what_is_announced(
    here: Place, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = a_file(an_item("PRE-3", customer__language="hu", payment_url=None))
    assert "language: no messages are in 'hu': in 'en' instead" in run("preview", file).out
    assert "no payment_url: messages ask for a bank transfer by the bank details on the invoice" in (
        run("preview", file).out
    )
    monkeypatch.setenv("SENDER_IBAN_EUR", "DE89370400440532013000")
    said = run("preview", file, "--json").json["invoices"][0]
    ways = [note for note in said["notes"] if note.endswith("to our account DE89 3704 0044 0532 0130 00")]
    assert len(ways) == 1
    assert [step["step"] for step in said["steps"] if "restrict" in step["announces"]] == ["second-reminder"]
    assert "announces restrict" in run("preview", file).out.replace("\n", " ")


def test_a14_preview_begins_where_the_record_left_the_invoice(run: Run) -> None:
    days = {"issued_on": "2026-12-01", "due_on": "2026-12-11"}
    file = a_file(
        an_item("PART-1", amount="1200.00", paid="400", reminded="first-reminder=2026-12-14", **days),
        an_item("WHOLE-1", amount="1200.00", paid="1199.80", **days),
        an_item("OVER-1", amount="1200.00", paid="1500", **days),
        an_item("NONE-1", amount="1200.00", **days),
    )
    said = run("preview", file, "--as-of", "2026-12-16")
    assert "PART-1: 800.00 of 1200.00 EUR open, due 2026-12-11" in said.out
    assert "WHOLE-1: wholly paid (1199.80 of 1200.00 EUR, 0.20 waived), due" in said.out
    assert "OVER-1: wholly paid (1500.00 of 1200.00 EUR, 300.00 too much), due" in said.out
    assert "NONE-1: 1200.00 EUR due" in said.out
    assert said.out.count("Nothing would happen: its case ends at once, as paid.") == 2
    part, whole, over, none = run("preview", file, "--as-of", "2026-12-16", "--json").json["invoices"]
    assert [(one["paid"], one["amount_due"], one["credit"]) for one in (part, whole, over, none)] == [
        ("400.00", "800.00", "0.00"),
        ("1199.80", "0.00", "0.00"),
        ("1500.00", "0.00", "300.00"),
        ("0.00", "1200.00", "0.00"),
    ]
    assert part["steps"][0]["step"] == "second-reminder"
    assert (whole["steps"], over["steps"]) == ([], [])


def test_a14_preview_refuses_a_step_that_the_ladder_has_not(run: Run) -> None:
    said = run("preview", a_file(an_item("STEP-1", reminded="no-such-step=2026-12-14")))
    assert (said.code, said.out) == (1, "")
    assert "'no-such-step' is no step of the ladder" in said.err


def test_a14_an_invoice_that_comes_wholly_paid_says_so(here: Place, run: Run) -> None:
    file = a_file(an_item("CAME-1", paid="1200.00"), an_item("CAME-2", paid="400.00"))
    for first in ("1 started, 0 already running", "0 started, 1 already running"):
        said = run("start", file)
        assert said.out.splitlines()[-1] == f"{first}, 0 already ended, 1 wholly paid before, 0 refused"
    assert run("status", "CAME-1").out.startswith("CAME-1: paid")
    assert "800.00 EUR" in run("status", "CAME-2").out


def test_c6_a_language_without_messages_is_told_when_cases_start(here: Place, run: Run) -> None:
    items = [an_item(f"LANG-{n}", customer__id=f"CL-{n}", customer__language="hu") for n in range(7)]
    said = run("start", a_file(*items, an_item("LANG-EN", customer__id="CL-EN", customer__language="en-GB")))
    assert said.code == 0
    assert said.err.replace("\n", " ").count("no messages are in 'hu': in 'en' instead") == 1
    assert "for CL-0, CL-1, CL-2, CL-3, CL-4 and 2 more" in said.err.replace("\n", " ")


def test_policy_check(run: Run) -> None:
    shipped = Path(starter.__file__).parent / "policies" / "gentle-saas.toml"
    assert run("policy", "check", str(shipped)).out.startswith("ok: gentle-saas@2, 5 steps\nstart: takes it")
    Path("broken.toml").write_text('name = "other"\nversion = "x"\n')
    said = run("policy", "check", "broken.toml")
    assert (said.code, said.out) == (1, "")
    assert said.err.count("broken.toml: ") >= 2
    assert run("policy", "check", "broken.toml", "--json").json["ok"] is False


def test_e7_policy_check_says_what_start_would(here: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = Path(starter.__file__).parent / "policies" / "gentle-saas.toml"
    run("start", a_file(an_item("CHECK-1")))
    assert "start: takes it, and cases go by this version already" in run("policy", "check", str(shipped)).out
    Path("policies").mkdir()
    edited = Path("policies/gentle-saas.toml")
    edited.write_text(shipped.read_text().replace("+ 14 days", "+ 15 days"))
    said = run("policy", "check", str(edited))
    assert (said.code, said.out) == (1, "")
    assert "policies/gentle-saas.toml differs from version 2 that is in use: raise its version to 3" in said.err
    problems = run("policy", "check", str(edited), "--json").json["problems"]
    assert "raise its version to 3" in problems[0]["reason"]
    edited.write_text(edited.read_text().replace("version = 2", "version = 3"))
    assert "start: does not see it yet, for it lies elsewhere" in run("policy", "check", str(edited)).out
    monkeypatch.setattr(ladder_commands, "FOLDER", Path("policies"))
    assert "start: takes it, as a version that no case has yet" in run("policy", "check", str(edited)).out
    monkeypatch.setenv("DATABASE_URL", "sqlite:///none.sqlite")
    assert "there is no database here to compare it with" in run("policy", "check", str(edited)).out


def test_e13_preview_names_only_whom_the_invoice_has(run: Run) -> None:
    item = an_item("WHO-1", issued_on="2026-12-01", due_on="2026-12-11")
    file = a_file(item)
    said = run("preview", file, "--as-of", "2026-12-01")
    assert "reminder-first to accounts_payable by email;" in said.out.replace("\n", "")
    assert "user" not in said.out and "sms" not in said.out and "manager by" not in said.out
    first = run("preview", file, "--as-of", "2026-12-01", "--json").json["invoices"][0]["steps"][0]
    assert (first["to"], first["by"], first["copies"]) == (["accounts_payable"], ["email"], ["account_manager"])


# When something is missing -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(("start", "missing.jsonl"), "missing.jsonl: cannot be read", id="no file"),
        pytest.param(("start", "."), "cannot be read", id="a folder"),
        pytest.param(("start", "x", "--speed", "5"), "only go with --rehearse", id="speed alone"),
        pytest.param(("start", "x", "--rehearse", "--speed", "nan"), "between 1 and", id="no speed"),
        pytest.param(("start", "x", "--rehearse", "--as-of", "soon"), "is not a time", id="no time"),
        pytest.param(("plan", "X", "2027-01-01:5"), "DATE=AMOUNT", id="instalment"),
        pytest.param(("list", "--stage", "happy"), "happy", id="no stage"),
        pytest.param(("pay", "X", "5.00"), "--payment-id", id="no payment id"),
        pytest.param(("pya",), "pya", id="no command"),
    ],
)
def test_a_wrong_command_line_is_one_clear_error(run: Run, arguments: tuple[str, ...], reason: str) -> None:
    said = run(*arguments)
    assert (said.code, said.out) == (2, "")
    assert reason in said.err
    assert "Traceback" not in said.err


def test_no_database_no_server(here: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    started(run, "AWAY-1")
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    said = run("start", a_file(an_item("AWAY-2")))
    assert (said.code, said.out) == (2, "")
    assert "No Temporal server answers" in said.err
    copy = run("status", "AWAY-1", "--json")
    assert (copy.code, copy.json["stage"]) == (0, "scheduled")
    assert "the server did not answer: this is the database's copy" in copy.err
    monkeypatch.setenv("DATABASE_URL", "sqlite:///nowhere/dunwell.sqlite")
    said = run("list")
    assert (said.code, said.out) == (2, "")
    assert "is not set up" in said.err
    assert not Path("nowhere/dunwell.sqlite").exists()
    monkeypatch.setenv("DATABASE_URL", "mysql://root:hunter2@db/x")
    said = run("list")
    assert (said.code, "hunter2" in said.err) == (2, False)


def test_a_fault_of_the_program_tells_no_secret(here: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("hunter2")

    monkeypatch.setattr(stored_cases, "rows", fail)
    said = run("list")
    assert said.code == 2
    assert said.err.startswith("Unexpected KeyError at test_starter.py:")
    assert "hunter2" not in said.err


@pytest.fixture
async def unattended(server: DevServer, monkeypatch: pytest.MonkeyPatch) -> tuple[Cases, Registrar, Client, Database]:
    """The same server with a queue that no worker looks at."""
    monkeypatch.setattr(starting, "TASK_QUEUE", "nobody")
    database = Database("sqlite:///unattended.sqlite")
    migrate(database)
    client = await connect(Settings(temporal_address=server.address))
    patience = Patience(answer=timedelta(seconds=0.5), server=timedelta(seconds=0.5))
    return Cases(client, database, patience), Registrar(sample_deps(database), the_ladders()), client, database


async def test_without_a_worker_money_arrives_and_others_hear_the_truth(
    unattended: tuple[Cases, Registrar, Client, Database],
) -> None:
    talk, registrar, client, _ = unattended
    invoice = an_invoice(invoice_id="ALONE-1", issued_on=ISSUED, due_on=DUE)
    assert await talk.start(registrar.register(invoice, datetime.now(UTC))) is starting.Start.STARTED
    payment = {"payment_id": "p1", "amount": "5.00", "currency": "EUR"}
    assert (await talk.tell("ALONE-1", "payment_received", payment)).how is TellOutcome.SENT
    assert (await talk.tell("ALONE-1", "pause", {"reason": "x", "by": "kim"}, wait=False)).how is TellOutcome.SENT
    with pytest.raises(NoAnswer, match=r"not done yet.*start a worker.*request req-1"):
        await talk.tell("ALONE-1", "resume", {"by": "kim"}, request_id="req-1")
    known = await talk.status("ALONE-1")
    assert (known.status.invoice_id, known.copied) == ("ALONE-1", "no worker answered")
    history = await client.get_workflow_handle(workflow_id("ALONE-1")).fetch_history()
    signals = [event.workflow_execution_signaled_event_attributes.signal_name for event in history.events]
    # It may have been put first, in the queue that nobody looks at.
    assert [name for name in signals if name] == ["payment_received", "pause"]


async def test_money_starts_a_run_for_a_case_that_has_none(
    unattended: tuple[Cases, Registrar, Client, Database],
) -> None:
    talk, registrar, client, _ = unattended
    registrar.register(an_invoice(invoice_id="LOST-1", issued_on=ISSUED, due_on=DUE), datetime.now(UTC))
    with pytest.raises(Refused, match="its case has no run in Temporal"):
        await talk.tell("LOST-1", "resume", {"by": "kim"})
    payment = {"payment_id": "p1", "amount": "5.00", "currency": "EUR"}
    assert (await talk.tell("LOST-1", "payment_received", payment)).how is TellOutcome.REOPENED
    running = await client.get_workflow_handle(workflow_id("LOST-1")).describe()
    assert running.status is WorkflowExecutionStatus.RUNNING


def test_a_reader_who_asked_by_mail_is_written_to_no_more(here: Place, run: Run) -> None:
    unknown = run("unsubscribe", "nope")
    assert (unknown.code, unknown.out) == (1, "")
    assert "refused: message: 'nope' is no e-mail of ours" in unknown.err
    database = Database(here.database_url)
    with database.writing() as session:
        invoice = an_invoice(invoice_id="STOP-1", customer=another_customer("stopper"))
        keep_customer(session, invoice.customer)
        stored_invoices.add_invoices(session, [(invoice, PolicyRef(name="gentle-saas", version=1))])
        message = MessageRow(
            message_id="ab" * 16,
            customer_id="stopper",
            step="first-reminder",
            message="reminder-first",
            channel="email",
            contact_id=invoice.customer.contacts[0].contact_id,
            address=invoice.customer.contacts[0].email,
            subject="",
            body="",
            asks=True,
            amount=invoice.amount,
            state="delivered",
            call="answered",
            planned_at=datetime.now(UTC),
            claimed_at=datetime.now(UTC),
        )
        outbox.add(session, message)
    assert run("unsubscribe", "ab" * 16).out.startswith("Stopped: no more e-mails go to this address")
    with database.reading() as session:
        address = str(invoice.customer.contacts[0].email)
        assert addresses.why_closed(session, Channel.EMAIL, address) == "stopped"
    database.close()


def a_waiting_letter(database: Database, invoice_id: str, message_id: str) -> None:
    """A letter of a running case that lies in the print folder."""
    with database.writing() as session:
        stored = stored_invoices.get_row(session, invoice_id)
        assert stored is not None
        contact = stored_invoices.get_customer(session, stored.customer_id).contacts[0]
        now = datetime.now(UTC)
        letter = MessageRow(
            message_id=message_id,
            customer_id=stored.customer_id,
            step="first-reminder",
            message="reminder-first",
            channel="letter",
            contact_id=contact.contact_id,
            address="Werkstr. 12\n10115 Berlin",
            subject="Invoice",
            body="",
            asks=True,
            amount=stored.amount,
            state="accepted",
            call="answered",
            planned_at=now,
            claimed_at=now,
            sent_at=now,
            provider="print-folder",
            provider_id=f"2027-03-02-{message_id}.pdf",
        )
        outbox.add(session, letter)
        outbox.link(session, letter, invoice_id, letter.step, warning=True)


def test_letters_wait_until_they_are_posted(here: Place, run: Run) -> None:
    database = Database(here.database_url)
    for number, invoice_id in enumerate(("MAIL-1", "MAIL-2"), 1):
        started(run, invoice_id)
        a_waiting_letter(database, invoice_id, f"{number}a" * 16)
    run("pause", "MAIL-2", "--reason", "hardship")
    first, second = run("letters", "--json").json
    assert first["file"].endswith(f".dunwell/letters/2027-03-02-{'1a' * 16}.pdf")
    assert (first["invoices"], first["to"]) == (["MAIL-1"], "Werkstr. 12\n10115 Berlin")
    assert (first["hold_back"], second["hold_back"]) == (None, "do not post: paused")
    assert "post it" in run("letters").out
    assert run("posted", "--all").out.strip() == "1 letter posted"
    (left,) = run("letters", "--json").json
    assert left["invoices"] == ["MAIL-2"]
    assert [one["state"] for one in run("outbox", "--invoice", "MAIL-1", "--json").json] == ["delivered"]
    assert run("posted", "1a" * 16).code == 0  # once more changes nothing
    assert run("posted", "--all").out.strip() == "0 letters posted"
    kinds = [line["kind"] for line in run("status", "MAIL-1", "--json").json["timeline"]]
    assert kinds.count("delivered") == 1
    database.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nope",), "'nope' is no letter in the outbox"),
        ((), "name the letters, or give --all"),
        (("nope", "--all"), "name the letters, or give --all"),
    ],
)
def test_only_a_letter_can_be_posted(here: Place, run: Run, arguments: tuple[str, ...], said: str) -> None:
    refused = run("posted", *arguments)
    assert refused.code != 0
    assert said in refused.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pay", "{}", "-500.00", "--payment-id", "p1"), "amount: '-500.00' is below zero: amounts have no sign"),
        (("pay", "{}", "-500,00", "--payment-id", "p1", "--no-wait"), "amount: '-500.00' is below zero"),
        (("pay", "{}", "1.200", "--payment-id", "p1"), "amount: '1.200' may be 1200.00 or 1.20: write one of these"),
        (("pay", "{}", "5.00", "--payment-id", "a|b"), "payment_id: 'a|b' must be the bank's or provider's id"),
        (
            ("amend", "{}", "--amount", "0"),
            "amount: '0' must be above zero: the case of an invoice that is no longer",
        ),
        (("promise", "{}", "soon"), "date: 'soon' is not a date: use YYYY-MM-DD"),
        (("resolve-dispute", "{}", "won"), "outcome: 'won' must be 'upheld', 'rejected' or 'adjusted'"),
        (("pause", "{}", "--reason", "ask ada@x.example"), "reason: 'ask ada@x.example' must be a short code"),
    ],
)
def test_e2_a_refused_value_is_shown_with_what_to_write(
    here: Place, run: Run, arguments: tuple[str, ...], said: str
) -> None:
    name = "WORDS-1"
    run("start", a_file(an_item(name)))
    refused = run(*(word.format(name) for word in arguments))
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith(f"refused: {said}")
    assert refused.err.count("\n") == 1


def test_e2_a_yen_has_no_cents_but_zeros_do_no_harm(here: Place, run: Run) -> None:
    run("start", a_file(an_item("YEN-1", currency="JPY", amount="2000.00", customer__country="XK")))
    assert "open    2000 JPY" in run("status", "YEN-1").out
    assert run("pay", "YEN-1", "1000.00", "--payment-id", "y1").code == 0
    assert "open    1000 JPY" in run("status", "YEN-1").out


def test_only_a_message_that_exists_can_be_settled_and_only_by_a_known_word(here: Place, run: Run) -> None:
    unknown = run("settle-message", "nope", "delivered")
    assert (unknown.code, unknown.err.strip()) == (
        1,
        "refused: message: 'nope' is not in the outbox; `starter.py outbox` shows every message",
    )
