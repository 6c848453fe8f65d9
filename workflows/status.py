"""The status of a case, as the query `status`, updates, the command line and the API answer it."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from dunwell.domain.agreements import Promise
from dunwell.domain.case import Case
from dunwell.domain.claim_summary import AccessoryClaim, ClaimSummary
from dunwell.domain.contact_labels import with_roles
from dunwell.domain.invoice import is_rehearsal
from dunwell.domain.ladder import NextAction
from dunwell.domain.model import MutableValue
from dunwell.domain.policy import PolicyRef
from dunwell.domain.terms import Access, Head, Level, Stage
from dunwell.domain.timeline import Entry


class Line(MutableValue, frozen=True):
    """One entry of the timeline as `status` shows it."""

    at: datetime
    kind: str
    reason: str
    step: str | None = None
    channel: str | None = None
    ref: str | None = None


class Pausing(MutableValue):
    """A pause: why, by whom, until when. `scope` is "invoice", or "customer" for all invoices of the customer."""

    scope: str
    reason: str
    by: str
    until: date | None


class WaitingReply(MutableValue):
    """A reply of the customer's that waits for a person; `escalated`: how often a manager was told."""

    reply_id: str
    at: datetime
    escalated: int = 0


class GraceLine(MutableValue):
    """Grace that runs: what this invoice restricts is open until that day."""

    until: date
    by: str


class InstalmentLine(MutableValue):
    """One agreed instalment; `met`: it was paid. `amount`: without what is in dispute, which may be all of it."""

    date: date
    amount: Decimal
    met: bool


class PaymentLine(MutableValue):
    """A payment that counts.

    amount       what of it counts
    reversed     what was taken back of it
    designation  the head that the customer paid for, where they named one
    """

    payment_id: str
    amount: Decimal
    reversed: Decimal = Decimal(0)
    designation: Head | None = None


class Status(MutableValue):
    """The answer to the query `status` and to every accepted update.

    access    of the account, by all of its holds, as last known to this case
    holds     of this invoice
    replies   that wait for a person, while which nothing is sent
    accessory  what is left of interest and costs since the principal is paid, and what becomes of it
    accessory_asked_on  the day on which a message asked for that
    credit    what was overpaid on this invoice and is neither applied nor returned
    plan      the instalments of the running payment plan, the last ones less what is in dispute
    disputed  the amount of an open dispute
    last_claim  what may be claimed, as it was computed when the case was last written down; None: only the principal
    timeline  oldest first; it names people by their role

    None stands for a value that is unknown because the run waits for its invoice to be registered.
    """

    invoice_id: str
    rehearsal: bool = False
    stage: Stage
    pauses: list[Pausing] = []
    replies: list[WaitingReply] = []
    grace: GraceLine | None = None
    amount_due: Decimal | None
    credit: Decimal = Decimal(0)
    currency: str | None
    due_on: date | None
    access: Access
    policy: PolicyRef | None
    next_action: NextAction | None
    promises: list[Promise]
    plan: list[InstalmentLine] = []
    disputed: Decimal | None = None
    payments: list[PaymentLine] = []
    last_claim: ClaimSummary | None = None
    accessory: AccessoryClaim | None = None
    accessory_asked_on: date | None = None
    holds: list[Level]
    timeline: list[Line]


def status_of(case: Case, timeline: Iterable[Entry]) -> Status:
    """Return the status of a case, which the workflow or the database holds."""
    return Status(
        invoice_id=case.invoice_id,
        rehearsal=is_rehearsal(case.customer_id),
        stage=case.stage,
        pauses=_pauses(case),
        replies=[WaitingReply(**reply.model_dump(exclude={"escalated_at"})) for reply in case.agreements.replies],
        grace=_grace(case),
        amount_due=case.open_amount,
        credit=case.credit,
        currency=case.currency,
        due_on=case.due_on,
        access=case.account_access,
        policy=case.policy,
        next_action=case.next_action,
        promises=case.agreements.promises,
        plan=_instalments(case),
        disputed=case.open_amount - case.asked if case.agreements.dispute else None,
        payments=_payments(case),
        last_claim=case.last_claim,
        accessory=case.accessory,
        accessory_asked_on=case.accessory_asked_on,
        holds=case.own_holds,
        timeline=lines_of(timeline, case.customer_id),
    )


def _payments(case: Case) -> list[PaymentLine]:
    money = case.money
    heads = {receipt.payment_id: receipt.designation for receipt in money.receipts}
    return [
        PaymentLine(
            payment_id=name, amount=money.whole(amount), reversed=money.taken_back(name), designation=heads.get(name)
        )
        for name, amount in money.payments.items()
    ]


def _instalments(case: Case) -> list[InstalmentLine]:
    if case.agreements.plan is None:
        return []
    plan = case.agreements.plan
    amounts = plan.amounts(case.money.paid, case.asked)
    return [
        InstalmentLine(date=item.date, amount=amount, met=number < plan.met)
        for number, (item, amount) in enumerate(zip(plan.instalments, amounts, strict=True))
    ]


def _grace(case: Case) -> GraceLine | None:
    grace = case.agreements.grace
    return GraceLine(until=grace.until, by=grace.by) if grace is not None else None


def _pauses(case: Case) -> list[Pausing]:
    known = (("invoice", case.agreements.pause), ("customer", case.agreements.customer_pause))
    return [Pausing(scope=scope, **pause.model_dump()) for scope, pause in known if pause is not None]


def status_of_unopened(invoice_id: str, timeline: Iterable[Entry]) -> Status:
    """Return the status of a run that waits for its invoice."""
    return Status(
        invoice_id=invoice_id,
        stage=Stage.SCHEDULED,
        amount_due=None,
        currency=None,
        due_on=None,
        access=Access.FULL,
        policy=None,
        next_action=None,
        promises=[],
        holds=[],
        timeline=lines_of(timeline, ""),
    )


def lines_of(timeline: Iterable[Entry], customer_id: str) -> list[Line]:
    """Return timeline entries as they are shown, oldest first, with people named by their role."""
    return [
        Line(**entry.model_dump(exclude={"key", "reason"}), reason=with_roles(entry.reason, customer_id))
        for entry in sorted(timeline, key=lambda entry: entry.at)
    ]
