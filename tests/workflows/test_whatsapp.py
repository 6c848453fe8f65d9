"""A whole life by WhatsApp: approved texts, proof by delivery, STOP, and the way on by e-mail."""

from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from dunwell.commands.approval import submissions
from dunwell.domain.channels import Channel
from dunwell.domain.terms import Stage
from dunwell.gateways.events import ProviderEvent
from dunwell.gateways.twilio.webhook import read_inbound, read_status
from dunwell.gateways.twilio.whatsapp import WhatsAppGateway
from dunwell.services.event_inbox import Inbox
from dunwell.settings import Settings
from dunwell.store import addresses
from dunwell.store.database import Database
from dunwell.store.schema import migrate
from dunwell.texts.approved import ApprovedTexts
from tests.builders import a_contact, a_customer, an_invoice, sample_deps, the_catalogue
from tests.gateways.fakes import FakeTwilio
from tests.workflows.harness import CaseHarness, harness_on

PHONE = "+525512345678"


def all_usual_texts() -> dict[tuple[str, str, str], str]:
    """As if every text that the command prints in Spanish had been approved."""
    found = submissions(the_catalogue(), ["es"], ApprovedTexts({}), Settings())
    return {(one.message, "es", one.text.words): f"HX{number:032x}" for number, one in enumerate(found)}


async def told(harness: CaseHarness, *events: ProviderEvent | None) -> None:
    """What a webhook brings, and the dispatcher tells the case."""
    inbox, now = Inbox(harness.deps.database), await harness.now()
    inbox.take("twilio", [event for event in events if event], now)
    for pending in inbox.waiting(now):
        for event in pending.events:
            await harness.tell(event.name, **event.content)


def sent(harness: CaseHarness) -> list[tuple[str, str, str]]:
    return [(one["step"], one["channel"], one["state"]) for one in harness.messages()]


@pytest.mark.parametrize("stops", [False, True], ids=["reads all", "says STOP"])
async def test_a_life_by_whatsapp(time_skipping: WorkflowEnvironment, tmp_path: Path, stops: bool) -> None:
    database = Database(f"sqlite:///{tmp_path}/dunwell.sqlite")
    migrate(database)
    texts = all_usual_texts()
    with FakeTwilio() as twilio:
        twilio.contents = {sid: words for (_, _, words), sid in texts.items()}
        gateway = WhatsAppGateway("AC1", "token", "+14155238886", twilio.url, approved=ApprovedTexts(texts))
        # The case lives by a rehearsal's clock; its messages go to the provider all the same.
        gateways = {**sample_deps(database).rehearsal_gateways, Channel.WHATSAPP: gateway}
        async with harness_on(time_skipping, database, rehearsal_gateways=gateways) as harness:
            contact = a_contact(phone=PHONE, whatsapp_opt_in="2027-01-15 order form")
            customer = a_customer(contacts=(contact,), language="es")
            bill = an_invoice(customer=customer, policy="latam-whatsapp", payment_url="https://pay.example/1")
            await harness.start(bill)
            await harness.pass_time(days=16)
            assert sent(harness) == [(step, "whatsapp", "accepted") for step in _FIRST_STEPS]
            assert all("ContentSid" in request.form for request in twilio.requests)
            assert [one["body"] for one in harness.messages()] == [one["body"] for one in twilio.messages]
            await told(
                harness, *[read_status(_status(one["sid"], word)) for one in twilio.messages for word in _READ]
            )
            assert sent(harness) == [(step, "whatsapp", "delivered") for step in _FIRST_STEPS]
            if stops:
                await told(harness, read_inbound({"MessageSid": "SM9", "From": f"whatsapp:{PHONE}", "Body": "Stop"}))
            await harness.pass_time(days=11)
            if not stops:
                await told(harness, read_status(_status(twilio.messages[-1]["sid"], "delivered")))
            await harness.pass_time(days=14)
            by = "email" if stops else "whatsapp"
            assert sent(harness)[3] == ("last-warning", by, "delivered")
            # Who said STOP cannot be warned there, so what they read before is no proof any more.
            assert (await harness.status()).access == ("full" if stops else "restricted")
            await harness.tell("payment_received", payment_id="p1", amount="1200.00", currency="EUR")
            outcome = await harness.case.result()
            assert outcome.stage is Stage.PAID
            assert harness.broken_laws() == []
            with database.reading() as session:
                closed = [addresses.why_closed(session, one, PHONE) for one in (Channel.SMS, Channel.WHATSAPP)]
            assert closed == (["stopped"] * 2 if stops else [None] * 2)
    database.close()


_FIRST_STEPS = ("before-due", "first-reminder", "second-reminder")
_READ = ("sent", "delivered", "read")


def _status(sid: str, word: str) -> dict[str, str]:
    return {"MessageSid": sid, "MessageStatus": word, "To": f"whatsapp:{PHONE}"}
