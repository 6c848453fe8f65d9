"""Starts the cases of many invoices at once; a bad one harms no other."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dunwell.client.cases import Cases
from dunwell.client.registration import Registered
from dunwell.client.server import ServerAway
from dunwell.client.starting import Start
from dunwell.domain.invoice import Invoice
from dunwell.domain.refusal import Refused

_IN_FLIGHT = 50
_TOGETHER = 50  # registered in one transaction: more would keep the database's other writers waiting


@dataclass(frozen=True)
class RefusedInvoice:
    """An invoice whose record is valid, but whose case was not started."""

    invoice_id: str
    reason: str

    def __str__(self) -> str:
        return f"invoice {self.invoice_id}: {self.reason}"


Result = Start | RefusedInvoice


async def start_all(
    talk: Cases,
    invoices_: Sequence[Invoice],
    register: Callable[[Sequence[Invoice]], list[Registered | Refused]],
    report: Callable[[Result], None],
) -> str | None:
    """Register and start every invoice, reporting each result in the order they come.

    While some start, the next are registered: by one thread, because the database has one writer at a time.
    Returns why the rest was left when the server went away, else None. What is left, registered or not, starts when
    the same is run again.
    """
    loop, slots, away = asyncio.get_running_loop(), asyncio.Semaphore(_IN_FLIGHT), list[str]()

    async def start(invoice_id: str, registered: Registered) -> None:
        try:
            report(await talk.start(registered))
        except ServerAway as error:
            away.append(str(error))
            report(
                RefusedInvoice(invoice_id, f"registered but not started. {error} Run the same again for the rest.")
            )
        finally:
            slots.release()

    with ThreadPoolExecutor(1) as thread:
        async with asyncio.TaskGroup() as group:
            for some in in_chunks(invoices_):
                for invoice, found in zip(some, await loop.run_in_executor(thread, register, some), strict=True):
                    if isinstance(found, Refused):
                        report(RefusedInvoice(invoice.invoice_id, str(found)))
                        continue
                    for invoice_id in found.tell:
                        away += await _tell(talk, invoice_id)
                    await slots.acquire()
                    if away:
                        return away[0]
                    group.create_task(start(invoice.invoice_id, found))
    return away[0] if away else None


async def _tell(talk: Cases, invoice_id: str) -> list[str]:
    """Tell a case that its contacts changed. Returns why, if the server is away; other failures are ignored."""
    try:
        await talk.tell(invoice_id, "contacts_changed", {"by": "billing"}, wait=False)
    except Refused:  # it ended this very moment
        return []
    except ServerAway as error:
        return [str(error)]
    return []


def in_chunks(invoices_: Sequence[Invoice]) -> Iterator[Sequence[Invoice]]:
    """The invoices, as many at a time as are registered together."""
    for begin in range(0, len(invoices_), _TOGETHER):
        yield invoices_[begin : begin + _TOGETHER]
