"""What the page about a restricted account says: its limits, the invoices behind them, and what was sent before.

Whoever in the customer's firm meets the restriction may read it, so addresses are masked and nobody is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dunwell.domain import grace, promises
from dunwell.domain.agreements import Grace, Promise
from dunwell.domain.business_calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.channels import Channel
from dunwell.domain.keys import StepKey
from dunwell.domain.terms import Access, Level
from dunwell.services.dependencies import Dependencies
from dunwell.store import accounts, cases, invoices, outbox, payment_references, payments
from dunwell.store.accounts import OpenHold
from dunwell.store.tables import CaseRow, CustomerRow, HoldRow
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
class OfferedGrace:
    """Grace that may be had: until which day, and the day on which the restriction comes back unless it is paid."""

    until: date
    back_on: date


@dataclass(frozen=True)
class HeldInvoice:
    """An invoice that limits the account, or that would if no grace ran.

    level, since      the worst of its holds, and since when the account has been limited by it; while grace runs, no
                      level, and since when it runs
    asked             what is to be paid for access to come back; zero while all of it is in dispute
    promise           the promise to pay that runs, and how much of it is still to come (`promise_left`)
    promise_from, promise_until  the days that a promise may name; None where none is accepted
    grace             the grace that its ladder grants to whoever asks; None where none is left
    back_on           the day on which the restriction comes back, while grace runs
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
    level: Level | None
    since: datetime
    warnings: Sequence[SentWarning]
    promise: Promise | None
    promise_left: Decimal
    promise_from: date
    promise_until: date | None
    grace: OfferedGrace | None
    back_on: date | None


@dataclass(frozen=True)
class RestrictedAccount:
    """An account as its holder reads it.

    held           the invoices that limit it, those that limit it most first
    in_grace       those that will limit it again
    limited_until  when its last hold was released; None while it has one, or never had any
    """

    name: str
    language: str
    time_zone: str
    access: Access
    held: Sequence[HeldInvoice]
    in_grace: Sequence[HeldInvoice]
    limited_until: datetime | None

    @property
    def limited(self) -> bool:
        """Whether something of the account waits for a payment."""
        return bool(self.held)

    @property
    def invoices(self) -> Sequence[HeldInvoice]:
        """The invoices that limit it now, then those in grace."""
        return [*self.held, *self.in_grace]

    @property
    def reducing(self) -> Sequence[HeldInvoice]:
        """The invoices that restrict or suspend it; access comes back when the last of them lets it go."""
        return [one for one in self.held if one.level is not Level.WORK]

    @property
    def grace(self) -> OfferedGrace | None:
        """The grace that gives access back; None unless each invoice that reduces access has some left.

        back_on  the first day on which one of them restricts again
        """
        offered = [one.grace for one in self.reducing if one.grace is not None]
        if not offered or len(offered) < len(self.reducing):
            return None
        return min(offered, key=lambda one: one.back_on)

    @property
    def since(self) -> datetime | None:
        """Since when the account has had the access that it has; None while nothing is limited."""
        worst = next((level for level in _WORST_FIRST if any(one.level is level for one in self.held)), None)
        return min((one.since for one in self.held if one.level is worst), default=None)


def restricted_account(session: Session, deps: Dependencies, customer_id: str, now: datetime) -> RestrictedAccount:
    """Return what the page of this account says at `now`; that of a rehearsal, at the time of its case.

    Raises Refused when nobody registered the customer.
    """
    customer = find_customer(session, customer_id)
    account = accounts.account(session, customer_id)
    holds = account.holds if account is not None else []
    return RestrictedAccount(
        name=customer.name,
        language=customer.language,
        time_zone=customer.time_zone,
        access=accounts.access_by(holds),
        held=_held(session, deps, holds, now),
        in_grace=_in_grace(session, deps, customer_id, now),
        limited_until=_limited_until(session, customer) if not holds else None,
    )


def _held(session: Session, deps: Dependencies, holds: Sequence[OpenHold], now: datetime) -> list[HeldInvoice]:
    of_invoice: dict[str, list[OpenHold]] = {}
    for hold in holds:
        of_invoice.setdefault(hold.invoice_id, []).append(hold)
    stored = cases.get_rows(session, list(of_invoice))
    worst = {
        invoice_id: min(own, key=lambda hold: _WORST_FIRST.index(hold.level))
        for invoice_id, own in of_invoice.items()
    }
    ordered = sorted(worst.values(), key=lambda hold: (_WORST_FIRST.index(hold.level), hold.placed_at))
    return [_invoice(session, deps, stored[hold.invoice_id], hold.level, hold.placed_at, now) for hold in ordered]


def _in_grace(session: Session, deps: Dependencies, customer_id: str, now: datetime) -> list[HeldInvoice]:
    """The invoices whose restriction grace has lifted for some days."""
    found = []
    for row in cases.open_of(session, [customer_id]):
        running = Case.model_validate(row.state).agreements.grace
        if running is not None:
            found.append(_invoice(session, deps, row, None, running.since, now))
    return found


def _invoice(
    session: Session, deps: Dependencies, stored: CaseRow, level: Level | None, since: datetime, now: datetime
) -> HeldInvoice:
    row = invoices.get_row(session, stored.invoice_id)
    if row is None:
        raise LookupError(f"the case of invoice {stored.invoice_id} has no invoice")
    case = Case.model_validate(stored.state).with_paid(payments.paid(session, row.invoice_id))
    now = cases.time_of(stored, now)
    running, until, promise = case.agreements.grace, grace.latest_day(case, now), case.agreements.promise
    calendar = deps.case_calendar(session, case, now) if running is not None or until is not None else None
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
        level=level,
        since=since,
        warnings=_warnings(session, case, since),
        promise=promise,
        promise_left=min(promise.still_missing(case.money.paid), case.open_amount) if promise else Decimal(0),
        promise_from=case.today(now),
        promise_until=promises.last_day(case, case.today(now)),
        grace=_offered(until, calendar, now) if until is not None and calendar is not None else None,
        back_on=_returns_on(running, calendar, now) if running is not None and calendar is not None else None,
    )


def _offered(until: date, calendar: BusinessCalendar, now: datetime) -> OfferedGrace:
    asked = Grace(number=0, until=until, by="", since=now)
    return OfferedGrace(until, _returns_on(asked, calendar, now))


def _returns_on(asked: Grace, calendar: BusinessCalendar, now: datetime) -> date:
    """The day that the message which confirms the grace names: it is sent as soon as the hours of contact allow."""
    return grace.returns_on(asked, calendar, calendar.next_open(now))


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
