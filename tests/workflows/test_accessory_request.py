"""A case that asks once for interest and costs after it was paid, in the engine."""

from datetime import timedelta
from decimal import Decimal

import pytest

from dunwell.client.registration import Registrar
from dunwell.domain.terms import AccessoryRule, DebtorKind, Stage
from tests.builders import a_contact, a_customer, an_invoice, the_ladders
from tests.workflows.harness import AS_OF, CaseHarness
from tests.workflows.lives import pay

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def chased(harness: CaseHarness) -> None:
    """A German company's invoice three weeks after its due date, on a ladder that asks once."""
    known = the_ladders()["b2b-net30"]
    reactions = known.reactions.model_copy(update={"accessory_left": "accessory-request"})
    rule = {"accessory": AccessoryRule.ASK_ONCE, "accessory_floor": Decimal(1), "reactions": reactions}
    ladder = known.model_copy(update={"name": "asks-once", **rule})
    await harness.pass_time(seconds=(AS_OF - await harness.now()).total_seconds())
    customer = a_customer(kind=DebtorKind.BUSINESS, contacts=(a_contact(),))
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
