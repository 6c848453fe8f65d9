"""A case that asks once for interest and costs after it was paid, in the engine."""

from datetime import timedelta
from decimal import Decimal

import pytest

from dunwell.client.answers import TellOutcome
from dunwell.client.cases import Cases
from dunwell.client.registration import Registrar
from dunwell.domain.contact import Contact
from dunwell.domain.terms import AccessoryRule, DebtorKind, Stage
from tests.builders import a_contact, a_customer, an_invoice, the_ladders
from tests.workflows.harness import AS_OF, CaseHarness
from tests.workflows.lives import pay
from workflows.messages import Outcome

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def chased(harness: CaseHarness, contact: Contact | None = None) -> None:
    """A German company's invoice three weeks after its due date, on a ladder that asks once."""
    known = the_ladders()["b2b-net30"]
    reactions = known.reactions.model_copy(update={"accessory_left": "accessory-request"})
    rule = {"accessory": AccessoryRule.ASK_ONCE, "accessory_floor": Decimal(1), "reactions": reactions}
    ladder = known.model_copy(update={"name": "asks-once", **rule})
    await harness.pass_time(seconds=(AS_OF - await harness.now()).total_seconds())
    customer = a_customer(kind=DebtorKind.BUSINESS, contacts=(contact or a_contact(),))
    days = {"issued_on": AS_OF.date(), "due_on": AS_OF.date() + timedelta(days=7)}
    bill = an_invoice(policy=ladder.name, customer=customer, jurisdiction="DE", **days)
    start = Registrar(harness.deps, {ladder.name: ladder}).register(bill, await harness.now(), harness.clock).start
    assert start is not None
    await harness.begin(start)
    await harness.pass_time(days=28)


# Slow: the time-skipping server lives two months.
async def test_it_stays_open_until_the_message_has_left(harness: CaseHarness) -> None:
    await chased(harness)
    await pay(harness)
    status = await harness.status()
    assert (status.stage, status.amount_due, status.holds) == (Stage.PAID, Decimal("0.00"), [])
    await harness.pass_time(days=4)
    asked = [message for message in harness.messages() if message["message"] == "accessory-request"]
    assert len(asked) == 1 and "thank-you" not in [message["message"] for message in harness.messages()]
    assert harness.handle is not None
    outcome = await harness.handle.result()
    assert (outcome.stage, outcome.credit) == (Stage.PAID, Decimal("0.00"))
    assert not harness.broken_laws()


# Slow: as above.
async def test_a_bounce_after_the_end_begins_a_run_that_asks_elsewhere(harness: CaseHarness) -> None:
    await chased(harness, a_contact(phone="+4915112345678"))
    await pay(harness)
    await harness.pass_time(days=4)
    (asked,) = [message for message in harness.messages() if message["message"] == "accessory-request"]
    await harness.case.result()
    report = {"message_id": asked["id"], "status": "bounced", "code": "550", "at": (await harness.now()).isoformat()}
    talk = Cases(harness.env.client, harness.deps.database)
    assert (await talk.tell("inv-1", "delivery_report", report, wait=False)).how is TellOutcome.REOPENED
    await harness.pass_time(days=4)
    tried = [(one["channel"], one["state"]) for one in harness.messages() if one["message"] == "accessory-request"]
    assert tried == [("email", "bounced"), ("sms", "delivered")]
    outcome = await harness.env.client.get_workflow_handle("invoice-inv-1", result_type=Outcome).result()
    assert (outcome.stage, outcome.credit) == (Stage.PAID, Decimal("0.00"))
