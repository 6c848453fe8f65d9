"""The claim of one invoice on a day: what its case and the database know, by the law that governs it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from dunwell.domain.case import Case
from dunwell.domain.claim import Claim, claim_of
from dunwell.domain.claim_history import (
    AmountFrom,
    ClaimHistory,
    ContractTerms,
    Cost,
    DisputedSpan,
    InterestTerms,
    Payment,
    Reversal,
)
from dunwell.domain.claim_terms import contract_terms
from dunwell.domain.governing_law import SELLER, counts_as, known_law
from dunwell.domain.jurisdiction import FeeAllowed, Jurisdiction
from dunwell.domain.keys import StepKey
from dunwell.domain.policy import Policy
from dunwell.domain.refusal import Refused
from dunwell.domain.terms import TAKEN_STATES, AccessoryRule, DebtorKind, Stage
from dunwell.services import laws
from dunwell.store import cases, invoices, outbox, policies
from dunwell.store.tables import CustomerRow, InvoiceRow

_REMARKS = {
    Stage.CANCELLED: "the invoice was cancelled: nothing of it was ever owed",
    Stage.HANDED_OVER: "the case was handed over: this goes on being owed, and is not asked for here any more",
}


@dataclass(frozen=True)
class InvoiceClaim:
    """A claim with what it was made by. `law` None: nothing beside the principal is claimed, which needs no law."""

    claim: Claim
    terms: ContractTerms
    kind: DebtorKind | None
    law: Jurisdiction | None


def claim_on(session: Session, invoice_id: str, as_of: date, *, seller: str | None) -> InvoiceClaim:
    """Return the claim of an invoice on a day, as far as is known now.

    seller: the setting SENDER_COUNTRY. Raises Refused when the law is not chosen, unknown or not complete, and
    LookupError when the invoice has no case.
    """
    case = cases.get(session, invoice_id)
    if case is None:
        raise LookupError(f"invoice {invoice_id!r} has no case: start its file first")
    if as_of < case.issued_on:
        raise Refused("as_of", f"{as_of} lies before {case.issued_on}, the day on which the invoice was issued")
    policy = policies.load(session, case.policy.name, case.policy.version)
    found = claim_of_case(session, case, policy, as_of, seller=seller)
    return replace(found, claim=_after_the_end(case, found.claim))


def _after_the_end(case: Case, claim: Claim) -> Claim:
    """Of a case that has ended: what was waived is not claimed, and a remark says what becomes of the rest."""
    if claim.given_up is not None:
        return claim
    left, remark = case.accessory, _REMARKS.get(case.ended) if case.ended else None
    if left is not None and claim.settled and claim.as_of >= left.as_of:
        asked_on, until = case.accessory_asked_on, case.money.claim_until
        match left.rule:
            case AccessoryRule.WAIVE:
                return claim.without(claim.give_up(left.as_of, "waived"))
            case AccessoryRule.BILL:
                remark = "a task asks a person to bill what is left, or to let it go"
            case AccessoryRule.ASK_ONCE if asked_on is None or until is None or claim.as_of < asked_on:
                remark = "what is left is asked for once"
            case AccessoryRule.ASK_ONCE if claim.as_of > until:
                return claim.without(claim.give_up(until, f"waived: it was asked for on {asked_on} and did not come"))
            case AccessoryRule.ASK_ONCE:
                remark = f"what is left was asked for on {asked_on}: what does not come by {until} is waived"
    return claim.model_copy(update={"remarks": (*claim.remarks, remark)}) if remark else claim


def claim_of_case(
    session: Session,
    case: Case,
    policy: Policy,
    as_of: date,
    *,
    seller: str | None,
    sending: tuple[str, date] | None = None,
) -> InvoiceClaim:
    """Return the same for a case that is newer than its copy in the database.

    sending: a step whose message is being written, with its day; its fee counts as charged.
    """
    row, customer = invoices.get_row(session, case.invoice_id), invoices.customer_row(session, case.customer_id)
    if row is None:
        raise LookupError(f"invoice {case.invoice_id!r} is not in the database")
    terms, law = _terms(session, row, policy), None
    if needs_law(terms, policy):
        law = laws.governing_law(
            session,
            jurisdiction=row.jurisdiction,
            residence=customer.country,
            kind=customer.kind,
            seller=seller,
        )
    history = history_of(session, case, policy, customer, law, sending)
    claim = claim_of(history, law, customer.kind, SELLER, terms, as_of)
    return InvoiceClaim(claim, terms, customer.kind, law)


def needs_law(terms: ContractTerms, policy: Policy) -> bool:
    """Whether anything beside the principal may be claimed."""
    return terms.interest is not InterestTerms.NONE or terms.lump_sum or any(step.fee for step in policy.steps)


def claims_more(session: Session, case: Case, policy: Policy) -> bool:
    """Whether more than the principal may be claimed for this invoice."""
    row = invoices.get_row(session, case.invoice_id)
    return row is not None and needs_law(_terms(session, row, policy), policy)


def _terms(session: Session, row: InvoiceRow, policy: Policy) -> ContractTerms:
    customer = invoices.customer_row(session, row.customer_id)
    return contract_terms((row.interest, customer.interest), (row.lump_sum, customer.lump_sum), policy)


def today_of(session: Session, case: Case, now: datetime) -> date:
    """Return the customer's date at `now`, or that of the case's last claim if it is later.

    A step that began before something was recorded is written down after it, and must not undo what that came to.
    """
    day = now.astimezone(ZoneInfo(invoices.customer_row(session, case.customer_id).time_zone)).date()
    return day if case.last_claim is None else max(day, case.last_claim.as_of)


# What happened --------------------------------------------------------------------------------------------


def history_of(
    session: Session,
    case: Case,
    policy: Policy,
    customer: CustomerRow,
    law: Jurisdiction | None,
    sending: tuple[str, date] | None = None,
) -> ClaimHistory:
    """Return what happened to the invoice, by the days of the customer's own time zone."""
    zone = ZoneInfo(customer.time_zone)
    warned = [row.settled_at for _, row in outbox.delivered_warnings(session, case.invoice_id) if row.settled_at]
    costs = _costs(session, case, policy, customer, law, _Days(zone), sending)
    return history_of_case(case, zone, warned, tuple(costs))


def history_of_case(case: Case, zone: ZoneInfo, warned: Iterable[datetime], costs: tuple[Cost, ...]) -> ClaimHistory:
    """Return the same from what a case keeps, the times at which its warnings arrived, and what was charged."""
    days = _Days(zone)
    payments = tuple(
        Payment(
            payment_id=receipt.payment_id,
            on=days.of(receipt.received_at),
            amount=receipt.amount,
            designation=receipt.designation,
        )
        for receipt in case.money.receipts
    )
    return ClaimHistory(
        currency=case.currency,
        digits=case.money.digits,
        issued_on=case.issued_on,
        due_on=case.due_on,
        amounts=tuple(_amounts(case, days, payments)),
        payments=payments,
        reversals=tuple(_reversals(case, days, payments)),
        disputes=tuple(_disputes(case, days)),
        noticed_on=min((day for day in map(days.of, warned) if day > case.due_on), default=None),
        written_off_on=days.of(case.written_off_at) if case.written_off_at is not None else None,
        costs=costs,
    )


class _Days:
    """The dates of a time zone."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def of(self, moment: datetime) -> date:
        return moment.astimezone(self._zone).date()


def _amounts(case: Case, days: _Days, payments: tuple[Payment, ...]) -> Iterator[AmountFrom]:
    """What the invoice was over, and since when. A small rest that is waived is owed no more once the last part came.

    A cancelled invoice was never owed.
    """
    money, since = case.money, case.issued_on
    if case.ended is Stage.CANCELLED:
        yield AmountFrom(on=since, amount=Decimal(0))
        return
    for earlier in money.earlier_amounts:
        yield AmountFrom(on=since, amount=earlier.amount)
        since = max(since, days.of(earlier.until))
    yield AmountFrom(on=since, amount=money.amount)
    if case.waived:
        last = max([since, *(payment.on for payment in payments)])
        yield AmountFrom(on=last, amount=money.amount - case.waived)


def _reversals(case: Case, days: _Days, payments: tuple[Payment, ...]) -> Iterator[Reversal]:
    paid_on = {payment.payment_id: payment.on for payment in payments}
    for one in case.money.reversals:
        if one.payment_id in paid_on:  # what never counted was not taken back from the claim
            on = max(days.of(one.at), paid_on[one.payment_id])
            yield Reversal(payment_id=one.payment_id, on=on, amount=one.amount)


def _disputes(case: Case, days: _Days) -> Iterator[DisputedSpan]:
    for past in case.agreements.past_disputes:
        span = {"since": days.of(past.since), "until": days.of(past.until)}
        yield DisputedSpan(**span, amount=past.amount, rejected=past.rejected)
    dispute = case.agreements.dispute
    if dispute is not None and dispute.since is not None:
        yield DisputedSpan(since=days.of(dispute.since), amount=dispute.amount)


def _costs(
    session: Session,
    case: Case,
    policy: Policy,
    customer: CustomerRow,
    law: Jurisdiction | None,
    days: _Days,
    sending: tuple[str, date] | None,
) -> Iterator[Cost]:
    """The fees of the steps that a provider took messages of, each once, as far as the law and the ladder agree."""
    fees = {step.id: step.fee for step in policy.steps if step.fee and step.fee.currency == case.currency}
    if not fees or law is None or law.code not in {known_law(code, {law.code}) for code in policy.jurisdictions}:
        return
    charged = 0
    for position, (step, on) in enumerate(_reminders(session, case, days, sending).items()):
        fee, rule = fees.get(step), law.fee_rule(counts_as(customer.kind), SELLER, on)
        if fee is None or rule is None or rule.allowed is FeeAllowed.NEVER or (rule.first_free and position == 0):
            continue
        if rule.times is not None and charged >= rule.times:
            continue
        charged += 1
        most = rule.at_most if rule.at_most is not None and rule.currency == case.currency else fee.amount
        yield Cost(on=on, amount=min(fee.amount, most), code=step)


def _reminders(session: Session, case: Case, days: _Days, sending: tuple[str, date] | None) -> dict[str, date]:
    """The steps that asked for payment after the due date, each with the day of its first message, in order."""
    found: dict[str, date] = {}
    for claimed, row in outbox.warnings(session, case.invoice_id):
        if row.sent_at is not None and row.state in TAKEN_STATES:
            found.setdefault(StepKey.parse(claimed).step, days.of(row.sent_at))
    if sending is not None:
        found.setdefault(*sending)
    return found
