"""Generated policies and invoices for measurements, and the start of their cases."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

from temporalio.client import Client, WorkflowHandle

from dunwell.client.bulk_start import in_chunks
from dunwell.client.registration import Registered, Registrar
from dunwell.domain.clock import Clock
from dunwell.domain.contact import Contact
from dunwell.domain.invoice import Customer, Invoice
from dunwell.domain.ladder_file import parse_policy
from dunwell.domain.policy import Policy
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import Role
from dunwell.intake.policy_files import traits_of
from dunwell.services.dependencies import Dependencies
from workflows.invoice_dunning import InvoiceDunning
from workflows.messages import Outcome, workflow_id
from workflows.options import TASK_QUEUE
from workflows.search_attributes import first_attributes
from workflows.ui_text import summary

STEPS = 7
AS_OF = datetime(2027, 3, 1, 8, tzinfo=UTC)
"""The morning of the day on which the invoices are due."""
DUE = AS_OF.date()
AMOUNT = Decimal("1000.00")
PAYMENT = {"payment_id": "p-1", "amount": str(AMOUNT), "currency": "EUR"}
"""All of the invoice."""

Handle = WorkflowHandle[InvoiceDunning, Outcome]


def ladder(deps: Dependencies, name: str, steps: Iterable[Mapping[str, object]], **head: object) -> Policy:
    """Return a checked policy with these steps."""
    plain = {"name": name, "version": 1, "title": name, "language": "en"}
    return parse_policy({**plain, **head, "step": list(steps)}, f"{name}.toml", traits_of(deps.catalogue))


def reminders(count: int = STEPS) -> list[dict[str, object]]:
    """Return this many e-mail steps, three business days apart."""
    return [
        {
            "id": f"step-{number}",
            "when": "due + 1 business day at 10:00"
            if number == 1
            else f"step-{number - 1} + 3 business days at 10:00",
            "to": ["accounts_payable"],
            "by": ["email"],
            "message": "reminder-first" if number == 1 else "reminder-second",
            "late": "shift",
        }
        for number in range(1, count + 1)
    ]


def invoice(invoice_id: str, policy: Policy, due_on: date = DUE) -> Invoice:
    """Return an invoice of 1,000 euros, the only one of its customer."""
    role, customer_id = Role.ACCOUNTS_PAYABLE, f"customer-{invoice_id}"
    # An address of its own, because contact caps apply to an address, whoever the customer is.
    email = f"ap@{customer_id.lower()}.example"
    contact = Contact(contact_id=f"{customer_id}.{role.value}.1", role=role, name="Dana Whitfield", email=email)
    return Invoice(
        invoice_id=invoice_id,
        number=f"2027-{invoice_id}",
        customer=Customer(
            customer_id=customer_id,
            name="Kestrel Instruments Ltd",
            country="IE",
            time_zone="Europe/Dublin",
            language="en",
            contacts=(contact,),
        ),
        amount=AMOUNT,
        currency="EUR",
        digits=2,
        issued_on=date(2027, 2, 1),
        due_on=due_on,
        policy=policy.name,
    )


def registered(
    deps: Dependencies, policy: Policy, invoices: Iterable[Invoice], speed: float, as_of: datetime = AS_OF
) -> list[Registered]:
    """Store the invoices and return them, ready to be started as rehearsals of this speed. Raises Refused."""
    clock = Clock(rehearsal=True, speed=speed, real=as_of, case=as_of)
    registrar = Registrar(deps, {policy.name: policy})
    known: list[Registered] = []
    for some in in_chunks(list(invoices)):
        for found in registrar.register_all(some, as_of, clock):
            if isinstance(found, Refused):
                raise found
            known.append(found)
    return known


async def begin(client: Client, known: Registered, as_of: datetime = AS_OF) -> Handle:
    """Start the case, whose own time is now `as_of`. Raises RuntimeError when it has ended already."""
    if known.start is None:
        raise RuntimeError(f"{known.invoice.invoice_id} had ended before it began")
    case = known.opening.case
    clock = known.start.clock.set(datetime.now(UTC), as_of)
    return await client.start_workflow(
        InvoiceDunning.run,
        known.start.model_copy(update={"clock": clock}),
        id=workflow_id(known.invoice.invoice_id),
        task_queue=TASK_QUEUE,
        static_summary=summary(case, known.invoice.number),
        search_attributes=first_attributes(case),
    )


async def pay(handle: Handle) -> None:
    """Pay the whole invoice by a signal."""
    await handle.signal("payment_received", PAYMENT)
