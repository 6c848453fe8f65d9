"""Kinds of lives a case can have, each told once: the tests live them and the replay corpus records them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

from dunwell.domain.events import CallOutcome
from dunwell.domain.terms import Role
from dunwell.store import tasks
from tests.builders import a_contact, a_customer, an_invoice
from tests.workflows.harness import CaseHarness

Life = Callable[[CaseHarness], Awaitable[None]]


async def pay(harness: CaseHarness, amount: str = "1200.00", payment_id: str = "p1") -> None:
    await harness.tell("payment_received", payment_id=payment_id, amount=amount, currency="EUR")


async def today(harness: CaseHarness, plus: int = 0) -> str:
    """A day of the case's own calendar."""
    return ((await harness.now()).date() + timedelta(days=plus)).isoformat()


async def never_pays(harness: CaseHarness) -> None:
    await harness.start(an_invoice())


async def pays_at_once(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await pay(harness)


async def pays_after_first_letter(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    await pay(harness)


async def promises_and_keeps(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    await harness.tell("promise_to_pay", date=await today(harness, 7), promised_by="accounts_payable", via="phone")
    await harness.pass_time(days=5, hours=20)  # before the window opens in which the promise is reminded of
    await pay(harness)


async def promises_and_breaks(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    await harness.tell("promise_to_pay", date=await today(harness, 7), promised_by="accounts_payable")
    await harness.pass_time(days=30)
    await pay(harness)


async def pays_in_parts(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    await pay(harness, "500.00", "p1")
    await harness.pass_time(days=3)
    await pay(harness, "700.00", "p2")


async def disputes(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    await harness.tell("dispute_opened", reason="wrong-quantity", opened_by="accounts_payable")
    await harness.pass_time(days=20)
    await harness.tell("dispute_resolved", outcome="adjusted", new_amount="900.00", by="agent-7")
    await harness.pass_time(days=2)
    await pay(harness, "900.00")


async def is_paused(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    await harness.tell("pause", reason="hardship", by="agent-7", until=await today(harness, 20))
    await harness.pass_time(days=25)
    await harness.tell("pause", reason="audit", by="agent-7")
    await harness.pass_time(days=30)
    await harness.tell("resume", by="agent-7")
    await harness.pass_time(days=3)
    await pay(harness)


async def pays_by_plan(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    instalments = [
        {"date": await today(harness, 10), "amount": "400.00"},
        {"date": await today(harness, 40), "amount": "800.00"},
    ]
    await harness.tell("payment_plan_agreed", instalments=instalments, by="agent-7")
    await harness.pass_time(days=9)
    await pay(harness, "400.00", "p1")
    await harness.pass_time(days=30, hours=1)  # an hour after the reminder of the instalment
    await pay(harness, "800.00", "p2")


async def misses_an_instalment(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    instalments = [{"date": await today(harness, 5), "amount": "1200.00"}]
    await harness.tell("payment_plan_agreed", instalments=instalments, by="agent-7")
    await harness.pass_time(days=20)
    await harness.tell("write_off", reason="insolvent", by="manager-1")


async def is_restricted_then_pays(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=30)
    await pay(harness)


async def pays_and_the_bank_reverses(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=9)
    await pay(harness, "1100.00", "p1")
    await harness.pass_time(days=1)
    await harness.tell("payment_reversed", payment_id="p1", reason="R01")
    await harness.pass_time(days=10)
    await pay(harness, "1300.00", "p2")


async def bounces(harness: CaseHarness) -> None:
    customer = a_customer(
        contacts=(
            a_contact(email="bounce@acme.example", phone="+15005550006"),
            a_contact(Role.USER, email="bounce.too@acme.example"),
        )
    )
    await harness.start(an_invoice(customer=customer))
    await harness.pass_time(days=30)
    await harness.tell("cancel", reason="duplicate-invoice", by="billing")


async def is_called(harness: CaseHarness) -> None:
    await harness.start(an_invoice(policy="gradual-pressure"))
    await harness.pass_time(days=8)
    with harness.deps.database.reading() as session:
        task = tasks.open_tasks(session, "inv-1")[0].task_id
    promise = {"date": await today(harness, 3)}
    outcome = CallOutcome(task_id=task, outcome="promise", by="agent-7").model_dump(exclude_none=True)
    await harness.case.execute_update("call_outcome", outcome | {"promise": promise})
    await harness.pass_time(days=1, hours=20)  # before the window opens in which the promise is reminded of
    await pay(harness)


async def at_the_promise_call(harness: CaseHarness) -> str:
    """Half an hour after a call is due that asks for a date; the id of its task."""
    await harness.start(an_invoice(policy="gradual-pressure"))
    await harness.pass_time(days=9, hours=2, minutes=30)
    return open_call(harness)


def open_call(harness: CaseHarness) -> str:
    with harness.deps.database.reading() as session:
        return tasks.open_by_person(session, "inv-1")[0].task_id


async def does_not_answer(harness: CaseHarness) -> None:
    task = await at_the_promise_call(harness)
    for _ in range(3):
        await harness.tell("call_outcome", task_id=task, outcome="no_answer", by="agent-7")
        await harness.pass_time(hours=2)
        task = f"{task.partition('~')[0]}~{int(task.partition('~')[2] or 1) + 1}"
    await harness.pass_time(days=1)
    await pay(harness)


async def owes_a_date_in_writing(harness: CaseHarness) -> None:
    task = await at_the_promise_call(harness)
    await harness.tell("call_outcome", task_id=task, outcome="written_promise_owed", by="agent-7")
    await harness.pass_time(days=3)
    await pay(harness)


async def writes_the_date_in_time(harness: CaseHarness) -> None:
    task = await at_the_promise_call(harness)
    await harness.tell("call_outcome", task_id=task, outcome="written_promise_owed", by="agent-7")
    await harness.pass_time(hours=4)
    await harness.tell("promise_to_pay", date=await today(harness, 5), promised_by="accounts_payable", via="email")
    await harness.pass_time(days=4)
    await pay(harness)


async def says_it_is_paid(harness: CaseHarness) -> None:
    task = await at_the_promise_call(harness)
    await harness.tell("call_outcome", task_id=task, outcome="paid", by="agent-7")
    await harness.pass_time(days=6)
    await pay(harness)


async def refuses(harness: CaseHarness) -> None:
    await at_the_promise_call(harness)
    await harness.pass_time(days=1)
    outcome = {"task_id": open_call(harness), "outcome": "refused", "by": "agent-7", "reason_code": "no-contract"}
    await harness.case.execute_update("call_outcome", outcome)


async def is_called_at_a_wrong_number(harness: CaseHarness) -> None:
    customer = a_customer(contacts=(a_contact(phone="+15005550006"), a_contact(Role.MANAGER)))
    await harness.start(an_invoice(policy="gradual-pressure", customer=customer))
    await harness.pass_time(days=9, hours=2, minutes=30)
    await harness.tell("call_outcome", task_id=open_call(harness), outcome="wrong_number", by="agent-7")
    await harness.pass_time(hours=1)
    promise = {"date": await today(harness, 3)}
    await harness.tell("call_outcome", task_id=open_call(harness), outcome="promise", by="agent-7", promise=promise)
    await harness.pass_time(days=2)
    await pay(harness)


async def is_granted_grace(harness: CaseHarness) -> None:
    """Restricted, open for some days, restricted again on the day that was named, and paid."""
    await harness.start(an_invoice())
    await harness.pass_time(days=30)
    await harness.tell("grace_granted", until=await today(harness, 3), by="restriction page")
    await harness.pass_time(days=10)
    await pay(harness)


async def writes_to_us(harness: CaseHarness) -> None:
    """A reply lies here for a fortnight; then the customer asks for a call, and says that the money has left."""
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    at = (await harness.now()).isoformat()
    await harness.tell("reply_received", reply_id="r1", channel="email", at=at)
    await harness.pass_time(days=14)
    await harness.tell("reply_handled", reply_id="r1", by="agent-7")
    await harness.tell("call_requested", by="link of accounts_payable.1")
    await harness.pass_time(days=3)
    await harness.tell("payment_announced", by="link of accounts_payable.1", paid_on=await today(harness, -1))
    await harness.pass_time(days=1)
    await pay(harness)


async def is_amended(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=10)
    await harness.tell("invoice_amended", amount="1000.00", due_on=await today(harness, 30), by="billing")
    await harness.pass_time(days=35)
    await pay(harness, str(Decimal("1000.00")))


async def hears_nonsense(harness: CaseHarness) -> None:
    """Every signal that makes no sense is refused, and the case goes on."""
    await harness.start(an_invoice())
    negative = {"amount": "-5", "payment_id": "x", "currency": "EUR"}
    nonsense: list[object] = ["text", 7, None, [], {"payment_id": "p1"}, negative]
    for content in nonsense:
        await harness.case.signal("payment_received", content)
    await harness.case.signal("payment_received")
    await harness.case.signal("payment_received", args=[{}, {}])
    await harness.case.signal("no_such_signal", {"a": 1})
    await harness.tell("promise_to_pay", date="2001-01-01", promised_by="user")
    await harness.tell("payment_received", payment_id="p9", amount="1200.00", currency="USD")
    await harness.tell("payment_reversed", payment_id="unknown", reason="R01")
    await harness.tell("delivery_report", message_id="unknown", status="delivered", at="2027-01-01T00:00:00Z")
    await harness.tell("resume", by="agent-7")
    await pay(harness)


LIVES: dict[str, Life] = {
    life.__name__: life
    for life in (
        never_pays,
        pays_at_once,
        pays_after_first_letter,
        promises_and_keeps,
        promises_and_breaks,
        pays_in_parts,
        disputes,
        is_paused,
        pays_by_plan,
        misses_an_instalment,
        is_restricted_then_pays,
        is_granted_grace,
        writes_to_us,
        pays_and_the_bank_reverses,
        bounces,
        is_called,
        is_amended,
        hears_nonsense,
        does_not_answer,
        owes_a_date_in_writing,
        writes_the_date_in_time,
        says_it_is_paid,
        refuses,
        is_called_at_a_wrong_number,
    )
}
