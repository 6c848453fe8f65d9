"""A case rests while a reply waits, sends what a clerk answers, and goes on; also one that has ended answers."""

from typing import Any

from dunwell.client.cases import Cases
from dunwell.domain.channels import Channel
from dunwell.domain.clerk_answer import ClerkAnswer, Phrase
from dunwell.domain.terms import Stage
from dunwell.store import addresses, answers, invoices
from tests.builders import an_invoice
from tests.workflows.harness import CaseHarness


def customer(harness: CaseHarness) -> str:
    with harness.deps.database.reading() as session:
        return invoices.get_customer_of(session, "inv-1").customer_id


def writer(harness: CaseHarness) -> str:
    return f"{customer(harness)}.accounts_payable.1"


async def wrote(harness: CaseHarness, reply_id: str) -> None:
    await harness.tell("reply_received", reply_id=reply_id, channel="email", at=(await harness.now()).isoformat())


async def written(harness: CaseHarness, reply_id: str, **facts: Any) -> dict[str, Any]:
    """A clerk's answer in the database, and the event that hands it to its case."""
    known: dict[str, Any] = {"reply_id": reply_id, "answer_id": f"answer-{reply_id}", "contact_id": writer(harness)}
    known |= {"invoice_id": "inv-1", "channel": Channel.EMAIL, "phrases": (Phrase.THANKS,), "asks": False} | facts
    answer, now = ClerkAnswer.model_validate(known), await harness.now()
    with harness.deps.database.writing(customer(harness)) as session:
        answers.add(session, answer, customer(harness), "user-a", now)
    return {"reply_id": reply_id, "by": "user-a", "answer": answer.answer_id}


def sent(harness: CaseHarness) -> list[tuple[str, str]]:
    return [(one["step"], one["contact"]) for one in harness.messages()]


async def test_nothing_leaves_until_the_reply_is_answered_and_then_the_ladder_goes_on(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=9)
    before = sent(harness)
    await wrote(harness, "r1")
    await harness.pass_time(days=20)
    assert sent(harness) == before and (await harness.status()).stage == Stage.PAUSED
    await harness.tell("reply_handled", **await written(harness, "r1"))
    await harness.pass_time(days=1)
    assert sent(harness) == [*before, ("@answer~answer-r1", writer(harness))]
    await harness.pass_time(days=30)
    assert len(sent(harness)) > len(before) + 1
    assert harness.broken_laws() == []


async def test_an_answer_that_asks_is_not_sent_once_the_money_came_and_one_that_does_not_is(
    harness: CaseHarness,
) -> None:
    await harness.start(an_invoice())
    await harness.pass_time(days=9)
    await wrote(harness, "r1")
    await wrote(harness, "r2")
    await harness.tell("reply_handled", **await written(harness, "r1", asks=True))
    await harness.tell("reply_handled", **await written(harness, "r2"))
    await harness.tell("payment_received", payment_id="p1", amount="1200.00", currency="EUR")
    await harness.pass_time(days=3)
    steps = [step for step, _ in sent(harness)]
    assert "@answer~answer-r2" in steps and "@answer~answer-r1" not in steps
    reasons = [reason for kind, reason in harness.timeline() if kind == "task"]
    assert any(
        "answer answer-r1 to reply r1 did not reach them: the money came meanwhile" in reason for reason in reasons
    )


async def test_who_opted_out_meanwhile_is_not_written_to(harness: CaseHarness) -> None:
    await harness.start(an_invoice())
    await wrote(harness, "r1")
    handled = await written(harness, "r1")
    with harness.deps.database.writing(customer(harness)) as session:
        addresses.close(
            session, Channel.EMAIL, "accounts_payable1@acme.example", "opted out", await harness.now(), rehearsal=True
        )
    await harness.tell("reply_handled", **handled)
    await harness.pass_time(days=2)
    assert sent(harness) == []
    assert any("did not reach them: their address for e-mail" in reason for _, reason in harness.timeline())


async def test_a_case_that_has_ended_answers_once(harness: CaseHarness) -> None:
    await harness.start(an_invoice(), real_time=True)
    await harness.tell("payment_received", payment_id="p1", amount="1200.00", currency="EUR")
    await harness.pass_time(days=9)
    before = sent(harness)
    handled, cases = await written(harness, "r1"), Cases(harness.env.client, harness.deps.database)
    for _ in range(2):
        await cases.tell("inv-1", "reply_handled", handled, wait=False)
    await harness.pass_time(days=4)
    assert sent(harness) == [*before, ("@answer~answer-r1", writer(harness))]
