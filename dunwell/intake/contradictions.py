"""Finds records of one file that disagree about a customer. It is unknown which one is right, so all are refused."""

from collections.abc import Sequence

from dunwell.domain.invoice import Invoice
from dunwell.intake.lines import Record
from dunwell.intake.refusals import Refusal, shown

_FACTS = ("name", "country")
"""Fields in which all records of a customer must agree. Contacts may differ, because each invoice names its own."""


def contradictions(found: Sequence[tuple[Record, Invoice]]) -> dict[str, Refusal]:
    """Return the refusal of all records of a customer, by customer id. It names the records that disagree."""
    by_customer: dict[str, list[tuple[Record, Invoice]]] = {}
    for record, invoice in found:
        by_customer.setdefault(invoice.customer.customer_id, []).append((record, invoice))
    refusals = {}
    for customer_id, some in by_customer.items():
        for fact in _FACTS:
            by_value: dict[str, tuple[Record, str]] = {}
            for record, invoice in some:
                value = getattr(invoice.customer, fact)
                by_value.setdefault(" ".join(value.casefold().split()), (record, value))
            if len(by_value) > 1 and customer_id not in refusals:
                refusals[customer_id] = _refusal(fact, customer_id, list(by_value.values()), [one for one, _ in some])
    return refusals


def _refusal(
    fact: str, customer_id: str, by_value: Sequence[tuple[Record, str]], records: Sequence[Record]
) -> Refusal:
    path = f"customer.{fact}"
    values = ", ".join(f"{shown(value)!r} on {record.where}" for record, value in by_value[:3])
    more = f" and {len(by_value) - 3} more" if by_value[3:] else ""
    reason = (
        f"is not the same in all records of customer {customer_id} ({values}{more}), so none of them is started: "
        f"give each customer an id of its own, or write the {fact} in the same way"
    )
    first, *others = records
    return Refusal(first.where, first.columns.get(path, path), reason, also=tuple(one.where for one in others))
