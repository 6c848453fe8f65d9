"""Records of one file that disagree about a customer: nobody can tell which of them is right, so none is taken."""

from collections.abc import Sequence

from dunwell.domain.invoice import Invoice
from dunwell.intake.lines import Record
from dunwell.intake.refusals import Refusal, shown

_FACTS = ("name", "country")
"""What belongs to one customer id alone. Contacts may differ: those of an invoice are the ones its record names."""


def contradictions(found: Sequence[tuple[Record, Invoice]]) -> dict[str, Refusal]:
    """Why all records of a customer are refused, by customer: one refusal names the records that disagree."""
    together: dict[str, list[tuple[Record, Invoice]]] = {}
    for record, invoice in found:
        together.setdefault(invoice.customer.customer_id, []).append((record, invoice))
    refusals = {}
    for customer_id, some in together.items():
        for fact in _FACTS:
            said: dict[str, tuple[Record, str]] = {}
            for record, invoice in some:
                value = getattr(invoice.customer, fact)
                said.setdefault(" ".join(value.casefold().split()), (record, value))
            if len(said) > 1 and customer_id not in refusals:
                refusals[customer_id] = _refusal(fact, customer_id, list(said.values()), [one for one, _ in some])
    return refusals


def _refusal(fact: str, customer_id: str, said: Sequence[tuple[Record, str]], records: Sequence[Record]) -> Refusal:
    path = f"customer.{fact}"
    values = ", ".join(f"{shown(value)!r} on {record.where}" for record, value in said[:3])
    more = f" and {len(said) - 3} more" if said[3:] else ""
    reason = (
        f"is not the same in all records of customer {customer_id} ({values}{more}), so none of them is started: "
        f"give each customer an id of its own, or write the {fact} in the same way"
    )
    first, *others = records
    return Refusal(first.where, first.columns.get(path, path), reason, also=tuple(one.where for one in others))
