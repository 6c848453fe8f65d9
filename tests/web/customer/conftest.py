"""The customer's page at work: two customers with messages that carry links, and an engine in this process."""

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from temporalio.client import Client

from dunwell.client.cases import Cases
from dunwell.client.payer_mail import PayerMail
from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.contact import Contact
from dunwell.domain.invoice import Customer, Invoice
from dunwell.domain.links import LinkKind, Scope
from dunwell.domain.terms import DebtorKind, MessageState, Role
from dunwell.domain.timeline import Entry
from dunwell.gateways.base import Envelope, MessageGateway, Receipt
from dunwell.services.dependencies import Dependencies
from dunwell.services.our_company import BankAccount, Letterhead
from dunwell.store import addresses, cases, invoice_documents, links, notes, outbox, timeline
from dunwell.store.database import Database
from dunwell.store.tables import Base
from dunwell.web.app import make_app
from dunwell.web.service import Keys, make_service
from tests.builders import sample_deps, the_ladders
from tests.services.conftest import ServiceHarness
from tests.web.conftest import CUSTOMER_LINKS, PUBLIC_URL
from tests.web.console.engine import Engine
from tests.web.console.town import advance

NOW = datetime(2027, 3, 24, 9, 30, tzinfo=UTC)
"""A Wednesday: the pages' time in these tests."""
OPENED = datetime(2027, 2, 1, 8, tzinfo=UTC)
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
RIBERA = Customer(
    customer_id="ribera",
    name="Estudio Ribera y Asociados, S.L.",
    country="ES",
    time_zone="Europe/Madrid",
    language="es",
    kind=DebtorKind.BUSINESS,
    contacts=(
        Contact(
            contact_id="ribera.accounts_payable.1",
            role=Role.ACCOUNTS_PAYABLE,
            name="Lucía Ferrer",
            email="lucia@ribera.example",
            phone="+34915550119",
        ),
    ),
)
PETROVA = Customer(
    customer_id="petrova",
    name="Елена Петрова",
    country="BG",
    time_zone="Europe/Sofia",
    language="bg",
    kind=DebtorKind.CONSUMER,
    contacts=(
        Contact(
            contact_id="petrova.accounts_payable.1",
            role=Role.ACCOUNTS_PAYABLE,
            name="Елена Петрова",
            email="elena@petrova.example",
            phone=None,
        ),
    ),
)


def _invoice(number: str, customer: Customer, amount: str, policy: str, due: date = date(2027, 3, 22)) -> Invoice:
    return Invoice(
        invoice_id=number,
        number=number.replace("-", "/"),
        customer=customer,
        amount=Decimal(amount),
        currency="EUR",
        digits=2,
        issued_on=date(2027, 2, 10),
        due_on=due,
        payment_url=f"https://pay.example/{number}",
        policy=policy,
    )


def settle(deps: Dependencies) -> None:
    """Fill the database: RIB-1 and RIB-2 were asked for in one message, RIB-3 in a later one, PET-1 of a consumer."""
    for invoice in (
        _invoice("RIB-1", RIBERA, "1200.00", "gentle-saas"),
        _invoice("RIB-2", RIBERA, "640.50", "gentle-saas"),
        _invoice("RIB-3", RIBERA, "80.00", "key-account", date(2027, 3, 1)),
        _invoice("PET-1", PETROVA, "1200.00", "consumer", date(2027, 3, 15)),
    ):
        harness = ServiceHarness(deps)
        harness.open(invoice, now=OPENED)
    for invoice_id in ("RIB-1", "RIB-2", "RIB-3", "PET-1"):
        with deps.database.reading() as session:
            case = cases.get(session, invoice_id)
        assert case is not None
        harness.case, harness.written, harness.copy = case, case.mark, None
        advance(harness, NOW)
    with deps.database.writing("ribera") as session:
        invoice_documents.put(session, "RIB-1", "RIB-1.pdf", PDF)


@dataclass
class House:
    """The service over these customers. `clock` may be set."""

    app: FastAPI
    engine: Engine
    database: Database
    deps: Dependencies
    http: httpx.AsyncClient = field(default_factory=httpx.AsyncClient)

    def message_about(self, invoice_id: str) -> str:
        """The id of the last e-mail about an invoice."""
        with self.database.reading() as session:
            return [one for one in outbox.of_invoice(session, invoice_id) if one.channel is Channel.EMAIL][
                -1
            ].message_id

    def link(self, invoice_id: str, *, only_see: bool = False) -> str:
        """The path of the link in the last e-mail about an invoice."""
        message_id = self.message_about(invoice_id)
        with self.database.reading() as session:
            row = outbox.get(session, message_id)
            assert row is not None
            customer_id, contact_id = row.customer_id, row.contact_id
        with self.database.writing(customer_id) as session:
            token = CUSTOMER_LINKS.issue(
                session, LinkKind.PAGE, customer_id, NOW, contact_id=contact_id, message_id=message_id
            )
            if only_see:
                for link in links.of_customer(session, customer_id):
                    link.scopes = [Scope.SEE.value]
        return f"/i/{token}"

    def case(self, invoice_id: str) -> Case:
        with self.database.reading() as session:
            case = cases.get(session, invoice_id)
        assert case is not None
        return case

    def timeline(self, invoice_id: str) -> list[Entry]:
        with self.database.reading() as session:
            return [entry for _, entry in timeline.read(session, invoice_id)]

    def notes(self, invoice_id: str) -> list[str]:
        with self.database.reading() as session:
            return [one.text for one in notes.of_invoice(session, invoice_id)]

    def told(self, name: str) -> list[tuple[str, Any]]:
        """Which cases were told this event, and with what."""
        return [(invoice_id, content) for invoice_id, event, content in self.engine.told if event == name]

    def pay(self, invoice_id: str, amount: str) -> None:
        content = {"payment_id": f"bank-{invoice_id}", "amount": amount, "currency": "EUR"}
        self.engine.apply(invoice_id, "payment_received", content)

    def closed(self, email: str) -> str | None:
        """Why an address gets no e-mails any more."""
        with self.database.reading() as session:
            row = addresses.find(session, Channel.EMAIL, email)
            return row.reason if row is not None else None

    def count(self, table: str) -> int:
        with self.database.reading() as session:
            return len(session.execute(select(Base.metadata.tables[table])).all())

    def everything(self) -> str:
        """All rows of the database."""
        with self.database.reading() as session:
            return str([session.execute(select(table)).all() for table in Base.metadata.sorted_tables])

    def mail_to_payers(self, at: datetime = NOW) -> list[Envelope]:
        """Have those written to who were named as payers, and return what left."""
        gateway = Postbox()
        gateways = {**self.deps.gateways, Channel.EMAIL: cast(MessageGateway, gateway)}
        deps = replace(self.deps, gateways=gateways)
        PayerMail(deps, lambda: at).send_due()
        return gateway.sent

    async def page(self, path: str, **headers: str) -> str:
        answer = await self.http.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def form_id(self, path: str) -> str:
        """The id of the forms of a page that is loaded now."""
        found = re.search(r'name="form_id" value="([0-9a-f]{32})"', await self.page(path))
        assert found is not None
        return found[1]

    async def send(self, path: str, act: str, /, form_id: str | None = None, **typed: Any) -> httpx.Response:
        """Load the page, fill in a form and send it. `file`: name and content."""
        fields = {"form_id": form_id or await self.form_id(path)} | typed
        file = fields.pop("file", None)
        files = {"file": file} if file else None
        return await self.http.post(f"{path}/{act}", data=fields, files=files)


@dataclass
class Postbox:
    """A provider that takes everything."""

    name: str = "postbox"
    sent: list[Envelope] = field(default_factory=list)

    def send(self, envelope: Envelope) -> Receipt:
        self.sent.append(envelope)
        return Receipt(self.name, f"p{len(self.sent)}", MessageState.ACCEPTED)


def house_on(database: Database) -> House:
    deps = _deps(database)
    engine = Engine(deps, lambda: NOW)
    client = cast(Client, engine)
    keys = Keys(public_url=PUBLIC_URL, hosts=frozenset({"dunning.example"}))
    app = make_app(make_service(client, deps, the_ladders(), Cases(client, database), keys))
    app.state.clock = lambda: NOW
    return House(app, engine, database, deps)


def _deps(database: Database) -> Dependencies:
    deps = sample_deps(database)
    account = BankAccount("DE89370400440532013000", "COBADEFFXXX")
    sender = replace(
        deps.sender, phone="+49 30 901820", account=account, privacy_url="https://dunwell.example/privacy"
    )
    return replace(
        deps, links=CUSTOMER_LINKS, sender=sender, letterhead=Letterhead(address=("Werkstraße 1", "10115 Berlin"))
    )


@pytest.fixture(scope="session")
def settled_file(blank_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with these customers, to be copied."""
    file = tmp_path_factory.mktemp("house") / "house.sqlite"
    shutil.copy(blank_file, file)
    database = Database(f"sqlite:///{file}")
    settle(_deps(database))
    database.close()
    return file


@asynccontextmanager
async def visiting(house: House) -> AsyncIterator[House]:
    transport = httpx.ASGITransport(app=house.app)
    headers = {"Sec-Fetch-Site": "same-origin"}
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL, headers=headers) as http:
        yield replace(house, http=http)


@pytest.fixture
async def house(settled_file: Path, tmp_path: Path) -> AsyncIterator[House]:
    shutil.copy(settled_file, tmp_path / "house.sqlite")
    database = Database(f"sqlite:///{tmp_path}/house.sqlite")
    async with visiting(house_on(database)) as found:
        yield found
    database.close()
