"""What would happen to an invoice if its case were started: each step with its moment, reason and readers."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dunwell.client.registration import Registrar
from dunwell.domain.case import Case
from dunwell.domain.invoice import Invoice
from dunwell.domain.ladder import PreviewLine, preview
from dunwell.domain.next_action import standing
from dunwell.domain.payment_reference import grouped, reference_for
from dunwell.domain.policy import Policy
from dunwell.domain.recipients import Reach, audience
from dunwell.domain.terms import Role
from dunwell.services.dependencies import Dependencies
from dunwell.texts.formatting import grouped_iban
from dunwell.views.law_notes import law_notes

_FAR_OFF = 10  # years


def previewed(
    deps: Dependencies, invoice: Invoice, policy: Policy, case: Case, now: datetime
) -> tuple[PreviewLine, ...]:
    if case.ended:
        return ()
    return preview(policy, standing(case), deps.calendar(invoice.customer, policy, invoice, now), now)


def preview_facts(
    invoice: Invoice, policy: Policy, case: Case, lines: Iterable[PreviewLine], notes: Sequence[str]
) -> dict[str, Any]:
    zone = ZoneInfo(invoice.customer.time_zone)
    return {
        "invoice_id": invoice.invoice_id,
        "number": invoice.number,
        "payment_reference": reference_for([invoice.invoice_id]),
        "customer": invoice.customer.name,
        "amount": invoice.amount,
        "paid": round(case.money.paid, case.money.digits),
        "amount_due": case.open_amount,
        "credit": case.credit,
        "currency": invoice.currency,
        "due_on": invoice.due_on,
        "policy": {"name": policy.name, "version": policy.version},
        "time_zone": invoice.customer.time_zone,
        "window": contact_hours(policy),
        "notes": notes,
        "steps": [_step_facts(invoice, policy, line, zone) for line in lines],
    }


def notes_on(
    deps: Dependencies, registrar: Registrar, invoice: Invoice, policy: Policy, now: datetime, known: Case | None
) -> Iterator[str]:
    """Yield notes on what people may not expect in the messages of this invoice, and on what the law says of them.

    known: the case that the invoice has already.
    """
    yield from _doubts(invoice, known, now)
    if why := registrar.other_language(invoice):
        yield f"language: {why}"
    yield f"payment reference: {grouped(reference_for([invoice.invoice_id]))}"
    if invoice.payment_url is None:
        account = deps.sender.account_for(invoice.currency)
        where = f"to our account {grouped_iban(account.iban)}" if account else "by the bank details on the invoice"
        yield f"no payment_url: messages ask for a bank transfer {where}"
    yield from law_notes(deps, invoice, policy, now)


def _doubts(invoice: Invoice, known: Case | None, now: datetime) -> Iterator[str]:
    """Yield what somebody has to know before they trust this preview."""
    if far_off := due_far_off(invoice, now):
        yield far_off
    if known is not None:
        paid = f"{round(known.money.paid, known.money.digits)} {known.currency}"
        yield (
            f"this invoice has a case already ({known.stage.value}, {paid} paid): the preview is that of a new one, "
            f"and looks at no payment or event of it; see starter.py status {invoice.invoice_id}"
        )


def due_far_off(invoice: Invoice, now: datetime) -> str | None:
    """Return a remark about a due date more than ten years away, which is likely a slip; None otherwise."""
    if abs(invoice.due_on.year - now.year) <= _FAR_OFF:
        return None
    return f"due_on: {invoice.due_on} is more than {_FAR_OFF} years away: is it a slip?"


def what_happens(invoice: Invoice, policy: Policy, line: PreviewLine) -> str:
    if line.do.value == "skip":
        return "left out"
    parts = []
    reached = _reached(invoice, policy, line)
    if line.message:
        parts.append(f"{line.message} {_to_whom(invoice, line, reached)}")
    parts += [f"announces {step}" for step in policy.step(line.step).announces]
    copied = _copied(invoice, line, reached)
    parts += [f"copy to {', '.join(copied)}"] if copied else []
    parts += [f"access {line.access.value}"] if line.access else []
    parts += [f"stage {line.stage.value}"] if line.stage else []
    parts += [f"ends {line.ends.value}"] if line.ends else []
    parts += ["once our manager says yes"] if line.approval else []
    return "; ".join(parts)


def _step_facts(invoice: Invoice, policy: Policy, line: PreviewLine, zone: ZoneInfo) -> dict[str, Any]:
    reached = _reached(invoice, policy, line)
    return line.model_dump() | {
        "to": list(dict.fromkeys(one.role for one in reached)),
        "by": list(dict.fromkeys(one.channel for one in reached)),
        "reached": [one.model_dump() for one in reached],
        "copies": _copied(invoice, line, reached),
        "announces": policy.step(line.step).announces,
        "local": line.at.astimezone(zone).isoformat(),
    }


def _reached(invoice: Invoice, policy: Policy, line: PreviewLine) -> tuple[Reach, ...]:
    """Return which of the contacts named in the invoice's record a step reaches."""
    if line.message is None:
        return ()
    people = (*(invoice.contacts or ()), *invoice.customer.contacts)
    return audience(people, line.to, line.by, named_only=policy.named_only)


def _copied(invoice: Invoice, line: PreviewLine, reached: Sequence[Reach]) -> list[Role]:
    """Return the roles that get a copy: they have an e-mail address, and the message itself does not reach them."""
    people = (*(invoice.contacts or ()), *invoice.customer.contacts)
    mailed = {one.role for one in people if one.email} - {one.role for one in reached}
    return [role for role in line.copies if role in mailed]


def _to_whom(invoice: Invoice, line: PreviewLine, reached: Sequence[Reach]) -> str:
    if not invoice.names_contacts:
        return f"to those of {', '.join(line.to)} who are known, by {' or '.join(line.by)}"
    if not reached:
        return "reaches nobody of this invoice: a person is asked"
    whom = ", ".join(dict.fromkeys(f"{one.role} by {one.channel}" for one in reached))
    return f"to {whom}" + (", since nobody whom the step names can be reached" if reached[-1].instead else "")


def contact_hours(policy: Policy) -> str:
    """Return the hours of contact, such as 09:00-17:00."""
    return f"{policy.window[0]:%H:%M}-{policy.window[1]:%H:%M}"
