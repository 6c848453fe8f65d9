"""Notes of the preview on the law: limits of contacts, and what is claimed beside an invoice."""

from collections.abc import Iterator
from datetime import datetime

from dunwell.domain.claim_history import InterestTerms
from dunwell.domain.claim_terms import contract_terms
from dunwell.domain.governing_law import counts_as, law_of
from dunwell.domain.invoice import Invoice
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.policy import Policy
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import AccessoryRule, DebtorKind
from dunwell.services import contact_law
from dunwell.services.dependencies import Dependencies


def law_notes(deps: Dependencies, invoice: Invoice, policy: Policy, now: datetime) -> Iterator[str]:
    """Yield the notes for one invoice."""
    yield from _contact_notes(deps, invoice, now)
    yield from _claim_notes(deps, invoice, policy)


def _contact_notes(deps: Dependencies, invoice: Invoice, now: datetime) -> Iterator[str]:
    """Yield the limits of contacts by the law of the customer's country."""
    rule = contact_law.rule_for(deps.laws, invoice.customer, now.date())
    if rule is None:
        return
    yield f"contacts by {contact_law.name_of(rule)}: {' '.join(rule.sentences())}"
    if unnamed := contact_law.why_unnamed(rule, deps.sender):
        yield f"nothing can be sent: {unnamed}"


def _claim_notes(deps: Dependencies, invoice: Invoice, policy: Policy) -> Iterator[str]:
    """Yield what is claimed beside the invoice once it is late, and what becomes of it when the invoice is paid."""
    customer = invoice.customer
    terms = contract_terms((invoice.interest, customer.interest), (invoice.lump_sum, customer.lump_sum), policy)
    claimed = {
        InterestTerms.NONE: [],
        InterestTerms.STATUTORY: ["interest by law"],
        InterestTerms.CONTRACT: [f"interest of {terms.contract_rate} % a year, as agreed"],
    }[terms.interest]
    private = counts_as(customer.kind) is DebtorKind.CONSUMER
    lump_sum = "the lump sum by law" + (", which a private person does not owe" if private else "")
    claimed += [lump_sum] if terms.lump_sum else []
    fees = [step for step in policy.steps if step.fee and step.fee.currency == invoice.currency]
    claimed += [f"{step.fee} for {step.id}" for step in fees]
    if not claimed:
        return
    floor = f" from {policy.accessory_floor} {invoice.currency} on" if policy.accessory_floor else ""
    then = {
        AccessoryRule.WAIVE: "waived",
        AccessoryRule.BILL: f"billed by a person{floor}",
        AccessoryRule.ASK_ONCE: f"asked for once{floor}",
    }[policy.accessory]
    steps = [step.id for step in policy.steps if step.claims]
    where = f"printed by {', '.join(steps)}" if steps else "printed by no step"
    try:
        law = _law(deps, invoice)
    except Refused as refused:
        yield f"nothing is claimed beside the invoice, although {' and '.join(claimed)} should be: {refused.reason}"
        return
    yield f"claimed when it is late, as far as the law of {law.name} allows: {', '.join(claimed)}; {where}"
    if customer.kind is None:
        yield "whether the customer is a business was not said (customer.kind): they are treated as a private person"
    yield f"what is left of that once the invoice is paid is {then}"


def _law(deps: Dependencies, invoice: Invoice) -> Jurisdiction:
    """The law that governs the claim. Raises Refused where none is chosen, or the chosen one is not complete."""
    customer, known = invoice.customer, deps.laws
    code = law_of(
        jurisdiction=invoice.jurisdiction,
        residence=customer.country,
        kind=customer.kind,
        seller=deps.sender.country,
        known=known,
    )
    known[code].check_complete()
    return known[code]
