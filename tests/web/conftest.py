"""The web service without a port, its signing keys, and a Temporal that only remembers."""

import base64
import hashlib
import hmac
import json
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from twilio.request_validator import RequestValidator

from dunwell.client.cases import Cases
from dunwell.client.server import Patience
from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.invoice import Invoice
from dunwell.domain.money import Money
from dunwell.domain.policy import PolicyRef, PromiseRules, Reactions, Rules
from dunwell.domain.principals import Role as PrincipalRole
from dunwell.domain.terms import Role
from dunwell.gateways.lob import webhook as lob_events
from dunwell.gateways.opt_out_link import OptOutLinks
from dunwell.gateways.sendgrid.webhook import SIGNATURE_HEADER, TIMESTAMP_HEADER, public_key
from dunwell.services.links import Links
from dunwell.services.mail_reading import ReplyAddresses
from dunwell.store import addresses, cases, invoices, notes, outbox, replies, timeline
from dunwell.store.database import Database
from dunwell.store.tables import CaseRow, MessageRow, NoteRow, ReplyRow, TaskRow, WebhookEventRow
from dunwell.web.app import make_app
from dunwell.web.service import Keys, Service, make_service
from tests.builders import a_contact, a_customer, an_invoice, at, keep_customer, sample_deps, the_ladders
from tests.databases import opened
from tests.web.principals import give_keys, key_of

SENT = at("2027-03-02 09:00")
PHONE = "+4915112345678"
POST = "Werkstraße 12\n10115 Berlin"
TOKEN = key_of(PrincipalRole.ADMINISTRATOR)
"""An API key that may do everything."""
TWILIO_TOKEN = "token-of-twilio"
LOB_SECRET = "secret-of-lob"
STRIPE_SECRETS = ["whsec_of-stripe-as-it-is", "whsec_of-stripe-before-it-was-rolled"]
PAYMENT_SECRETS = ["secret-of-the-billing-system"]
MAIL_SECRET = "secret-of-the-inbound-mail"
PUBLIC_URL = "https://dunning.example"
REPLIES = ReplyAddresses("billing@northwind.example", "reply.northwind.example")
LINKS = OptOutLinks(PUBLIC_URL, ["a secret of some length"])
CUSTOMER_LINKS = Links(PUBLIC_URL, ["the secret of our customers' links"])
CUSTOMER = a_customer(contacts=(a_contact(phone=PHONE, post=POST), a_contact(Role.USER)))


def a_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def as_shown(key: ec.EllipticCurvePrivateKey) -> str:
    """The public key as SendGrid's settings page shows it."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


@dataclass
class FakeTemporal:
    """Temporal's client: remembers what was signalled. `away`: no server; `ended`: workflows that are over."""

    signals: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list)
    away: bool = False
    ended: set[str] = field(default_factory=set)

    @property
    def service_client(self) -> "FakeTemporal":
        return self

    @property
    def workflow_service(self) -> "FakeTemporal":
        return self

    async def describe_workflow_execution(self, _: Any) -> Any:
        raise RPCError("no workflow runs here", RPCStatusCode.NOT_FOUND, b"")

    async def check_health(self) -> bool:
        if self.away:
            raise RuntimeError("Connection failed: refused")  # what a client says that never had a connection
        return True

    def get_workflow_handle(self, workflow_id: str) -> "FakeHandle":
        return FakeHandle(self, workflow_id)


@dataclass
class FakeHandle:
    temporal: FakeTemporal
    id: str

    async def signal(self, name: str, content: Mapping[str, Any]) -> None:
        if self.temporal.away:
            raise RPCError("connection refused", RPCStatusCode.UNAVAILABLE, b"")
        if self.id in self.temporal.ended:
            raise RPCError("workflow execution already completed", RPCStatusCode.NOT_FOUND, b"")
        self.temporal.signals.append((self.id, name, content))

    async def query(self, *_: Any, **__: Any) -> Any:
        raise RPCError("no workflow runs here", RPCStatusCode.NOT_FOUND, b"")


@dataclass
class Site:
    """The service at work, and what came of it."""

    service: Service
    http: httpx.AsyncClient
    temporal: FakeTemporal
    key: ec.EllipticCurvePrivateKey

    # Sending to it

    async def sendgrid(
        self, body: object, key: ec.EllipticCurvePrivateKey | None = None, **headers: str | None
    ) -> httpx.Response:
        """Post a batch signed as SendGrid signs; `headers` replaces signature or timestamp, None leaves it out."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"timestamp": "1803978000", "signature": sign(key or self.key, "1803978000", raw)} | headers
        names = {"timestamp": TIMESTAMP_HEADER, "signature": SIGNATURE_HEADER}
        sent = {names[name]: value for name, value in given.items() if value is not None}
        return await self.http.post("/webhooks/sendgrid", content=raw, headers=sent)

    async def twilio(
        self, path: str, fields: dict[str, str], *, token: str = TWILIO_TOKEN, signed: bool = True
    ) -> httpx.Response:
        """Post a form signed as Twilio signs."""
        signature = RequestValidator(token).compute_signature(f"{PUBLIC_URL}/webhooks/twilio/{path}", fields)
        headers = {"X-Twilio-Signature": signature} if signed else {}
        return await self.http.post(f"/webhooks/twilio/{path}", data=fields, headers=headers)

    async def lob(self, event: object, *, secret: str = LOB_SECRET, **headers: str | None) -> httpx.Response:
        """Post an event signed as Lob signs; `headers` replaces signature or timestamp, None leaves it out."""
        raw = event if isinstance(event, bytes) else json.dumps(event).encode()
        stamp = headers.get("timestamp") or str(int(datetime.now(UTC).timestamp() * 1000))
        signature = hmac.new(secret.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
        given = {"timestamp": stamp, "signature": signature} | headers
        names = {"timestamp": lob_events.TIMESTAMP_HEADER, "signature": lob_events.SIGNATURE_HEADER}
        sent = {names[name]: value for name, value in given.items() if value is not None}
        return await self.http.post("/webhooks/lob", content=raw, headers=sent)

    async def status(self, sid: str, status: str, code: str = "") -> httpx.Response:
        return await self.twilio("status", {"MessageSid": sid, "MessageStatus": status, "ErrorCode": code})

    async def sms(self, text: str, sid: str = "SM1", **more: str) -> httpx.Response:
        fields = {"MessageSid": sid, "From": PHONE, "To": "+15005550006", "Body": text}
        return await self.twilio("inbound", fields | more)

    async def mail(
        self,
        text: str | bytes | None = None,
        *,
        files: Sequence[tuple[str, bytes]] = (),
        secret: str = MAIL_SECRET,
        **changes: Any,
    ) -> httpx.Response:
        """Post a mail as SendGrid's Inbound Parse does; `changes` replaces fields, None leaves one out."""
        fields = {
            "from": f"Ada <{CUSTOMER.contacts[0].email}>",
            "to": "billing@northwind.example",
            "subject": "Re: Invoice 1",
            "text": text,
            "headers": "Message-ID: <one@acme.example>\nMIME-Version: 1.0\n",
            "envelope": json.dumps({"to": ["billing@northwind.example"], "from": CUSTOMER.contacts[0].email}),
            "charsets": json.dumps({"to": "UTF-8", "text": "utf-8"}),
            "SPF": "pass",
            "dkim": "{@acme.example : pass}",
        } | changes
        sent: list[tuple[str, Any]] = [
            (name, (None, value if isinstance(value, bytes) else value.encode()))
            for name, value in fields.items()
            if value is not None
        ]
        sent += [(f"attachment{number}", file) for number, file in enumerate(files, 1)]
        return await self.http.post("/webhooks/sendgrid/inbound", files=sent, auth=("dunwell", secret))

    @property
    def client(self) -> Client:
        return cast(Client, self.temporal)

    async def bring(self) -> int:
        return await self.service.dispatcher.send_pending()

    # Preparing it

    def case(self, invoice: Invoice | None = None, *, rehearsal: bool = False, **state: Any) -> None:
        invoice, policy = invoice or an_invoice(customer=CUSTOMER), PolicyRef(name="gentle-saas", version=1)
        with self.database.writing() as session:
            keep_customer(session, invoice.customer)
            invoices.add_invoices(session, [(invoice, policy)])
            case = Case(
                invoice_id=invoice.invoice_id,
                customer_id=invoice.customer.customer_id,
                policy=policy,
                rules=Rules(promises=PromiseRules(), reactions=Reactions()),
                issued_on=invoice.issued_on,
                due_on=invoice.due_on,
                money=Money(currency=invoice.currency, digits=invoice.digits, amount=invoice.amount),
                **state,
            )
            cases.put(session, case, rehearsal=rehearsal, now=SENT)

    def message(
        self,
        message_id: str = "m1",
        *,
        channel: Channel = Channel.EMAIL,
        also: tuple[str, ...] = (),
        warning: bool = True,
        **changes: Any,
    ) -> None:
        contact = CUSTOMER.contacts[0]
        facts: dict[str, Any] = {
            "message_id": message_id,
            "customer_id": CUSTOMER.customer_id,
            "step": "first-reminder",
            "message": "reminder-first",
            "channel": channel.value,
            "contact_id": contact.contact_id,
            "address": contact.address(channel),
            "subject": "",
            "body": "",
            "asks": True,
            "amount": Decimal("1200.00"),
            "state": "accepted",
            "call": "answered",
            "planned_at": SENT,
            "claimed_at": SENT,
            "sent_at": SENT,
            "provider_id": f"SM{message_id}" if channel is Channel.SMS else f"sg-{message_id}",
        }
        with self.database.writing() as session:
            row = MessageRow(**facts | changes)
            outbox.add(session, row)
            for invoice_id in ("inv-1", *also):
                outbox.link(session, row, invoice_id, row.step, warning=warning)

    # What came of it

    @property
    def database(self) -> Database:
        return self.service.database

    def row(self, message_id: str = "m1") -> MessageRow:
        with self.database.reading() as session:
            row = outbox.get(session, message_id)
            assert row is not None
            return row

    def entries(self, invoice_id: str = "inv-1") -> list[tuple[str, str]]:
        with self.database.reading() as session:
            return [(entry.kind, entry.reason) for _, entry in timeline.read(session, invoice_id)]

    def kinds(self, invoice_id: str = "inv-1") -> list[str]:
        return [kind for kind, _ in self.entries(invoice_id)]

    def events(self) -> list[WebhookEventRow]:
        with self.database.reading() as session:
            return list(session.query(WebhookEventRow).order_by(WebhookEventRow.event_id))

    def closed(self, channel: Channel = Channel.EMAIL, address: str | None = None) -> str | None:
        place = address or CUSTOMER.contacts[0].address(channel)
        assert place is not None
        with self.database.reading() as session:
            return addresses.why_closed(session, channel, place)

    def tasks(self) -> list[TaskRow]:
        with self.database.reading() as session:
            return list(session.query(TaskRow).order_by(TaskRow.task_id))

    def notes(self, invoice_id: str = "inv-1") -> list[NoteRow]:
        with self.database.reading() as session:
            return list(notes.of_invoice(session, invoice_id))

    def replies(self) -> list[ReplyRow]:
        with self.database.reading() as session:
            return list(session.query(ReplyRow).order_by(ReplyRow.received_at))

    def resting(self) -> list[str]:
        """The replies because of which the customer rests."""
        with self.database.reading() as session:
            return [row.reply_id for row in replies.open_for(session, CUSTOMER.customer_id)]

    def case_row(self, invoice_id: str = "inv-1") -> CaseRow:
        with self.database.reading() as session:
            row = cases.get_row(session, invoice_id)
            assert row is not None
            return row


def sign(key: ec.EllipticCurvePrivateKey, timestamp: str, body: bytes) -> str:
    return base64.b64encode(key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()


def keys_for(key: ec.EllipticCurvePrivateKey) -> Keys:
    return Keys(
        webhooks={
            "sendgrid": public_key(as_shown(key)),
            "twilio/status": TWILIO_TOKEN,
            "twilio/inbound": TWILIO_TOKEN,
            "lob": LOB_SECRET,
            "stripe": STRIPE_SECRETS,
            "payments": PAYMENT_SECRETS,
            "sendgrid/inbound": [MAIL_SECRET, "the secret before it"],
        },
        public_url=PUBLIC_URL,
        hosts=frozenset({"inside.example"}),
    )


def serve(client: Client, database: Database, keys: Keys, patience: Patience | None = None) -> Service:
    """The service, with an API key of each role."""
    give_keys(database)
    deps = replace(sample_deps(database), opt_out=LINKS, links=CUSTOMER_LINKS, reply_addresses=REPLIES)
    return make_service(client, deps, the_ladders(), Cases(client, database, patience), keys)


def browse(service: Service) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=make_app(service))
    return httpx.AsyncClient(transport=transport, base_url="http://inside.example:8080")


@pytest.fixture
def file_database(blank_file: Path, tmp_path: Path) -> Iterator[Database]:
    shutil.copy(blank_file, tmp_path / "web.sqlite")
    database = opened(f"sqlite:///{tmp_path}/web.sqlite")
    yield database
    database.close()


@pytest.fixture
async def site(file_database: Database) -> AsyncIterator[Site]:
    """On an SQLite file, for rules that do not care which database keeps them."""
    async with site_on(file_database) as site:
        yield site


@pytest.fixture
async def each_site(database: Database) -> AsyncIterator[Site]:
    """On either kind of database."""
    async with site_on(database) as site:
        yield site


@asynccontextmanager
async def site_on(database: Database) -> AsyncIterator[Site]:
    key, temporal = a_key(), FakeTemporal()
    hurried = Patience(answer=timedelta(seconds=5), server=timedelta(0))
    service = serve(cast(Client, temporal), database, keys_for(key), hurried)
    async with browse(service) as http:
        yield Site(service, http, temporal, key)


def an_event(kind: str, **changes: Any) -> dict[str, Any]:
    """An event as SendGrid writes it."""
    return {
        "event": kind,
        "email": CUSTOMER.contacts[0].email,
        "timestamp": int(SENT.timestamp()) + 60,
        "sg_event_id": f"e-{kind}",
        "sg_message_id": "sg-1.filter",
        "message_id": "m1",
    } | changes
