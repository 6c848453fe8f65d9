"""The claim of an invoice on a day, as people and programs read it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.claim import Period
from dunwell.domain.refusal import Refused
from dunwell.services.claims import InvoiceClaim, claim_on, today_of
from dunwell.store import cases
from dunwell.views.facts import Facts
from dunwell.views.lookup import find_invoice

_AMOUNTS = ("principal", "disputed", "interest", "lump_sum", "costs", "total")


def claim_facts(session: Session, invoice_id: str, as_of: date | None, seller: str | None) -> Facts:
    """Return the claim of an invoice on a day, today if none is given: today of the customer, by the case's clock.

    seller: the setting SENDER_COUNTRY. Raises Refused when there is no such case, and when the law that the claim
    needs is not chosen, unknown or not complete.
    """
    find_invoice(session, invoice_id)
    row, case = cases.get_row(session, invoice_id), cases.get(session, invoice_id)
    if row is None or case is None:
        raise Refused("invoice", f"{invoice_id!r} is registered, but its case was never opened: start its file again")
    now = cases.time_of(row, datetime.now(UTC))
    day = as_of or today_of(session, case, now)
    return _facts(case, claim_on(session, invoice_id, day, seller=seller))


def claim_or_reason(session: Session, invoice_id: str, seller: str | None, as_of: date | None = None) -> Facts:
    """Return the claim of the day as `claim`, or why there is none as `no_claim`; the other one is None."""
    try:
        return {"claim": claim_facts(session, invoice_id, as_of, seller), "no_claim": None}
    except (Refused, LookupError) as error:  # the ladder of the case may be missing; its status is shown all the same
        return {"claim": None, "no_claim": f"{error}"}


def _facts(case: Case, found: InvoiceClaim) -> Facts:
    claim = found.claim
    apart, given_up = claim.lump_sum_apart, claim.given_up
    return {
        "invoice_id": case.invoice_id,
        "customer_id": case.customer_id,
        "stage": case.stage.value,
        "as_of": claim.as_of.isoformat(),
        "due_on": case.due_on.isoformat(),
        "currency": claim.currency,
        **{name: str(getattr(claim, name)) for name in _AMOUNTS},
        "certainty": claim.certainty.value,
        "periods": [_period(one) for one in claim.periods],
        "jurisdiction": found.law.code if found.law else None,
        "customer_kind": found.kind.value if found.kind else None,
        "first_day": claim.first_day.isoformat() if claim.first_day else None,
        "basis": {head.value: list(cited) for head, cited in claim.basis.items()},
        "reasons": list(claim.reasons),
        "left_out": list(claim.left_out),
        "gaps": list(claim.gaps),
        "remarks": list(claim.remarks),
        "payments": [one.model_dump(mode="json") for one in claim.payments],
        "lump_sum_apart": None if apart is None else apart.model_dump(mode="json"),
        "given_up": None if given_up is None else given_up.model_dump(mode="json"),
    }


def _period(one: Period) -> Mapping[str, Any]:
    facts = one.model_dump(mode="json", by_alias=True, exclude={"provisional"})
    return {name: facts[name] for name in ("from", "to", "days", "balance", "base", "margin", "rate", "amount")}
