"""Whole lives of cases on the time-skipping server."""

from datetime import timedelta

from tests.builders import an_invoice
from tests.workflows.conftest import House


async def due_soon(house: House, **changes: object):  # type: ignore[no-untyped-def]
    today = (await house.env.get_current_time()).date()
    return an_invoice(issued_on=today, due_on=today + timedelta(days=5), **changes)


async def test_never_pays_goes_down_the_whole_ladder(house: House) -> None:
    await house.start(await due_soon(house))
    outcome = await house.case.result()
    for m in house.messages():
        print(m["step"], m["channel"], m["contact"], m["state"], m["at"])
    for line in (await house.status()).timeline:
        print(line.at, line.kind, line.step, line.reason)
    print(outcome)
