"""Starts the cases of many invoices at once; a bad one harms no other."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy.exc import DataError, IntegrityError

from domain.invoice import Invoice
from domain.refusal import Refused
from intake.cases import Cases, ServerAway, Start
from intake.registrar import Registered

_IN_FLIGHT = 50


@dataclass(frozen=True)
class Unfit:
    """An invoice that was well written and still not started."""

    invoice_id: str
    reason: str

    def __str__(self) -> str:
        return f"invoice {self.invoice_id}: {self.reason}"


Result = Start | Unfit


async def start_all(
    talk: Cases,
    invoices_: list[Invoice],
    register: Callable[[Invoice], Registered],
    report: Callable[[Result], None],
) -> str | None:
    """Register and start every invoice, reporting each result in the order they come.

    Registering is done by one thread, because the database has one writer at a time; starting overlaps. Returns
    why the rest was left when the server went away, else None. What is left starts when the same is run again.
    """
    loop, slots, away = asyncio.get_running_loop(), asyncio.Semaphore(_IN_FLIGHT), list[str]()

    async def start(invoice_id: str, registered: Registered) -> None:
        try:
            report(await talk.start(registered))
        except ServerAway as error:
            away.append(str(error))
            report(Unfit(invoice_id, f"registered but not started. {error} Run the same again for the rest."))
        finally:
            slots.release()

    with ThreadPoolExecutor(1) as thread:
        async with asyncio.TaskGroup() as group:
            for invoice in invoices_:
                await slots.acquire()
                if away:
                    break
                try:
                    registered = await loop.run_in_executor(thread, _registered, register, invoice)
                except Refused as refused:
                    slots.release()
                    report(Unfit(invoice.invoice_id, str(refused)))
                    continue
                group.create_task(start(invoice.invoice_id, registered))
    return away[0] if away else None


def _registered(register: Callable[[Invoice], Registered], invoice: Invoice) -> Registered:
    try:
        try:
            return register(invoice)
        except IntegrityError:
            return register(invoice)  # another program registered the same at the same moment
    except (DataError, IntegrityError) as error:
        said = (str(error.orig).splitlines() or [""])[0][:200]
        raise Refused("record", f"the database does not take it ({said})") from None
