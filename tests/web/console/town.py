"""Customers of a town for the console: a case in each stage, tasks of each kind, and what else waits for a clerk."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from dunwell.domain import next_action
from dunwell.domain.address import address_key
from dunwell.domain.channels import Channel
from dunwell.domain.contact import Contact
from dunwell.domain.incoming import Incoming, Source
from dunwell.domain.invoice import Customer, Invoice
from dunwell.domain.payment_reference import reference_for
from dunwell.domain.principals import SYSTEM
from dunwell.domain.reply_terms import FoundBy, ReplyChannel, ReplyKind, ReplyLine, ReplyProposal
from dunwell.domain.terms import DebtorKind, MessageState, Role
from dunwell.domain.timeline import Entry
from dunwell.services.dependencies import Dependencies
from dunwell.services.incoming_payments import IncomingPayments
from dunwell.services.request_models import RecordRequest
from dunwell.store import cases, outbox, provider_events, reconciliations, replies
from dunwell.store.tables import MessageRow, ReconciliationRow, ReplyCaseRow, ReplyFileRow, ReplyRow
from tests.services.conftest import ServiceHarness

NOW = datetime(2027, 3, 24, 9, 30, tzinfo=UTC)
"""A Wednesday: the console's time in tests and pictures."""
_OPENED = datetime(2027, 1, 4, 8, tzinfo=UTC)
_TRANSFERRED = datetime(2026, 11, 2, 12, tzinfo=UTC)  # payments are told by the real clock, which is earlier


def settle(deps: Dependencies, *, crowd: int = 0) -> None:
    """Fill the database. crowd: further invoices of one customer, each with its messages."""
    for make in _LIVES:
        make(deps)
    for number in range(crowd):
        _live(
            deps,
            _invoice(f"HAN-{number:03}", _HANSEN, 90 + number, due=date(2027, 2, 1) + timedelta(days=number % 50)),
        )
    _unknown_message(deps)
    _finding(deps)
    _money(deps)
    _replies(deps)


def _replies(deps: Dependencies) -> None:
    """A reply that promises a day, with a file; one that nobody knows the writer of; and one that a program sent."""
    wrote: dict[str, Any] = {
        "reply_id": "r-promise",
        "customer_id": "portoclaro",
        "contact_id": "portoclaro.accounts_payable.1",
        "found_by": FoundBy.ADDRESS,
        "kind": ReplyKind.PERSON,
        "why": "its address is a contact's",
        "sender": "accounts_payable@portoclaro.example",
        "sender_name": "Rafael Souza",
        "subject": "RES: Fatura POR/2027/004",
        "text": "Pagamos no dia 26 de março <b>com certeza</b>.",
        "whole": "Pagamos no dia 26 de março <b>com certeza</b>.\n\n> Fatura POR/2027/004",
        "mail_id": "<k1@portoclaro.example>",
        "verdicts": {"spf": "pass", "dkim": "{@elsewhere.example : pass}"},
        "proposals": [
            ReplyProposal(
                line=ReplyLine.PROMISE, words="Pagamos no dia 26 de março", day=date(2027, 3, 26)
            ).model_dump(mode="json")
        ],
    }
    nobody: dict[str, Any] = {
        "reply_id": "r-unknown",
        "kind": ReplyKind.UNKNOWN,
        "why": "no customer is known at its address",
        "sender": "someone@elsewhere.example",
        "text": "Which invoice do you mean?",
    }
    away: dict[str, Any] = {
        **wrote,
        "reply_id": "r-away",
        "kind": ReplyKind.AUTOMATIC,
        "why": "it is an out-of-office note",
        "text": "I am away until 1 April.",
        "proposals": [],
    }
    for number, given in enumerate((wrote, nobody, away)):
        _reply(deps, NOW - timedelta(hours=30 - number), given)


def _reply(deps: Dependencies, at: datetime, given: dict[str, Any]) -> None:
    row = ReplyRow(
        **{
            **dict.fromkeys(("customer_id", "contact_id", "found_by", "mail_id", "mail_references", "message_id")),
            **dict.fromkeys(("handled_at", "handled_by", "outcome")),
            **dict.fromkeys(("sender_name", "subject", "whole"), ""),
            "forwarded": False,
            "channel": ReplyChannel.EMAIL,
            "sender_key": address_key(Channel.EMAIL, given["sender"]),
            "verdicts": {},
            "proposals": [],
            "received_at": at,
            **given,
        }
    )
    rests = row.kind is ReplyKind.PERSON
    with deps.database.writing(row.customer_id) as session:
        known = provider_events.cases_of(session, [row.customer_id]) if rests and row.customer_id else []
        found = [
            ReplyCaseRow(reply_id=row.reply_id, invoice_id=one.invoice_id, customer_id=one.customer_id)
            for one in known
            if not cases.has_ended(one)
        ]
        file = ReplyFileRow(
            reply_id=row.reply_id,
            number=1,
            name=f"{row.reply_id}-1.pdf",
            given_name="../Beleg <1>.pdf",
            media_type="application/pdf",
            size=5,
            content=b"%PDF-",
        )
        replies.add(session, row, [file] if rests else [], found)


# Who lives there -----------------------------------------------------------------------------------------


def _person(customer: str, role: Role, name: str, **more: Any) -> Contact:
    facts = {"email": f"{role.value}@{customer}.example", "phone": None} | more
    return Contact(contact_id=f"{customer}.{role.value}.1", role=role, name=name, **facts)


def _customer(name: str, title: str, country: str, zone: str, *people: Contact, **more: Any) -> Customer:
    facts = {"language": "en", "kind": DebtorKind.BUSINESS} | more
    return Customer(customer_id=name, name=title, country=country, time_zone=zone, contacts=people, **facts)


_LINDENHOF = _customer(
    "lindenhof",
    "Lindenhof Maschinenbau GmbH",
    "DE",
    "Europe/Berlin",
    _person("lindenhof", Role.ACCOUNTS_PAYABLE, "Katrin Vogel", phone="+493023125418"),
    _person(
        "lindenhof", Role.EXECUTIVE, "Dr. Martin Seidel", phone="+493023125400", post="Werkstraße 12\n10115 Berlin"
    ),
    _person("lindenhof", Role.ACCOUNT_MANAGER, "Jonas Reuter"),
)
_BRIGHTWATER = _customer(
    "brightwater",
    "Brightwater Analytics Ltd",
    "GB",
    "Europe/London",
    _person("brightwater", Role.ACCOUNTS_PAYABLE, "Priya Nair", phone="+447700900417"),
    _person("brightwater", Role.USER, "Tom Eldridge"),
    _person("brightwater", Role.MANAGER, "Sarah Whitcombe", phone="+447700900418"),
    _person("brightwater", Role.ACCOUNT_MANAGER, "Helen Marsh"),
)
_RIBERA = _customer(
    "ribera",
    "Estudio Ribera y Asociados, S.L.",
    "ES",
    "Europe/Madrid",
    _person("ribera", Role.ACCOUNTS_PAYABLE, "Lucía Ferrer", phone="+34915550119", email="bounce@ribera.example"),
    _person("ribera", Role.MANAGER, "Andrés Molina", phone="+34915550120"),
    language="es",
)
_HANSEN = _customer(
    "hansen",
    "Hansen & Søn Byggevarer A/S",
    "DK",
    "Europe/Copenhagen",
    _person("hansen", Role.ACCOUNTS_PAYABLE, "Mette Hansen", phone="+4533123456"),
    _person("hansen", Role.EXECUTIVE, "Niels Hansen", phone="+4533123457"),
    _person("hansen", Role.ACCOUNT_MANAGER, "Helen Marsh"),
)
_PORTO = _customer(
    "portoclaro",
    "Porto Claro Logística Ltda.",
    "BR",
    "America/Sao_Paulo",
    _person("portoclaro", Role.ACCOUNTS_PAYABLE, "Rafael Souza", phone="+5511998765432"),
    _person("portoclaro", Role.MANAGER, "Beatriz Lima", phone="+5511998765433"),
    language="pt-BR",
)


def _invoice(
    number: str, customer: Customer, amount: float, due: date, policy: str = "gradual-pressure", **more: Any
) -> Invoice:
    facts = {"currency": "EUR", "digits": 2, "payment_url": f"https://pay.example/{number}"} | more
    return Invoice(
        invoice_id=number,
        number=number.replace("-", "/"),
        customer=customer,
        amount=Decimal(str(amount)).quantize(Decimal("0.01")),
        issued_on=due - timedelta(days=30),
        due_on=due,
        policy=policy,
        **facts,
    )


# How they live -------------------------------------------------------------------------------------------


def _live(deps: Dependencies, invoice: Invoice, until: datetime = NOW) -> ServiceHarness:
    harness = ServiceHarness(deps)
    harness.open(invoice, now=max(_OPENED, datetime.combine(invoice.issued_on, _OPENED.timetz())))
    advance(harness, until)
    return harness


def advance(harness: ServiceHarness, until: datetime) -> None:
    """Carry out what is due until then, as the workflow's loop does."""
    for _ in range(200):
        case = harness.case
        action = case.next_action
        if action is None or action.at > until or case.finished:
            return
        if action.step not in next_action.DATES:
            harness.carry_out(action.step, _text(action.at))
            continue
        due = {
            next_action.PROMISE_DUE: case.promise_due,
            next_action.INSTALMENT_DUE: case.instalment_due,
            next_action.PAUSE_OVER: case.pause_over,
        }.get(action.step, case.wait_over)
        said = due(action.at)
        harness.told += 1
        entries = [
            Entry(key=f"day.{harness.told}.{place}", at=action.at, kind=one.kind, reason=one.reason)
            for place, one in enumerate(said)
        ]
        request = RecordRequest.whole(
            case.model_copy(deep=True), now=action.at, entries=entries, written=harness.written
        )
        harness.take_over(harness.write(request, _text(action.at)))
    raise AssertionError(f"{harness.case.invoice_id} goes in circles")


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _tell(harness: ServiceHarness, name: str, when: str, /, **content: Any) -> ServiceHarness:
    advance(harness, datetime.fromisoformat(when).replace(tzinfo=UTC))
    harness.record(name, when, **content)
    advance(harness, NOW)
    return harness


def _scheduled(deps: Dependencies) -> None:
    _live(deps, _invoice("LIN-2027-020", _LINDENHOF, 640, date(2027, 4, 12)))


def _chasing(deps: Dependencies) -> None:
    _live(deps, _invoice("LIN-2027-007", _LINDENHOF, 18450.75, date(2027, 3, 8)))
    _live(deps, _invoice("HAN-2027-113", _HANSEN, 7420.4, date(2027, 3, 1), "key-account"))
    _live(deps, _invoice("RIB-2027-031", _RIBERA, 2750, date(2027, 3, 10)))
    _live(deps, _invoice("POR-2027-004", _PORTO, 5120, date(2027, 3, 3)))


def _promised(deps: Dependencies) -> None:
    harness = _live(deps, _invoice("BRI-2027-041", _BRIGHTWATER, 1200, date(2027, 3, 1), "gentle-saas"), _OPENED)
    _tell(
        harness, "promise_to_pay", "2027-03-22 10:15", date="2027-04-02", promised_by="accounts_payable", via="phone"
    )


def _plan(deps: Dependencies) -> None:
    harness = _live(deps, _invoice("HAN-2027-101", _HANSEN, 3000, date(2027, 2, 15)), _OPENED)
    rows = [{"date": "2027-04-05", "amount": "1500.00"}, {"date": "2027-05-03", "amount": "1500.00"}]
    _tell(harness, "payment_plan_agreed", "2027-03-08 13:00", instalments=rows, by="agent-3")


def _disputed(deps: Dependencies) -> None:
    harness = _live(deps, _invoice("RIB-2027-022", _RIBERA, 980, date(2027, 2, 22)), _OPENED)
    _tell(harness, "dispute_opened", "2027-03-04 09:00", reason="wrong-quantity", opened_by="accounts_payable")


def _paused(deps: Dependencies) -> None:
    harness = _live(deps, _invoice("BRI-2027-033", _BRIGHTWATER, 450, date(2027, 2, 24), "gentle-saas"), _OPENED)
    _tell(harness, "pause", "2027-03-09 12:00", reason="system-migration", by="agent-3", until="2027-04-15")


def _restricted(deps: Dependencies) -> None:
    _live(deps, _invoice("BRI-2027-015", _BRIGHTWATER, 2390, date(2027, 2, 15), "gentle-saas"))


def _legal(deps: Dependencies) -> None:
    _live(deps, _invoice("POR-2026-190", _PORTO, 22800, date(2026, 12, 1)))


def _ended(deps: Dependencies) -> None:
    harness = _live(deps, _invoice("LIN-2027-002", _LINDENHOF, 3300, date(2027, 2, 10)), _OPENED)
    _pay(harness, "2027-02-20 11:00", "3450.00", "bank-8841")
    harness = _live(deps, _invoice("HAN-2026-088", _HANSEN, 75, date(2027, 1, 20)), _OPENED)
    _tell(harness, "write_off", "2027-03-02 10:00", reason="small-balance", by="manager-1")
    harness = _live(deps, _invoice("RIB-2027-009", _RIBERA, 400, date(2027, 2, 5)), _OPENED)
    _tell(harness, "cancel", "2027-02-12 10:00", reason="duplicate", by="billing")


def _pay(harness: ServiceHarness, when: str, amount: str, payment_id: str) -> None:
    _tell(harness, "payment_received", when, payment_id=payment_id, amount=amount, currency="EUR", method="transfer")


_LIVES: tuple[Callable[[Dependencies], None], ...] = (
    _scheduled,
    _chasing,
    _promised,
    _plan,
    _disputed,
    _paused,
    _restricted,
    _legal,
    _ended,
)


# What else waits -----------------------------------------------------------------------------------------


def _unknown_message(deps: Dependencies) -> None:
    with deps.database.writing("portoclaro") as session:
        row: MessageRow = outbox.of_invoice(session, "POR-2027-004")[-1]
        row.state, row.reason = MessageState.UNKNOWN, "the call was begun and no answer came"


def _money(deps: Dependencies) -> None:
    """Money that came in: one payment that is likely somebody's, one that is nobody's, one that was booked."""
    facts: dict[str, Any] = {"source": Source.BANK, "currency": "EUR", "received_at": _TRANSFERRED}
    likely = Incoming(
        **facts,
        identity="likely",
        amount=Decimal("900.00"),
        texts=("Rechnung LIN-2027-007 Teilzahlung",),
        payer_name="LINDENHOF MASCHINENBAU",
        payer_iban="DE89370400440532013000",
    )
    nobody = Incoming(**facts, identity="nobody", amount=Decimal("42.00"), texts=("<b>thanks</b>",))
    booked = Incoming(**facts, identity="booked", amount=Decimal("10.00"), texts=(reference_for(["LIN-2027-020"]),))
    IncomingPayments(deps.database, unmatched_days=0).take([likely, nobody, booked], SYSTEM, NOW)


def _finding(deps: Dependencies) -> None:
    finding = {
        "kind": "failing",
        "invoice_id": "RIB-2027-031",
        "found": "its workflow tasks fail",
        "remedy": "look at its history in the Temporal UI",
        "subject": None,
        "mended": False,
        "failed": None,
    }
    with deps.database.writing() as session:
        session.add(
            ReconciliationRow(
                at=NOW, by=reconciliations.HOURLY, cases=14, differing=0, mended=False, findings=[finding]
            )
        )
