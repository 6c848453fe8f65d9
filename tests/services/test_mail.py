"""What an e-mail has beside its words: its conversation, the way to stop it, and what is enclosed."""

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dunwell.domain.channels import Channel
from dunwell.domain.keys import MessageKey, StepKey
from dunwell.domain.links import LinkKind
from dunwell.gateways.opt_out_link import OptOutLinks
from dunwell.services.links import Links
from dunwell.services.mail_reading import ReplyAddresses
from tests.builders import a_contact, a_customer, an_invoice
from tests.gateways.fakes import FakeSendGrid
from tests.services.conftest import MakeHarness, ServiceHarness, by_sendgrid

ONE = a_customer(contacts=(a_contact(),))
LINKS = OptOutLinks("https://dunning.example", ["a secret of some length"])
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 40 + b"%%EOF"
STEPS = (
    ("first-reminder", "2027-03-02 09:00"),
    ("second-reminder", "2027-03-09 09:00"),
    ("restrict", "2027-03-22 09:00"),
)


def name(invoice_id: str, step: str) -> str:
    key = MessageKey(
        invoice_id=invoice_id,
        step=StepKey.parse(step),
        contact_id="acme.accounts_payable.1",
        channel=Channel.EMAIL,
    )
    return f"<{key.message_id}@dunwell.example>"


@pytest.fixture
def harness(make_harness: MakeHarness, sendgrid: FakeSendGrid) -> ServiceHarness:
    """By SendGrid, with links to stop mails."""
    harness = make_harness(by_sendgrid(sendgrid))
    harness.deps = replace(harness.deps, opt_out=LINKS)
    return harness


def headers(sendgrid: FakeSendGrid) -> list[dict[str, str]]:
    return [mail["headers"] for mail in sendgrid.mails]


# One conversation ----------------------------------------------------------------------------------------


def test_three_letters_are_one_conversation(harness: ServiceHarness, sendgrid: FakeSendGrid) -> None:
    harness.open(an_invoice(customer=ONE))
    for step, when in STEPS:
        harness.carry_out(step, when)
        harness.report(harness.messages(step)[-1], "delivered", when)
    first, second, third = headers(sendgrid)
    names = [name("inv-1", step) for step, _ in STEPS]
    assert [one["Message-ID"] for one in (first, second, third)] == names
    assert "In-Reply-To" not in first
    assert "References" not in first
    assert (second["In-Reply-To"], second["References"]) == (names[0], names[0])
    assert (third["In-Reply-To"], third["References"]) == (names[1], f"{names[0]} {names[1]}")
    assert not any(mail["subject"].lower().startswith("re:") for mail in sendgrid.mails)


@pytest.mark.parametrize(
    ("fate", "follows"),
    [
        ("delivered", True),
        ("bounced", False),  # it is in nobody's mailbox; and the address is closed
        ("failed", False),  # nor is this
    ],
)
def test_a_mail_that_never_arrived_is_no_part_of_it(
    harness: ServiceHarness, sendgrid: FakeSendGrid, fate: str, follows: bool
) -> None:
    harness.open(an_invoice(customer=ONE))
    harness.carry_out(*STEPS[0])
    harness.report(harness.messages()[0], fate, "2027-03-02 09:10")
    harness.carry_out(*STEPS[1])
    later = [one for one in headers(sendgrid) if one["Message-ID"] == name("inv-1", STEPS[1][0])]
    assert [("References" in one) for one in later] == ([] if fate == "bounced" else [follows])


def test_a_long_conversation_keeps_its_beginning_and_its_end(harness: ServiceHarness, sendgrid: FakeSendGrid) -> None:
    harness.open(an_invoice(customer=ONE))
    harness.carry_out(*STEPS[0])
    first = harness.messages()[0]
    with harness.deps.database.writing() as session:
        for number in range(30):
            copy = {column.name: getattr(first, column.name) for column in first.__table__.columns}
            row = type(first)(**copy | {"message_id": f"{number:032d}", "claimed_at": first.claimed_at})
            session.add(row)
            session.flush()
            _link(session, row, f"extra-{number}")
    harness.carry_out(*STEPS[1])
    references = headers(sendgrid)[-1]["References"]
    assert len(f"References: {references}") < 998
    assert len(references.split()) == 10


def _link(session: Any, row: Any, step: str) -> None:
    from dunwell.store import outbox

    outbox.link(session, row, "inv-1", step, warning=False)


# Stopping mails ------------------------------------------------------------------------------------------


def test_the_provider_gets_the_headers_of_one_click(harness: ServiceHarness, sendgrid: FakeSendGrid) -> None:
    harness.open(an_invoice(customer=ONE))
    harness.carry_out(*STEPS[0])
    (row,) = harness.messages()
    link = LINKS.link(row.message_id)
    (mail,) = sendgrid.mails
    assert mail["headers"]["List-Unsubscribe"] == (
        f"<mailto:ana@dunwell.example?subject=unsubscribe%20{row.message_id}>, <{link}>"
    )
    assert mail["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text, html = (part["value"] for part in mail["content"])
    assert f"Stop e-mails to this address: {link}" in text
    assert f'<a href="{link}">Stop e-mails to this address</a>' in html
    assert "acme" not in link
    assert "inv-1" not in link


def test_each_mail_has_a_reply_address_of_its_own(harness: ServiceHarness, sendgrid: FakeSendGrid) -> None:
    links = Links("https://dunning.example", ["the secret of our customers' links"])
    addresses = ReplyAddresses("ana@dunwell.example", "reply.dunwell.example")
    harness.deps = replace(harness.deps, links=links, reply_addresses=addresses)
    harness.open(an_invoice(customer=ONE))
    for step, when in STEPS[:2]:
        harness.carry_out(step, when)
    tokens = []
    for mail, row in zip(sendgrid.mails, harness.messages(), strict=True):
        address = mail["reply_to"]["email"]
        assert "Reply-To" not in mail["headers"]
        assert f"<mailto:{address}?subject=unsubscribe" in mail["headers"]["List-Unsubscribe"]
        token = addresses.token_of(address)
        assert token is not None
        with harness.deps.database.reading() as session:
            link = links.find(session, token, LinkKind.REPLY, row.claimed_at)
        assert link is not None
        assert (link.message_id, link.contact_id) == (row.message_id, "acme.accounts_payable.1")
        tokens.append(token)
        assert not any(known in address for known in ("acme", "inv-1", row.message_id))
    assert len(set(tokens)) == 2


@pytest.mark.parametrize(
    ("links", "wanted"),
    [
        (None, set()),  # nothing is set: no link, and so no header
        (replace(LINKS, origin="http://127.0.0.1:8080"), {"List-Unsubscribe"}),  # RFC 8058 wants HTTPS
        (LINKS, {"List-Unsubscribe", "List-Unsubscribe-Post"}),
    ],
    ids=["no link", "plain HTTP", "HTTPS"],
)
def test_headers_by_what_is_set(
    harness: ServiceHarness, sendgrid: FakeSendGrid, links: OptOutLinks | None, wanted: set[str]
) -> None:
    harness.deps = replace(harness.deps, opt_out=links)
    harness.open(an_invoice(customer=ONE))
    harness.carry_out(*STEPS[0])
    (mail,) = sendgrid.mails
    assert {key for key in mail["headers"] if key.startswith("List-")} == wanted
    assert ("Stop e-mails" in mail["content"][0]["value"]) == (links is not None)


def test_an_sms_has_no_link_to_stop_mails(harness: ServiceHarness) -> None:
    harness.open(an_invoice(customer=a_customer(contacts=(a_contact(email=None, phone="+34600123456"),))))
    harness.carry_out(*STEPS[0])
    assert "unsubscribe" not in harness.messages()[0].body


TOKEN = LINKS.link("ab" * 16).rpartition("/")[2]


@pytest.mark.parametrize(
    ("token", "secrets", "reads"),
    [
        pytest.param(TOKEN, LINKS.secrets, True, id="ours"),
        pytest.param(TOKEN, ["a newer one, sixteen up", *LINKS.secrets], True, id="signed by the former secret"),
        pytest.param(TOKEN, ["another of some length"], False, id="a secret we never had"),
        pytest.param("cd" + TOKEN[2:], LINKS.secrets, False, id="another message"),
        pytest.param(TOKEN[:-1], LINKS.secrets, False, id="cut off"),
        pytest.param(TOKEN + "\n", LINKS.secrets, False, id="a line feed behind"),
        pytest.param(TOKEN.upper(), LINKS.secrets, False, id="in capitals"),
        pytest.param("", LINKS.secrets, False, id="nothing"),
    ],
)
def test_a_token_is_read_only_if_we_made_it(token: str, secrets: list[str], reads: bool) -> None:
    assert OptOutLinks("https://dunning.example", secrets).read(token) == ("ab" * 16 if reads else None)


# What is enclosed ----------------------------------------------------------------------------------------


def with_document(path: Path, **changes: Any) -> Any:
    path.write_bytes(PDF)
    return an_invoice(customer=ONE, document=path, **changes)


def test_the_invoice_travels_with_what_asks_for_it(
    harness: ServiceHarness, sendgrid: FakeSendGrid, tmp_path: Path
) -> None:
    harness.open(with_document(tmp_path / "2027-001.pdf"))
    harness.carry_out(*STEPS[0])
    (mail,) = sendgrid.mails
    (file,) = mail["attachments"]
    assert base64.b64decode(file.pop("content")) == PDF
    assert file == {"filename": "2027-001.pdf", "type": "application/pdf", "disposition": "attachment"}
    text, html = (part["value"] for part in mail["content"])
    assert "Enclosed: invoice 2027-001" in text
    assert "Enclosed: invoice 2027-001" in html


@pytest.mark.parametrize(
    ("called", "number", "sent_as"),
    [
        ("poly.html", "2027/0417", "2027-0417.pdf"),
        ("inv\u202efdp.exe", "2027/0417", "2027-0417.pdf"),
        ("a.pdf", "№ 7.exe", "7-exe.pdf"),
        ("a.pdf", "../../etc", "etc.pdf"),
        ("a.pdf", "請求書", "invoice.pdf"),
    ],
)
def test_f7_an_attachment_is_called_by_its_number_and_is_a_pdf(
    harness: ServiceHarness, sendgrid: FakeSendGrid, tmp_path: Path, called: str, number: str, sent_as: str
) -> None:
    harness.open(with_document(tmp_path / called, number=number))
    harness.carry_out(*STEPS[0])
    assert [file["filename"] for file in sendgrid.mails[0]["attachments"]] == [sent_as]


def test_f7_two_attachments_have_two_names(harness: ServiceHarness, sendgrid: FakeSendGrid, tmp_path: Path) -> None:
    harness.open(with_document(tmp_path / "one.pdf", invoice_id="inv-1", number="2027/1"))
    harness.open(with_document(tmp_path / "two.pdf", invoice_id="inv-2", number="2027-1"))
    harness.carry_out(*STEPS[0])
    names = [file["filename"] for file in sendgrid.mails[0]["attachments"]]
    assert sorted(names) == ["2027-1-1.pdf", "2027-1.pdf"]


def test_a_mail_that_does_not_ask_encloses_nothing(
    harness: ServiceHarness, sendgrid: FakeSendGrid, tmp_path: Path
) -> None:
    harness.open(with_document(tmp_path / "2027-001.pdf"))
    harness.pay("2027-03-02 08:00")
    harness.carry_out("thank-you~1", "2027-03-02 09:00")
    (mail,) = sendgrid.mails
    assert "attachments" not in mail
    assert "Enclosed" not in mail["content"][0]["value"]


def test_without_a_document_nothing_is_said_of_one(harness: ServiceHarness, sendgrid: FakeSendGrid) -> None:
    harness.open(an_invoice(customer=ONE))
    harness.carry_out(*STEPS[0])
    assert "attachments" not in sendgrid.mails[0]
    assert "Enclosed" not in sendgrid.mails[0]["content"][0]["value"]


def test_a_joint_letter_encloses_every_invoice_it_asks_for(
    harness: ServiceHarness, sendgrid: FakeSendGrid, tmp_path: Path
) -> None:
    harness.open(with_document(tmp_path / "one.pdf", invoice_id="inv-1", number="N-1"))
    harness.open(with_document(tmp_path / "two.pdf", invoice_id="inv-2", number="N-2"))
    harness.carry_out(*STEPS[0])
    (mail,) = sendgrid.mails
    assert [file["filename"] for file in mail["attachments"]] == ["N-1.pdf", "N-2.pdf"]
    assert "Enclosed: invoice N-2" in mail["content"][0]["value"]
    assert "Enclosed: invoice N-1" in mail["content"][0]["value"]
