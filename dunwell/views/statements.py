"""A bank statement as people and programs look at it."""

from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from dunwell.services.statements import StatementPreview, Verdict


def preview_facts(preview: StatementPreview) -> dict[str, Any]:
    """Return what a file brings, with the number and the sum of its entries for each thing that follows."""
    counts, sums = Counter[tuple[Verdict, str]](), defaultdict[tuple[Verdict, str], Decimal](Decimal)
    for line in preview.lines:
        key = line.verdict, line.entry.currency
        counts[key] += 1
        sums[key] += line.entry.amount
    order = list(Verdict)
    totals = [
        {
            "verdict": verdict,
            "currency": currency,
            "entries": counts[verdict, currency],
            "sum": sums[verdict, currency],
        }
        for verdict, currency in sorted(counts, key=lambda key: (order.index(key[0]), key[1]))
    ]
    return preview.model_dump() | {"totals": totals}
