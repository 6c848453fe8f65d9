"""Kinds of lives a case can have, each told once: the tests live them and the replay corpus records them."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

from dunwell.domain.events import CallOutcome
from dunwell.domain.terms import Role
from dunwell.store import tasks
from tests.builders import a_contact, a_customer, an_invoice
from tests.workflows.house import House

Life = Callable[[House], Awaitable[None]]


async def pay(house: House, amount: str = "1200.00", payment_id: str = "p1") -> None:
    await house.tell("payment_received", payment_id=payment_id, amount=amount, currency="EUR")


async def today(house: House, plus: int = 0) -> str:
    """A day of the case's own calendar."""
    return ((await house.now()).date() + timedelta(days=plus)).isoformat()


async def never_pays(house: House) -> None:
    await house.start(an_invoice())


async def pays_at_once(house: House) -> None:
    await house.start(an_invoice())
    await pay(house)


async def pays_after_first_letter(house: House) -> None:
    await house.start(an_invoice())
    await house.pass_time(days=10)
    await pay(house)


async def promises_and_keeps(house: House) -> None:
    await house.start(an_invoice())
    await house.pass_time(days=10)
    await house.tell("promise_to_pay", date=await today(house, 7), promised_by="accounts_payable", via="phone")
    await house.pass_time(days=5, hours=20)  # before the window opens in which the promise is reminded of
    await pay(house)


async def promises_and_breaks(house: House) -> None:
    await house.start(an_invoice())
    await house.pass_time(days=10)
    await house.tell("promise_to_pay", date=await today(house, 7), promised_by="accounts_payable")
    await house.pass_time(days=30)
    await pay(house)


async def pays_in_parts(house: House) -> None:
    await house.start(an_invoice())
    await house.pass_time(days=10)
    await pay(house, "500.00", "p1")
    await house.pass_time(days=3)
    await pay(house, "700.00", "p2")


async def disputes(house: House) -> None:
    await house.start(an_invoice())
    await house.pass_time(days=10)
    await house.tell("dispute_opened", reason="wrong-quantity", opened_by="accounts_payable")
    await house.pass_time(days=20)
    await house.tell("dispute_resolved", outcome="adjusted", new_amount="900.00", by="agent-7")
    await house.pass_time(days=2)
    await pay(house, "900.00")


async def is_paused(house: House) -> None:
    await house.start(an_invoice())
    await house.pass_time(days=10)
    await house.tell("pause", reason="hardship", by="agent-7", until=await today(house, 20))
    await house.pass_time(days=25)
    await house.tell("pause", reason="audit", by="agent-7")
    await house.pass_time(days=30)
    await house.tell("resume", by="agent-7")
    await house.pass_time(days=3)
    await pay(house)


async def pays_by_plan(house: House) -> None:
    await house.start(an_invoice())
    await house.pass_time(days=10)
    instalments = [
        {"date": await today(house, 10), "amount": "400.00"},
        {"date": await today(house, 40), "amount": "800.00"},
    ]
    await house.tell("payment_plan_agreed", instalments=instalments, by="agent-7")
    await house.pass_time(days=9)
    await pay(house, "400.00", "p1")
    await house.pass_time(days=30, hours=1)  # an hour after the reminder of the instalment
    await pay(house, "800.00", "p2")


async def misses_an_instalment(house: House) -> None:
    await house.start(an_invoice())
    await house.pass_time(days=10)
    instalments = [{"date": await today(house, 5), "amount": "1200.00"}]
    await house.tell("payment_plan_agreed", instalments=instalments, by="agent-7")
    await house.pass_time(days=20)
    await house.tell("write_off", reason="insolvent", by="manager-1")


async def is_restricted_then_pays(house: House) -> None:
    await house.start(an_invoice())
    await house.pass_time(days=30)
    await pay(house)


async def pays_and_the_bank_reverses(house: House) -> None:
    await house.start(an_invoice())
    await house.pass_time(days=9)
    await pay(house, "1100.00", "p1")
    await house.pass_time(days=1)
    await house.tell("payment_reversed", payment_id="p1", reason="R01")
    await house.pass_time(days=10)
    await pay(house, "1300.00", "p2")


async def bounces(house: House) -> None:
    customer = a_customer(
        contacts=(
            a_contact(email="bounce@acme.example", phone="+15005550006"),
            a_contact(Role.USER, email="bounce.too@acme.example"),
        )
    )
    await house.start(an_invoice(customer=customer))
    await house.pass_time(days=30)
    await house.tell("cancel", reason="duplicate-invoice", by="billing")


async def is_called(house: House) -> None:
    await house.start(an_invoice(policy="gradual-pressure"))
    await house.pass_time(days=8)
    with house.deps.database.reading() as session:
        task = tasks.open_tasks(session, "inv-1")[0].task_id
    promise = {"date": await today(house, 3)}
    outcome = CallOutcome(task_id=task, outcome="promise", by="agent-7").model_dump(exclude_none=True)
    await house.case.execute_update("call_outcome", outcome | {"promise": promise})
    await house.pass_time(days=1, hours=20)  # before the window opens in which the promise is reminded of
    await pay(house)


async def at_the_promise_call(house: House) -> str:
    """Half an hour after a call is due that asks for a date; the id of its task."""
    await house.start(an_invoice(policy="gradual-pressure"))
    await house.pass_time(days=9, hours=2, minutes=30)
    return open_call(house)


def open_call(house: House) -> str:
    with house.deps.database.reading() as session:
        return tasks.open_by_person(session, "inv-1")[0].task_id


async def does_not_answer(house: House) -> None:
    task = await at_the_promise_call(house)
    for _ in range(3):
        await house.tell("call_outcome", task_id=task, outcome="no_answer", by="agent-7")
        await house.pass_time(hours=2)
        task = f"{task.partition('~')[0]}~{int(task.partition('~')[2] or 1) + 1}"
    await house.pass_time(days=1)
    await pay(house)


async def owes_a_date_in_writing(house: House) -> None:
    task = await at_the_promise_call(house)
    await house.tell("call_outcome", task_id=task, outcome="written_promise_owed", by="agent-7")
    await house.pass_time(days=3)
    await pay(house)


async def writes_the_date_in_time(house: House) -> None:
    task = await at_the_promise_call(house)
    await house.tell("call_outcome", task_id=task, outcome="written_promise_owed", by="agent-7")
    await house.pass_time(hours=4)
    await house.tell("promise_to_pay", date=await today(house, 5), promised_by="accounts_payable", via="email")
    await house.pass_time(days=4)
    await pay(house)


async def says_it_is_paid(house: House) -> None:
    task = await at_the_promise_call(house)
    await house.tell("call_outcome", task_id=task, outcome="paid", by="agent-7")
    await house.pass_time(days=6)
    await pay(house)


async def refuses(house: House) -> None:
    await at_the_promise_call(house)
    await house.pass_time(days=1)
    outcome = {"task_id": open_call(house), "outcome": "refused", "by": "agent-7", "reason_code": "no-contract"}
    await house.case.execute_update("call_outcome", outcome)


async def is_called_at_a_wrong_number(house: House) -> None:
    customer = a_customer(contacts=(a_contact(phone="+15005550006"), a_contact(Role.MANAGER)))
    await house.start(an_invoice(policy="gradual-pressure", customer=customer))
    await house.pass_time(days=9, hours=2, minutes=30)
    await house.tell("call_outcome", task_id=open_call(house), outcome="wrong_number", by="agent-7")
    await house.pass_time(hours=1)
    promise = {"date": await today(house, 3)}
    await house.tell("call_outcome", task_id=open_call(house), outcome="promise", by="agent-7", promise=promise)
    await house.pass_time(days=2)
    await pay(house)


async def is_amended(house: House) -> None:
    await house.start(an_invoice())
    await house.pass_time(days=10)
    await house.tell("invoice_amended", amount="1000.00", due_on=await today(house, 30), by="billing")
    await house.pass_time(days=35)
    await pay(house, str(Decimal("1000.00")))


async def hears_nonsense(house: House) -> None:
    """Every signal that makes no sense is refused, and the case goes on."""
    await house.start(an_invoice())
    negative = {"amount": "-5", "payment_id": "x", "currency": "EUR"}
    nonsense: list[object] = ["text", 7, None, [], {"payment_id": "p1"}, negative]
    for content in nonsense:
        await house.case.signal("payment_received", content)
    await house.case.signal("payment_received")
    await house.case.signal("payment_received", args=[{}, {}])
    await house.case.signal("no_such_signal", {"a": 1})
    await house.tell("promise_to_pay", date="2001-01-01", promised_by="user")
    await house.tell("payment_received", payment_id="p9", amount="1200.00", currency="USD")
    await house.tell("payment_reversed", payment_id="unknown", reason="R01")
    await house.tell("delivery_report", message_id="unknown", status="delivered", at="2027-01-01T00:00:00Z")
    await house.tell("resume", by="agent-7")
    await pay(house)


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
