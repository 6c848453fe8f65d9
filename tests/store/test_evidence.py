"""The evidence of a case that has lived: nothing is missing, and the same case makes the same bytes."""

import json
import stat
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from dunwell.client.registration import Registrar
from dunwell.commands.evidence import evidence
from dunwell.domain.channels import Channel
from dunwell.domain.chronology import KINDS
from dunwell.domain.events import CreditApplied, PaymentReversed, parse_event
from dunwell.domain.evidence import VerifiedChain, chain, verify
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import Level
from dunwell.domain.timeline import entries_of
from dunwell.services import credits
from dunwell.store import accounts, addresses, cases, notes, payments, tasks, timeline
from dunwell.store.database import Database
from dunwell.store.evidence import collect
from dunwell.store.tables import MessageInvoiceRow, MessageRow, TaskRow
from dunwell.views.evidence import as_text, check, gather, write_new
from tests.builders import an_invoice, at, sample_deps, the_ladders

OPENED = at("2027-02-22 08:00")
BODY = "Liebe Frau Müller,\nbitte zahlen Sie 1200,00 EUR."


def lived(database: Database) -> None:
    """A case with one of everything that a case can have."""
    Registrar(sample_deps(database), the_ladders()).register(an_invoice(), OPENED)
    with database.writing("acme") as session:
        case = cases.get(session, "inv-1")
        assert case is not None

        def hears(name: str, when: str, **content: Any) -> None:
            event = parse_event(name, [content])
            said = case.apply(event, at(when))
            timeline.write(session, "inv-1", entries_of(said, f"{name}.{when}", at(when)))
            if name == "payment_received":
                payments.add_payment(session, "inv-1", event, at(when))  # type: ignore[arg-type]
            for reversal in case.money.reversals:
                payments.put_reversal(session, "inv-1", reversal, reversal.at)

        row = MessageRow(
            message_id="m-1",
            customer_id="acme",
            step="first-reminder",
            message="reminder-first",
            channel="email",
            contact_id="acme.accounts_payable.1",
            address="accounts_payable1@acme.example",
            subject="Rechnung 2027-001",
            body=BODY,
            html="<p>Liebe Frau Müller</p>",
            asks=True,
            amount=an_invoice().amount,
            state="bounced",
            reason="550",
            call="answered",
            called_at=at("2027-03-02 10:00"),
            planned_at=at("2027-03-02 09:00"),
            claimed_at=at("2027-03-02 10:00"),
            sent_at=at("2027-03-02 10:00"),
            settled_at=at("2027-03-02 10:05"),
            provider="SendGrid",
            provider_id="sg-77",
        )
        session.add(row)
        session.flush()
        session.add(
            MessageInvoiceRow(
                invoice_id="inv-1",
                step=row.step,
                contact_id=row.contact_id,
                channel=row.channel,
                message_id=row.message_id,
                warning=True,
            )
        )
        addresses.close(session, Channel.EMAIL, row.address, "bounced", at("2027-03-02 10:05"))
        notes.add(
            session,
            note_id="note-1",
            invoice_id="inv-1",
            author="agent-7",
            text="Called,\x1b[31m will pay",
            now=at("2027-03-03 09:00"),
        )
        hears("promise_to_pay", "2027-03-03 09:00", date="2027-03-10", promised_by="accounts_payable", ref="note-1")
        task = TaskRow(
            task_id="t-1",
            invoice_id="inv-1",
            step="first-reminder",
            kind="call",
            contact_id=None,
            due_at=at("2027-03-04 09:00"),
            reason="please call",
            script="Hello",
        )
        tasks.add(session, task)
        tasks.close_task(session, "t-1", "reached, by agent-7", at("2027-03-04 11:00"))
        accounts.place_hold(session, "acme", "inv-1", Level.RESTRICTED, "step restrict", at("2027-03-22 09:00"))
        (change,) = accounts.unpublished(session, "acme")
        accounts.mark_published(session, change.change_id, at("2027-03-22 09:01"))
        hears("payment_received", "2027-03-23 09:00", payment_id="p1", amount="900.00", currency="EUR")
        part = {"payment_id": "p1", "reason": "R01", "amount": "400.00", "reversal_id": "r1"}
        hears("payment_reversed", "2027-03-24 08:00", **part)
        hears("payment_reversed", "2027-03-24 09:00", payment_id="p1", reason="R01")
        hears("payment_received", "2027-03-25 09:00", payment_id="p2", amount="1250.00", currency="EUR")
        accounts.release_holds(session, "acme", "inv-1", "invoice inv-1 is paid", at("2027-03-25 09:00"))
        credits.follow(session, case, at("2027-03-25 09:00"))
        cases.put(session, case, rehearsal=False, now=at("2027-03-25 09:00"))


def used(database: Database) -> None:
    """Its credit of 50.00 is used: 20.00 pay another invoice and come back, 30.00 pay it, 15.00 are returned."""
    other = an_invoice(invoice_id="inv-2", number="2027-002")
    Registrar(sample_deps(database), the_ladders()).register(other, OPENED)
    with database.writing("acme") as session:
        for credit_id, amount, hour in (("credit-1", "20.00", 9), ("credit-2", "30.00", 11)):
            content = {"from_invoice": "inv-1", "currency": "EUR", "by": "agent-7"}
            event = parse_event("credit_applied", [content | {"credit_id": credit_id, "amount": amount}])
            assert isinstance(event, CreditApplied)
            credits.apply(session, "inv-2", event, at(f"2027-03-26 {hour:02}:00"))
            case = cases.get(session, "inv-2")
            assert case is not None
            case.apply(event, at(f"2027-03-26 {hour:02}:00"))
            if credit_id == "credit-1":
                taken_back = parse_event("payment_reversed", [{"payment_id": credit_id, "reason": "a slip"}])
                assert isinstance(taken_back, PaymentReversed)
                case.apply(taken_back, at("2027-03-26 10:00"))
                payments.put_reversal(session, "inv-2", case.money.reversals[-1], case.money.reversals[-1].at)
                credits.take_back(session, "inv-2", credit_id, at("2027-03-26 10:00"))
            cases.put(session, case, rehearsal=False, now=at(f"2027-03-26 {hour:02}:00"))
        credits.give_back(session, "inv-1", "credit-3", Decimal("15.00"), "EUR", "agent-8", at("2027-03-27 09:00"))


def evidence_of(database: Database) -> VerifiedChain:
    lived(database)
    used(database)
    return verify(gather(database, "inv-1"))


def the_only(verified: VerifiedChain, kind: str) -> Any:
    (record,) = [record for record in verified.records if record["kind"] == kind]
    return record["data"]


def test_everything_is_there_in_the_order_of_time(database: Database) -> None:
    verified = evidence_of(database)
    kinds = [record["kind"] for record in verified.records]
    assert set(kinds) == {"header", *KINDS, "end"}
    assert (kinds[0], kinds[-1]) == ("header", "end")
    times = [record["at"] for record in verified.records[1:]]
    assert times == sorted(times)


def test_the_header_names_invoice_customer_and_ladder(database: Database) -> None:
    header = the_only(evidence_of(database), "header")
    assert (header["number"], header["amount"], header["due_on"]) == ("2027-001", "1200.00", "2027-03-01")
    assert header["customer"]["name"] == "Acme GmbH"
    (policy,) = header["policies"]
    assert policy["policy"] == "gentle-saas@2"
    assert [step["id"] for step in policy["body"]["steps"]][:2] == ["first-reminder", "second-reminder"]
    body = json.dumps(policy["body"], sort_keys=True)
    assert policy["digest"] == sha256(body.encode()).hexdigest()


def test_a_message_is_there_to_the_letter(database: Database) -> None:
    message = the_only(evidence_of(database), "message")
    assert (message["body"], message["body_sha256"]) == (BODY, sha256(BODY.encode()).hexdigest())
    assert message["to"] == "accounts_payable1@acme.example"
    assert message["subject"] == "Rechnung 2027-001"
    assert (message["state"], message["reason"]) == ("bounced", "550")
    assert (message["provider"], message["provider_id"]) == ("SendGrid", "sg-77")
    assert message["settled_at"] == "2027-03-02T10:05:00+00:00"
    assert message["carries"] == [
        {"invoice_id": "inv-1", "step": "first-reminder", "warning": True, "claimed": None, "claim_until": None}
    ]


def test_money_promises_calls_and_access_are_there(database: Database) -> None:
    verified = evidence_of(database)
    payments = [record["data"] for record in verified.records if record["kind"] == "payment"]
    assert [(one["payment_id"], one["amount"]) for one in payments] == [("p1", "900.00"), ("p2", "1250.00")]
    reversals = [record["data"] for record in verified.records if record["kind"] == "reversal"]
    told = [(one["payment_id"], one["amount"], one["reversal"], one["reason"]) for one in reversals]
    assert told == [("p1", "400.00", "r1", "R01"), ("p1", "500.00", "~rest", "R01")]
    assert the_only(verified, "credit")["amount"] == "5.00"
    promise = the_only(verified, "promise")
    assert (promise["date"], promise["amount"], promise["state"]) == ("2027-03-10", "1200.00", "kept")
    assert promise["made_at"] == "2027-03-03T09:00:00+00:00"
    calls = [record["data"] for record in verified.records if record["kind"] == "task"]
    assert [one["outcome"] for one in calls if one["kind"] == "call"] == ["reached, by agent-7"]
    changes = [record["data"] for record in verified.records if record["kind"] == "access"]
    assert [(one["access"], one["published_at"]) for one in changes] == [
        ("restricted", "2027-03-22T09:01:00+00:00"),
        ("full", None),
    ]
    assert the_only(verified, "standing")["stage"] == "paid"


def amounts(verified: VerifiedChain, kind: str) -> Decimal:
    return sum((Decimal(one["data"]["amount"]) for one in verified.records if one["kind"] == kind), Decimal(0))


def test_a11_the_amounts_add_up_where_credit_was_used(database: Database) -> None:
    giver = evidence_of(database)
    taker = verify(gather(database, "inv-2"))
    for verified in (giver, taker):
        stands = {name: Decimal(value) for name, value in the_only(verified, "standing").items() if name in _MONEY}
        assert amounts(verified, "payment") - amounts(verified, "reversal") == stands["paid"]
        assert amounts(verified, "credit_used") - amounts(verified, "credit_undone") == stands["credit_used"]
        assert amounts(verified, "credit") == stands["credit"]
        given = stands["amount"] + stands["beside_principal"] + stands["credit"] + stands["credit_used"]
        assert given == sum(stands[name] for name in ("paid", "open", "waived", "written_off", "uncovered"))
    assert the_only(giver, "standing")["credit_used"] == "45.00"
    assert the_only(taker, "standing")["open"] == "1170.00"


_MONEY = frozenset(
    {"amount", "beside_principal", "paid", "open", "waived", "written_off", "credit", "credit_used", "uncovered"}
)


def test_a11_credit_that_was_used_is_told_on_both_sides(database: Database) -> None:
    giver = as_text(evidence_of(database))
    for line in (
        "2027-03-26 09:00  credit_used     20.00 EUR of the credit applied to invoice inv-2, by agent-7 (credit-1)",
        "2027-03-26 10:00  credit_undone   20.00 EUR came back from invoice inv-2: credit again (credit-1)",
        "2027-03-27 09:00  credit_used     15.00 EUR of the credit returned to the customer, by agent-8 (credit-3)",
        "2027-03-27 09:00  credit          5.00 EUR paid too much, neither applied nor returned",
    ):
        assert line in giver
    taker = as_text(verify(gather(database, "inv-2")))
    assert "payment         30.00 EUR of the credit of invoice inv-1, applied by agent-7 (credit-2)" in taker


@pytest.mark.parametrize(("event", "name"), [("write_off", "written_off"), ("payment_received", "waived")])
def test_a11_what_was_given_up_adds_up_as_well(database: Database, event: str, name: str) -> None:
    Registrar(sample_deps(database), the_ladders()).register(an_invoice(), OPENED)
    contents = {
        "write_off": {"reason": "hardship", "by": "agent-7"},
        "payment_received": {"payment_id": "p1", "amount": "1199.80", "currency": "EUR"},
    }
    with database.writing("acme") as session:
        case = cases.get(session, "inv-1")
        assert case is not None
        case.apply(parse_event(event, [contents[event]]), OPENED)
        cases.put(session, case, rehearsal=False, now=OPENED)
    stands = the_only(verify(gather(database, "inv-1")), "standing")
    assert stands["open"] == "0.00"
    assert Decimal(stands["paid"]) + Decimal(stands[name]) == Decimal(stands["amount"])


def test_a_running_plan_is_there(database: Database) -> None:
    Registrar(sample_deps(database), the_ladders()).register(an_invoice(), OPENED)
    plan = {"instalments": [{"date": "2027-03-20", "amount": "1200.00"}], "by": "agent-7"}
    with database.writing("acme") as session:
        case = cases.get(session, "inv-1")
        assert case is not None
        case.apply(parse_event("payment_plan_agreed", [plan]), OPENED)
        cases.put(session, case, rehearsal=True, now=OPENED)
    verified = verify(gather(database, "inv-1"))
    standing = the_only(verified, "standing")
    assert (standing["stage"], standing["plan"]["instalments"]) == ("plan", plan["instalments"])
    assert "A REHEARSAL" in as_text(verified)


def test_the_same_case_makes_the_same_bytes(database: Database) -> None:
    lived(database)
    assert gather(database, "inv-1") == gather(database, "inv-1")


def test_yen_have_no_cents(database: Database) -> None:
    invoice = an_invoice(currency="JPY", digits=0, amount=an_invoice().amount.to_integral_value())
    Registrar(sample_deps(database), the_ladders()).register(invoice, OPENED)
    assert the_only(verify(gather(database, "inv-1")), "header")["amount"] == "1200"


def test_a_person_can_read_it(database: Database) -> None:
    text = as_text(evidence_of(database))
    assert "Invoice 2027-001 (inv-1) of Acme GmbH (acme)" in text
    assert "2027-03-02 10:00  message         reminder-first by email to Accounts_Payable Person" in text
    assert "came back at 2027-03-02 10:05 (550); SendGrid sg-77" in text
    assert "account restricted (step restrict); published at 2027-03-22 09:01" in text
    assert "\x1b" not in text  # a note cannot steer the reader's terminal


def test_an_unknown_case_is_refused(database: Database) -> None:
    with pytest.raises(Refused, match="'inv-9' is not registered"):
        gather(database, "inv-9")


def test_an_invoice_without_a_case_is_refused(database: Database) -> None:
    with database.writing() as session, pytest.raises(LookupError, match="has no case"):
        collect(session, "inv-1")


# Files ---------------------------------------------------------------------------------------------------


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Any]:
    """The command, on this database."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)  # away from a .env of the developer
    app = typer.Typer()
    app.command()(evidence)
    return lambda *arguments: CliRunner().invoke(app, [str(one) for one in arguments])


def test_a_file_is_written_for_its_owner_checked_and_read(
    run: Callable[..., Any], database: Database, tmp_path: Path
) -> None:
    lived(database)
    path = tmp_path / "inv-1.jsonl"
    head = verify(gather(database, "inv-1")).head
    written = run("inv-1", "--out", path)
    assert (written.exit_code, head in written.stdout) == (0, True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    checked = run("--verify", path)
    assert (checked.exit_code, checked.stdout) == (0, f"ok: {len(check(path).records)} records, chain head {head}\n")
    assert "Acme GmbH" in run("--verify", path, "--text").stdout
    assert run("inv-1").stdout.encode() == path.read_bytes()
    assert run("inv-1", "--text").stdout == run("--verify", path, "--text").stdout


def test_a_changed_file_is_refused(run: Callable[..., Any], database: Database, tmp_path: Path) -> None:
    lived(database)
    path = tmp_path / "inv-1.jsonl"
    path.write_bytes(gather(database, "inv-1").replace(b"900.00", b"100.00", 1))
    result = run("--verify", path)
    assert isinstance(result.exception, Refused)
    assert "was changed" in str(result.exception)


@pytest.mark.parametrize("arguments", [(), ("inv-1", "--verify", "x"), ("--verify", "x", "--out", "y")])
def test_a_wrong_command_line_is_refused(run: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_no_file_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "old.jsonl"
    path.write_bytes(b"old")
    with pytest.raises(Refused, match="is not written over"):
        write_new(path, b"new")
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize(("act", "reason"), [("write", "cannot be written"), ("read", "cannot be read")])
def test_a_missing_folder_is_said(tmp_path: Path, act: str, reason: str) -> None:
    path = tmp_path / "none" / "x.jsonl"
    with pytest.raises(Refused, match=reason):
        write_new(path, b"") if act == "write" else check(path)


def test_a_chain_of_something_else_is_no_text(database: Database) -> None:
    lived(database)
    with database.writing("acme") as session:
        header, _ = collect(session, "inv-1")
    strange = header.model_copy(update={"data": {"hello": "world"}, "at": header.at + timedelta(1)})
    with pytest.raises(Refused, match="not those of a case"):
        as_text(verify(chain(strange, [])))
