"""One running case that is told nonsense: signals and updates with wrong JSON, and with what is no JSON."""

import asyncio
import json
from decimal import Decimal
from random import Random
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.service import RPCError, RPCStatusCode

from dunwell.domain.events import EVENTS
from dunwell.domain.terms import ENDS, Stage
from tests.builders import an_invoice
from tests.fuzz.nonsense import mutated, value
from tests.fuzz.tally import Tally
from tests.workflows.harness import CaseHarness

GOOD: dict[str, Any] = {
    "payment_received": {"payment_id": "p1", "amount": "1.00", "currency": "EUR", "method": "card"},
    "credit_applied": {"credit_id": "c1", "from_invoice": "x", "amount": "1.00", "currency": "EUR", "by": "agent-7"},
    "payment_reversed": {"payment_id": "p1", "reason": "chargeback"},
    "promise_to_pay": {"date": "2027-03-12", "amount": "5.00", "promised_by": "user"},
    "dispute_opened": {"reason": "quality", "opened_by": "user", "amount": "3.00"},
    "dispute_resolved": {"outcome": "rejected", "by": "agent-7"},
    "payment_plan_agreed": {"instalments": [{"date": "2027-03-12", "amount": "1200.00"}], "by": "agent-7"},
    "pause": {"reason": "holiday", "by": "agent-7", "until": "2027-03-20"},
    "resume": {"by": "agent-7"},
    "call_outcome": {"task_id": "t1", "outcome": "promise", "by": "a", "promise": {"date": "2027-03-12"}},
    "invoice_amended": {"due_on": "2027-03-03", "by": "agent-7"},
    "policy_moved": {"name": "gentle-saas", "to_version": 2, "by": "a", "steps": ["x"], "promises": {}},
    "delivery_report": {"message_id": "m1", "status": "bounced", "at": "2027-03-02T10:00:00Z"},
    "write_off": {"reason": "small"},
    "cancel": {"by": "agent-7"},
}
"""One message of each kind; the two that would end the case lack a field."""

_OTHER_NAMES = ["", "x" * 300, "start", "Énd"]

_A_LIFE = 100
"""So many messages to one case."""


async def fuzz_case(harness: CaseHarness, random: Random, count: int) -> Tally:
    """Each case must answer at the end, take a payment and finish; no workflow task may have failed."""
    tally = Tally("signals and updates")
    life = 0
    while tally.tried < count:
        life += 1
        invoice_id = f"inv-{life}"
        await harness.start(an_invoice(invoice_id=invoice_id, number=invoice_id))
        for _ in range(min(_A_LIFE, count - tally.tried)):
            if not await _say(harness, random, tally):
                break
        await _close(harness, tally)
    return tally


async def _say(harness: CaseHarness, random: Random, tally: Tally) -> bool:
    """Tell one thing. False when the case has ended by it, as a payment may do."""
    name = random.choice(list(EVENTS) if random.random() < 0.95 else _OTHER_NAMES)
    arguments = [_argument(random, name) for _ in range(random.choice([1, 1, 1, 1, 1, 1, 0, 2]))]
    tally.tried += 1
    try:
        if random.random() < 0.5:
            await harness.case.signal(name, args=arguments)
        else:
            await asyncio.wait_for(harness.case.execute_update(name, args=arguments), 30)
    except WorkflowUpdateFailedError:
        tally.refused += 1
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        if error.status is not RPCStatusCode.INVALID_ARGUMENT:
            tally.crashes += 1
        else:
            tally.refused += 1  # the server itself does not take such a name
    except TimeoutError:
        tally.wedged += 1
        return False
    return True


def _argument(random: Random, name: str) -> Any:
    kind = random.randrange(10)
    if kind < 5 and name in GOOD:
        content = mutated(random, GOOD[name])
    elif kind == 5 and name in GOOD:
        content = GOOD[name]
    elif kind < 8:
        content = value(random)
    else:
        encoding = random.choice([b"json/plain", b"binary/plain", b"binary/null", b"json/protobuf", b"odd", b"\xff"])
        data = random.choice([b"{", b"\xff\xfe", b"", b"[" * 5000, b"NaN", b'{"by": 1e999999}', random.randbytes(40)])
        return RawValue(Payload(metadata={"encoding": encoding}, data=data))
    return RawValue(Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(content).encode()))


async def _close(harness: CaseHarness, tally: Tally) -> None:
    """The case is still there: it says how it stands and is paid."""
    try:
        async with asyncio.timeout(30):
            status = await harness.status()
            if status.stage not in ENDS:
                amount = str(max(Decimal(status.amount_due or 0), Decimal("0.01")))
                await harness.tell("payment_received", payment_id="the-last", amount=amount, currency="EUR")
            outcome = await harness.case.result()
            tally.wedged += status.stage not in ENDS and outcome.stage is not Stage.PAID
    except TimeoutError:
        tally.wedged += 1
    failed = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    tally.crashes += sum([event.event_type == failed async for event in harness.case.fetch_history_events()])
