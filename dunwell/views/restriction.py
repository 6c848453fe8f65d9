"""What the page about a restricted account says: its limits, the invoices behind them, and what was sent before.

Whoever in the customer's firm meets the restriction may read it, so addresses are masked and nobody is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dunwell.domain import promises
from dunwell.domain.agreements import Promise
from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.keys import StepKey
from dunwell.domain.terms import Access, Level
from dunwell.store import accounts, cases, invoices, outbox, payment_references, payments
from dunwell.store.accounts import OpenHold
from dunwell.store.tables import CustomerRow, HoldRow, InvoiceRow
from dunwell.texts.masked_addresses import masked
from dunwell.views.lookup import find_customer

_WORST_FIRST = (Level.SUSPENDED, Level.RESTRICTED, Level.WORK)


@dataclass(frozen=True)
class SentWarning:
    """A warning that arrived before the restriction; `to` is masked."""

    at: datetime
    channel: Channel
    to: str


@dataclass(frozen=True)
class HeldInvoice:
    """An invoice that limits the account.

    level, since      the worst of its holds, and since when the account has been limited by it
    asked             what is to be paid for access to come back; zero while all of it is in dispute
    promise           the promise to pay that runs
    promise_from, promise_until  the days that a promise may name; None where none is accepted
    """

    invoice_id: str
    number: str
    issued_on: date
    due_on: date
    open: Decimal
    asked: Decimal
    currency: str
    digits: int
    payment_url: str | None
    reference: str
    level: Level
    since: datetime
    warnings: Sequence[SentWarning]
    promise: Promise | None
    promise_from: date
    promise_until: date | None


@dataclass(frozen=True)
class RestrictedAccount:
    """An account as its holder reads it. `limited_until`: when its last hold was released; None: it never had one."""

    customer_id: str
    name: str
    language: str
    time_zone: str
    access: Access
    work_on_hold: bool
    held: Sequence[HeldInvoice]
    limited_until: datetime | None

    @property
    def limited(self) -> bool:
        """Whether something of the account waits for a payment."""
        return bool(self.held)

    @property
    def since(self) -> datetime | None:
        """Since when the account has had the access that it has; None while nothing is limited."""
        worst = min((_WORST_FIRST.index(one.level) for one in self.held), default=None)
        if worst is None:
            return None
        return min(one.since for one in self.held if one.level is _WORST_FIRST[worst])


def restricted_account(session: Session, customer_id: str, now: datetime) -> RestrictedAccount:
    """Return what the page of this account says at `now`; that of a rehearsal, at the time of its case.

    Raises Refused when nobody registered the customer.
    """
    customer = find_customer(session, customer_id)
    account = accounts.account(session, customer_id)
    holds = account.holds if account is not None else []
    return RestrictedAccount(
        customer_id=customer_id,
        name=customer.name,
        language=customer.language,
        time_zone=customer.time_zone,
        access=accounts.access_by(holds),
        work_on_hold=accounts.holds_work(holds),
        held=_held(session, holds, now),
        limited_until=_limited_until(session, customer) if not holds else None,
    )


def _held(session: Session, holds: Sequence[OpenHold], now: datetime) -> list[HeldInvoice]:
    of_invoice: dict[str, list[OpenHold]] = {}
    for hold in holds:
        of_invoice.setdefault(hold.invoice_id, []).append(hold)
    rows = invoices.get_rows(session, list(of_invoice))
    found = [_held_invoice(session, rows[invoice_id], own, now) for invoice_id, own in of_invoice.items()]
    return sorted(found, key=lambda one: (_WORST_FIRST.index(one.level), one.since, one.number))


def _held_invoice(session: Session, row: InvoiceRow, holds: Sequence[OpenHold], now: datetime) -> HeldInvoice:
    worst = min(holds, key=lambda hold: _WORST_FIRST.index(hold.level))
    stored = cases.get_row(session, row.invoice_id)
    if stored is None:
        raise LookupError(f"invoice {row.invoice_id} has a hold and no case")
    case = Case.model_validate(stored.state).with_paid(payments.paid(session, row.invoice_id))
    now = stored.updated_at if stored.rehearsal else now
    return HeldInvoice(
        invoice_id=row.invoice_id,
        number=row.number,
        issued_on=row.issued_on,
        due_on=case.due_on,
        open=case.open_amount,
        asked=case.asked,
        currency=row.currency,
        digits=row.digits,
        payment_url=row.payment_url,
        reference=payment_references.reference_of(session, [row.invoice_id]),
        level=worst.level,
        since=worst.placed_at,
        warnings=_warnings(session, case, worst.placed_at),
        promise=case.agreements.promise,
        promise_from=case.today(now),
        promise_until=promises.last_day(case, now),
    )


def _warnings(session: Session, case: Case, before: datetime) -> list[SentWarning]:
    """The warnings of this round that were delivered before that time, oldest first; an address once a step."""
    found: dict[tuple[str, Channel, str], SentWarning] = {}
    for step, row in outbox.delivered_warnings(session, case.invoice_id):
        if StepKey.parse(step).round != case.progress.round or row.claimed_at >= before:
            continue
        shown = SentWarning(
            at=row.sent_at or row.claimed_at, channel=row.channel, to=masked(row.channel.facts.address, row.address)
        )
        found.setdefault((step, row.channel, shown.to), shown)
    return list(found.values())


def _limited_until(session: Session, customer: CustomerRow) -> datetime | None:
    query = select(func.max(HoldRow.released_at)).where(HoldRow.customer_id == customer.customer_id)
    return session.scalar(query)
