"""What a customer sees behind the link of a message: its invoices, what was agreed, and what is possible."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from dunwell.domain.agreements import Plan, ResolvedDispute
from dunwell.domain.case import Case
from dunwell.domain.channels import AddressKind, Channel
from dunwell.domain.claim import Claim
from dunwell.domain.closed_addresses import BY_OWNER
from dunwell.domain.payment_reference import grouped
from dunwell.domain.policy import PlanRules, Policy
from dunwell.domain.refusal import Refused
from dunwell.domain.self_service import Days, Part, counts, last_day, promise_days
from dunwell.domain.terms import DebtorKind, PromiseState, Stage, TaskState
from dunwell.services.claims import claim_of_case, claims_more
from dunwell.services.customer_requests import payment_search
from dunwell.services.dependencies import Dependencies
from dunwell.services.our_company import BankAccount
from dunwell.services.payers import may_name
from dunwell.store import (
    addresses,
    cases,
    contacts,
    invoice_documents,
    invoices,
    outbox,
    payers,
    payment_references,
    payments,
    tasks,
)
from dunwell.store.tables import TaskRow
from dunwell.texts.masked_addresses import masked

_OVER: Mapping[Stage, str] = {
    Stage.PAID: "settled",
    Stage.CANCELLED: "cancelled",
    Stage.HANDED_OVER: "handed_over",
    Stage.WRITTEN_OFF: "closed",
}


@dataclass(frozen=True)
class Instalment:
    """A part of a plan. `met`: what came covers it. `amount`: without what is in dispute, which may be all of it."""

    on: date
    amount: Decimal
    met: bool


@dataclass(frozen=True)
class Bill:
    """An invoice as its customer sees it. Amounts in `currency`, with `digits` minor units.

    place           its place among the invoices of the link
    open, disputed  what is unpaid, and how much of that is in dispute
    heads           interest, lump sum and costs as far as they may be claimed today; `total` with them and the rest
    promised        the promise that runs, and how much of it is still to come (`promise_left`)
    broken          the last promise, if it was not kept and nothing was agreed since
    announced       the payment that they say has left, and when they said so; a person looks for it
    call_at         the local time of the call that they asked for; None once it has come, and for no certain time
    rests           whether no reminder leaves for now, for another reason than a promise, a plan or a reply
    coming          what is to be paid next of the plan that runs
    promise_days    when a promise may be for; None: none is taken
    counts          how many instalments may be chosen; plan_until: the last day of one
    """

    invoice_id: str
    place: int
    number: str
    stage: Stage
    issued_on: date
    due_on: date
    currency: str
    digits: int
    amount: Decimal
    paid: Decimal
    open: Decimal
    disputed: Decimal
    total: Decimal
    payment_url: str | None
    has_document: bool
    heads: Mapping[str, Decimal] = field(default_factory=dict)
    promised: Part | None = None
    promise_left: Decimal = Decimal(0)
    broken: Part | None = None
    instalments: Sequence[Instalment] = ()
    coming: Part | None = None
    announced: Part | None = None
    awaits_call: bool = False
    call_at: datetime | None = None
    awaits_reply: bool = False
    rests: bool = False
    in_dispute: bool = False
    resolved: Sequence[ResolvedDispute] = ()
    promise_days: Days | None = None
    counts: Sequence[int] = ()
    plan_until: date | None = None

    @property
    def is_open(self) -> bool:
        return not self.stage.ended and self.open > 0

    @property
    def over(self) -> str | None:
        """The word of the page that says why nothing is asked for; None while something is open.

        Money that the database has counts before the case has heard of it.
        """
        if self.stage.ended:
            return _OVER[self.stage]
        return None if self.open else _OVER[Stage.PAID]

    @property
    def noted(self) -> bool:
        """Whether anything was agreed or decided about it that the page tells."""
        standing = self.announced or self.awaits_call or self.awaits_reply or self.rests or self.in_dispute
        return bool(standing or self.promised or self.broken or self.instalments or self.resolved)

    @property
    def to_pay(self) -> Decimal:
        """What is to be paid now, without what is in dispute."""
        return self.total if self.is_open else Decimal(0)


@dataclass(frozen=True)
class Transfer:
    """How to pay some invoices together by bank transfer. `next`: what comes first of it, by the plan that runs."""

    numbers: Sequence[str]
    amount: Decimal
    currency: str
    digits: int
    account: BankAccount
    reference: str
    next: Part | None = None


@dataclass(frozen=True)
class CustomerPage:
    """What the page shows. No address is shown whole, because a link may be forwarded.

    who     the name of whoever the link was sent to, else the customer's
    phone   the number on file of whoever the link was sent to, masked; None without one
    stops   whether e-mails to the address of the message can be stopped; stopped: they are
    named   whom the holder of the link named as the one who pays, by name alone
    may_name  whether one more may be named
    """

    language: str
    country: str
    time_zone: ZoneInfo
    today: date
    consumer: bool
    bills: Sequence[Bill]
    transfers: Sequence[Transfer]
    who: str
    phone: str | None
    stops: bool
    stopped: bool
    named: Sequence[str] = ()
    may_name: bool = True

    @property
    def open(self) -> list[Bill]:
        return [bill for bill in self.bills if bill.is_open]

    @property
    def payable(self) -> list[Bill]:
        return [bill for bill in self.bills if bill.to_pay]


def read_page(
    session: Session,
    deps: Dependencies,
    customer_id: str,
    invoice_ids: Sequence[str],
    contact_id: str | None,
    message_id: str | None,
    now: datetime,
    *,
    link_id: str = "",
) -> CustomerPage:
    """Return the page about these invoices of a customer, as they stand in this transaction; that of a rehearsal at
    the time of its cases.

    link_id: of the link that opens it
    """
    customer, now = invoices.customer_row(session, customer_id), cases.time_of_customer(session, customer_id, now)
    zone = ZoneInfo(customer.time_zone)
    today = now.astimezone(zone).date()
    found = [_bill(session, deps, one, place, now.astimezone(zone)) for place, one in enumerate(invoice_ids)]
    bills = sorted((bill for bill in found if bill is not None), key=lambda one: (one.due_on, one.number))
    stops, stopped = _mailbox(session, message_id)
    contact = contacts.get(session, contact_id)
    phone = contact.phone if contact is not None else None
    return CustomerPage(
        language=customer.language,
        country=customer.country,
        time_zone=zone,
        today=today,
        consumer=customer.kind in {None, DebtorKind.CONSUMER},
        bills=bills,
        transfers=_transfers(session, deps, [bill for bill in bills if bill.to_pay], len(bills)),
        who=contact.name if contact is not None else customer.name,
        phone=masked(AddressKind.NUMBER, phone) if phone else None,
        stops=stops,
        stopped=stopped,
        named=[row.name for row in payers.of_link(session, link_id)],
        may_name=may_name(session, link_id, customer_id),
    )


def _bill(session: Session, deps: Dependencies, invoice_id: str, place: int, now: datetime) -> Bill | None:
    """The invoice at `now`, which is the customer's own time; None for one without a case."""
    row, kept = invoices.get_row(session, invoice_id), cases.get_row(session, invoice_id)
    if row is None or kept is None:
        return None
    case = Case.model_validate(kept.state).with_paid(payments.paid(session, invoice_id))
    today = now.date()
    policy = _policy(session, deps, case)
    claim, rules = _claim(session, deps, case, policy, today), policy.plans if policy is not None else PlanRules()
    agreements, money = case.agreements, case.money
    last = agreements.promises[-1] if agreements.promises else None
    left = min(last.still_missing(money.paid), case.open_amount) if last is not None else Decimal(0)
    call = _requested_call(session, case)
    plan = agreements.plan
    broken = last is not None and last.state is PromiseState.BROKEN and plan is None
    coming = plan.coming(money.paid, case.asked) if plan is not None else None
    heads = _heads(claim) if claim is not None else {}
    return Bill(
        invoice_id=invoice_id,
        place=place,
        number=row.number,
        stage=case.stage,
        issued_on=case.issued_on,
        due_on=case.due_on,
        currency=case.currency,
        digits=money.digits,
        amount=money.amount,
        paid=money.paid,
        open=case.open_amount,
        disputed=case.open_amount - case.asked,
        total=case.asked + sum(heads.values(), Decimal(0)),
        payment_url=row.payment_url,
        has_document=invoice_documents.exists(session, invoice_id),
        heads=heads,
        promised=Part(last.date, last.amount)
        if last is not None and last.state is PromiseState.OPEN and left
        else None,
        promise_left=left,
        broken=Part(last.date, last.amount) if last is not None and broken else None,
        instalments=_instalments(plan, case) if plan is not None else (),
        coming=Part(coming.date, coming.amount) if coming is not None else None,
        announced=_announced(session, case, now),
        awaits_call=call is not None,
        call_at=call.due_at.astimezone(now.tzinfo) if call is not None and call.due_at > now else None,
        awaits_reply=bool(agreements.replies),
        rests=bool(agreements.pauses or agreements.awaited or agreements.call),
        in_dispute=agreements.dispute is not None,
        resolved=agreements.resolved,
        promise_days=promise_days(case, today),
        counts=counts(case, rules),
        plan_until=last_day(rules, today),
    )


def _instalments(plan: Plan, case: Case) -> list[Instalment]:
    amounts = plan.amounts(case.money.paid, case.asked)
    return [
        Instalment(one.date, amount, place < plan.met)
        for place, (one, amount) in enumerate(zip(plan.instalments, amounts, strict=True))
    ]


def _requested_call(session: Session, case: Case) -> TaskRow | None:
    """The call that they asked for, which nobody has made yet; it need not keep the ladder at rest."""
    return next((task for task in tasks.open_by_person(session, case.invoice_id) if task.requested), None)


def _announced(session: Session, case: Case, now: datetime) -> Part | None:
    """The payment that they say has left, while it is waited for or a person still looks for it."""
    announced, awaited = case.agreements.announced_payment, case.agreements.awaited
    if announced is None:
        return None
    waits = awaited is not None and awaited.what == "payment"
    task = payment_search(session, case)
    if not waits and (task is None or task.state != TaskState.OPEN):
        return None
    return Part(announced.at.astimezone(now.tzinfo).date(), announced.amount)


def _heads(claim: Claim) -> dict[str, Decimal]:
    heads = {"interest": claim.interest, "lump_sum": claim.lump_sum, "costs": claim.costs}
    return {head: amount for head, amount in heads.items() if amount}


def _claim(session: Session, deps: Dependencies, case: Case, policy: Policy | None, today: date) -> Claim | None:
    """What may be claimed today; None where nothing beside the invoice is, or nobody can say what."""
    if case.ended or policy is None or today < case.issued_on or not claims_more(session, case, policy):
        return None
    try:
        return claim_of_case(session, case, policy, today, seller=deps.sender.country).claim
    except (Refused, LookupError):  # a person was asked about it; the invoice itself can be paid all the same
        return None


def _policy(session: Session, deps: Dependencies, case: Case) -> Policy | None:
    try:
        return deps.policy(session, case.policy)
    except LookupError:
        return None


def _transfers(session: Session, deps: Dependencies, bills: Sequence[Bill], asked: int) -> list[Transfer]:
    """One transfer for all invoices of the message while all are open: that reference was issued; else one each.

    It is one each, too, while one is paid in instalments.
    """
    in_parts = len(bills) > 1 and any(bill.instalments for bill in bills)
    together = len({bill.currency for bill in bills}) == 1 and len(bills) == asked and not in_parts
    groups = [bills] if together else [[bill] for bill in bills]
    found = []
    for group in groups:
        account, coming = deps.sender.account_for(group[0].currency), group[0].coming
        if account is not None:
            reference = payment_references.reference_of(session, [bill.invoice_id for bill in group])
            found.append(
                Transfer(
                    numbers=[bill.number for bill in group],
                    amount=sum((bill.to_pay for bill in group), Decimal(0)),
                    currency=group[0].currency,
                    digits=group[0].digits,
                    account=account,
                    reference=grouped(reference),
                    next=coming if coming is not None and coming.amount <= group[0].to_pay else None,
                )
            )
    return found


def _mailbox(session: Session, message_id: str | None) -> tuple[bool, bool]:
    """Whether the message went to a mailbox, and whether that takes no more of them."""
    row = outbox.get(session, message_id) if message_id else None
    if row is None or row.channel is not Channel.EMAIL:
        return False, False
    return True, addresses.why_closed(session, row.channel, row.address, rehearsal=False) in BY_OWNER
