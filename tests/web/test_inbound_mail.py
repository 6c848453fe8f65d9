"""Mails that customers write to us: taken in once, told apart, and a person's mail makes its cases rest."""

import base64
import json
from typing import Any

import pytest

from dunwell.domain.links import LinkKind
from dunwell.services.replies import from_page
from dunwell.store import replies
from dunwell.store.tables import Base
from tests.builders import an_invoice
from tests.web.conftest import CUSTOMER, CUSTOMER_LINKS, SENT, Site

MAIL = CUSTOMER.contacts[0].email
OURS = "0123456789abcdef0123456789abcdef"
HEADERS = "Message-ID: <one@acme.example>\n"
FROM_BEA: dict[str, Any] = {"from": "Bea <bea@elsewhere.example>"}
PDF = b"%PDF-1.7\n...\n%%EOF\n"


async def test_a_mail_is_kept_once_and_every_open_case_is_told(each_site: Site) -> None:
    site = each_site
    site.case()
    site.case(an_invoice(invoice_id="inv-2", customer=CUSTOMER))
    site.case(an_invoice(invoice_id="inv-3", customer=CUSTOMER), ended="paid")
    said = (
        "Ya pagué ayer.\n\nEl lun, 1 mar 2027 a las 10:00, Ana (<billing@northwind.example>) escribió:\n> Debe 1200\n"
    )
    for _ in range(2):
        answer = await site.mail(said, files=[("../comprobante.pdf", PDF)])
        assert answer.status_code == 200
    (reply,) = site.replies()
    assert (reply.kind, reply.found_by, reply.customer_id, reply.text) == (
        "person",
        "address",
        "acme",
        "Ya pagué ayer.",
    )
    assert reply.whole == said.strip()
    assert (reply.sender, reply.subject, reply.mail_id) == (MAIL, "Re: Invoice 1", "<one@acme.example>")
    assert [(one["line"], one["words"]) for one in reply.proposals] == [("paid", "Ya pagué ayer")]
    assert reply.verdicts == {"spf": "pass", "dkim": "{@acme.example : pass}"}
    assert site.resting() == [reply.reply_id]
    assert await site.bring() == 1
    told = {(workflow, name) for workflow, name, _ in site.temporal.signals}
    assert told == {("invoice-inv-1", "reply_received"), ("invoice-inv-2", "reply_received")}


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        pytest.param(None, 403, id="no password"),
        pytest.param("Basic " + base64.b64encode(b"dunwell:another").decode(), 403, id="another"),
        pytest.param("Basic " + base64.b64encode(b"dunwell:").decode(), 403, id="an empty one"),
        pytest.param("Basic ###", 403, id="no base64"),
        pytest.param("Bearer secret-of-the-inbound-mail", 403, id="no basic authentication"),
        pytest.param("Basic " + base64.b64encode(b"x:the secret before it").decode(), 400, id="the former secret"),
    ],
)
async def test_the_password_is_checked_before_the_body_is_read(
    site: Site, authorization: str | None, status: int
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    for body in (b"no form", b"x" * 2_000_000):
        answer = await site.http.post("/webhooks/sendgrid/inbound", content=body, headers=headers)
        assert answer.status_code == status
    assert site.replies() == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"headers": HEADERS + "Auto-Submitted: auto-replied\n"}, "Auto-Submitted: auto-replied"),
        ({"headers": HEADERS + "Precedence: bulk\n"}, "Precedence: bulk"),
        ({"headers": HEADERS + "X-Autoreply: yes\n"}, "it has the header x-autoreply"),
        ({"headers": HEADERS + "List-Id: News <news.acme.example>\n"}, "it has the header list-id"),
        ({"envelope": '{"to":["a@b.example"],"from":""}'}, "its return path is empty"),
        ({"from": "No Reply <no-reply@acme.example>"}, "its sender takes no replies"),
        ({"from": "billing@northwind.example"}, "it is a mail of our own"),
        ({"subject": "Automatische Antwort: Rechnung 1"}, "its subject says so"),
        ({"subject": "Respuesta automática: Factura"}, "its subject says so"),
        ({"subject": "Автоматичен отговор: Фактура"}, "its subject says so"),
        ({"subject": "Re: Automatic reply: Invoice"}, None),  # a person answers one
        ({"headers": HEADERS + "Auto-Submitted: no\n"}, None),
    ],
)
async def test_only_a_persons_mail_makes_cases_rest(site: Site, changes: dict[str, Any], why: str | None) -> None:
    site.case()
    await site.mail("Back on Monday", **changes)
    (reply,) = site.replies()
    if why is None:
        assert (reply.kind, len(site.resting())) == ("person", 1)
    else:
        assert (reply.kind, reply.why, site.resting()) == ("automatic", why, [])
        assert await site.bring() == 0


async def test_of_an_out_of_office_note_the_last_day_is_proposed(site: Site) -> None:
    site.case()
    await site.mail(
        "I am out of the office until 2030-01-15. We will pay on Friday.", subject="Automatic reply: Invoice"
    )
    (reply,) = site.replies()
    assert [one["line"] for one in reply.proposals] == ["out-of-office"]
    assert (reply.kind, site.resting()) == ("automatic", [])


async def test_a_thread_names_the_customer_whoever_writes(site: Site) -> None:
    site.case()
    site.message(OURS)
    headers = HEADERS + f"In-Reply-To: <{OURS}@northwind.example>\n"
    await site.mail("I am the new accountant", headers=headers, **FROM_BEA)
    (reply,) = site.replies()
    assert (reply.found_by, reply.message_id, reply.forwarded) == ("thread", OURS, True)
    assert (reply.customer_id, reply.sender_name) == ("acme", "Bea")
    assert site.resting() == [reply.reply_id]


async def test_the_reply_address_of_a_message_names_its_customer(each_site: Site) -> None:
    site = each_site
    site.case()
    site.message(OURS)
    with site.database.writing(CUSTOMER.customer_id) as session:
        contact = CUSTOMER.contacts[0].contact_id
        token = CUSTOMER_LINKS.issue(
            session, LinkKind.REPLY, CUSTOMER.customer_id, SENT, contact_id=contact, message_id=OURS
        )
    address = f"Reply+{token.upper()}@reply.northwind.example"  # mail systems may change case
    assert token == token.lower()
    envelope = json.dumps({"to": [address], "from": "bea@elsewhere.example"})
    await site.mail("I pay these invoices now", envelope=envelope, **FROM_BEA)
    await site.mail("Out of order", envelope=envelope.replace(token.upper(), "x" * len(token)), **FROM_BEA)
    known, unknown = site.replies()
    assert (known.found_by, known.message_id, known.forwarded, known.kind) == ("token", OURS, True, "person")
    assert (unknown.found_by, unknown.kind) == (None, "unknown")
    assert token not in str([event.body for event in site.events()]) + str(site.entries())


async def test_what_was_typed_on_the_customers_page_is_a_reply_too(site: Site) -> None:
    site.case()
    for _ in range(2):
        with site.database.writing(CUSTOMER.customer_id) as session:
            received = from_page(
                session, "form-1", "acme", CUSTOMER.contacts[0].contact_id, "Plan", "In 5 parts", SENT
            )
    assert site.resting() == [received.reply_id]
    assert await site.bring() == 1
    assert [(name, content["channel"]) for _, name, content in site.temporal.signals] == [("reply_received", "page")]


async def test_a_stranger_touches_no_case(site: Site) -> None:
    site.case()
    await site.mail("Who are you?", **FROM_BEA)
    assert [(one.kind, one.customer_id) for one in site.replies()] == [("unknown", None)]
    assert site.resting() == []


@pytest.mark.parametrize(
    ("changes", "state", "code"),
    [
        pytest.param(
            {"text": f"<{OURS}@northwind.example>\nStatus: 5.1.1\nAction: failed"}, "bounced", "5.1.1", id="gone"
        ),
        pytest.param(
            {"text": f"<{OURS}@northwind.example>\nStatus: 4.2.2\nAction: failed"}, "failed", "4.2.2", id="full"
        ),
        pytest.param(
            {"text": f"<{OURS}@northwind.example>\nStatus: 4.4.1\nAction: delayed"}, "accepted", None, id="later"
        ),
        pytest.param({"text": "Status: 5.1.1"}, "accepted", None, id="of no mail of ours"),
    ],
)
async def test_a_bounce_is_a_delivery_report(
    site: Site, changes: dict[str, Any], state: str, code: str | None
) -> None:
    site.case()
    site.message(OURS)
    report: dict[str, Any] = {
        "from": "Mail Delivery System <MAILER-DAEMON@mx.acme.example>",
        "subject": "Undelivered Mail Returned to Sender",
        "envelope": '{"to":["billing@northwind.example"],"from":""}',
    }
    await site.mail(**(report | changes))
    assert (site.row(OURS).state, site.row(OURS).reason) == (state, code)
    assert site.resting() == []
    assert (site.closed() == "bounced") is (state == "bounced")


async def test_a_forwarded_bounce_is_a_persons_mail(site: Site) -> None:
    site.case()
    site.message(OURS)
    await site.mail(f"We got this: <{OURS}@northwind.example> Status: 5.1.1", subject="Fwd: Undelivered Mail")
    assert (site.row(OURS).state, len(site.resting())) == ("accepted", 1)


@pytest.mark.parametrize(
    ("text", "closed", "rests"),
    [
        ("STOP", "stopped", False),
        ("Unsubscribe!\n\n> You owe", "stopped", False),
        ("Dar de baja", "stopped", False),
        ("Stop\nAnd we paid last week.", "stopped", True),
        ("Stop writing to us, we have paid", None, True),
    ],
)
async def test_stop_in_the_first_line_closes_the_address(
    site: Site, text: str, closed: str | None, rests: bool
) -> None:
    site.case()
    await site.mail(text)
    assert (site.closed(), bool(site.resting())) == (closed, rests)
    assert len(site.replies()) == 1


async def test_the_unsubscribe_address_of_a_mail_works(site: Site) -> None:
    site.case()
    site.message(OURS)
    await site.mail("", subject=f"unsubscribe {OURS}", headers=HEADERS + "Auto-Submitted: auto-generated\n")
    assert (site.closed(), site.resting()) == ("stopped", [])


async def test_a_program_that_writes_on_and_on_is_no_person(site: Site) -> None:
    site.case()
    for number in range(22):
        await site.mail(f"Thank you for your message {number}")
    assert [one.kind.value for one in site.replies()].count("person") == 20


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1251", "koi8-r", "utf-16", "nonsense", "zlib"])
async def test_each_field_has_a_charset_of_its_own(site: Site, charset: str) -> None:
    site.case()
    said = "платихме" if charset in ("windows-1251", "koi8-r", "utf-16") else "pagué"
    sent = said.encode("utf-8" if charset in ("nonsense", "zlib") else charset)
    await site.mail(sent, charsets=f'{{"text":"{charset}"}}')
    assert site.replies()[0].text == said


async def test_files_are_judged_by_their_content_and_named_by_us(site: Site) -> None:
    site.case()
    files = [
        ("../../etc/пасс.pdf", PDF),
        ("photo.pdf", b"\xff\xd8\xff\xe0 photo \xff\xd9"),
        ("page.pdf", b"<script>alert(1)</script>"),
        ("torn.png", b"\x89PNG\r\n\x1a\n"),
        ("big.pdf", b"%PDF-" + b"0" * (5 * 1024 * 1024) + b"%%EOF"),
    ]
    await site.mail("See the files", files=files)
    with site.database.reading() as session:
        found = replies.files_of(session, site.replies()[0].reply_id)
    assert [(one.name.rpartition("-")[2], one.media_type, kept) for one, kept in found] == [
        ("1.pdf", "application/pdf", True),
        ("2.jpg", "image/jpeg", True),
        ("3.bin", "application/octet-stream", True),
        ("4.bin", "application/octet-stream", True),
        ("5.pdf", "application/pdf", False),
    ]


async def test_a_mail_as_it_went_over_the_wire_is_read_too(site: Site) -> None:
    site.case()
    raw = (
        b"From: =?utf-8?q?Ada_Bj=C3=B6rk?= <" + str(MAIL).encode() + b">\r\nTo: billing@northwind.example\r\n"
        b"Message-ID: <two@acme.example>\r\nSubject: =?iso-8859-1?q?Pagu=E9?=\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n"
        b"<style>p{}</style><p>Ya pagu\xe9<br>ayer</p><blockquote>Debe</blockquote>\r\n"
        b"--b\r\nContent-Type: application/pdf; name=x.pdf\r\nContent-Disposition: attachment\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(PDF) + b"\r\n--b--\r\n"
    )
    without: dict[str, Any] = dict.fromkeys(("from", "subject", "headers"))
    await site.mail(None, email=raw, **without)
    (reply,) = site.replies()
    assert (reply.subject, reply.text, reply.whole) == ("Pagué", "Ya pagué\nayer", "Ya pagué\nayer\n\n> Debe")
    assert (reply.sender_name, reply.mail_id, reply.kind) == ("Ada Björk", "<two@acme.example>", "person")


async def test_what_people_write_stays_in_the_table_of_replies(
    each_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site = each_site
    site.case()
    site.message(OURS)
    mark = "PLANTED"
    caplog.set_level("DEBUG")
    about: dict[str, Any] = {
        "from": f"{mark} <{mark}@elsewhere.example>",
        "subject": f"Re: {mark}",
        "headers": f"Message-ID: <{mark}@x>\nIn-Reply-To: <{OURS}@y>\nX-Note: {mark}\n",
        "html": f"<p>{mark}\x00</p>",
    }
    assert (await site.mail("", files=[(f"{mark}.pdf", PDF)], **about)).status_code == 200
    await site.mail(mark, secret=mark, **about)
    await site.sms(f"{mark} we paid")
    await site.bring()
    assert len(site.temporal.signals) == 2
    elsewhere = [table for table in Base.metadata.sorted_tables if table.name not in ("replies", "reply_files")]
    with site.database.reading() as session:
        kept = [str(session.execute(table.select()).all()) for table in elsewhere]
        assert mark in str(session.execute(Base.metadata.tables["replies"].select()).all())
    assert mark not in f"{kept} {site.temporal.signals} {caplog.text}"
