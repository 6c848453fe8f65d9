"""What all activities share: the injected clients, the shape of a request and of an answer, and planning."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from sqlalchemy.orm import Session
from temporalio import activity
from temporalio.exceptions import ApplicationError

from dunwell.domain import agenda
from dunwell.domain.calendar import BusinessCalendar
from dunwell.domain.case import Case
from dunwell.domain.checkpoint import Mark, Sent, merged
from dunwell.domain.invoice import Invoice, is_rehearsal
from dunwell.domain.ladder import NextAction
from dunwell.domain.model import MutableValue
from dunwell.domain.outstanding import Stuck
from dunwell.domain.policy import Policy, PolicyRef
from dunwell.domain.questions import open_questions
from dunwell.domain.step_outcome import Said
from dunwell.domain.terms import Access, Channel, Level
from dunwell.domain.timeline import Entry
from dunwell.gateways.base import AccessChange, BusinessDays, DeliveryError, MessageGateway, ProductGateway, RateLimit
from dunwell.gateways.opt_out_link import OptOutLinks
from dunwell.services import ladder_end, person_tasks, step_failures
from dunwell.services.failures import Parts
from dunwell.store import accounts, cases, credits, invoices, outbox, policies, timeline
from dunwell.store.database import Database
from dunwell.store.tables import HoldRow
from dunwell.texts.catalogue import Catalogue

_YEARS_AHEAD = timedelta(days=730)
_NO_PLAN = timedelta(days=1)
"""How soon a case that could not be planned is looked at again."""


class Request(MutableValue):
    """A case as its workflow knows it, at case time `now`; `entries` are decisions not yet in the database.

    `written`: how far the database's copy of the case was when the workflow last heard of it.
    """

    case: Case
    now: datetime
    rehearsal: bool = False
    entries: list[Entry] = []
    seen: int = 0  # number of the last timeline entry the workflow has
    written: Mark | None = None


class Answer(MutableValue):
    """What the database adds to the workflow's knowledge.

    `newer` is the store's copy of the case when it is ahead of the workflow, which happens after a reset. With
    `replaces` the workflow takes it in any case.
    `apart`: one of the two was restored from an older copy, and the workflow has to write down all that it knows.
    `written` is how far the store's copy is now, `messages` are those that the workflow's case does not know.
    `unpublished`: the product has not heard of a change of access yet.
    """

    next_action: NextAction | None = None
    access: Access = Access.FULL
    access_beside: Access = Access.FULL
    holds: list[Level] = []
    given: Decimal = Decimal(0)
    utc_offset_minutes: int = 0
    entries: list[Entry] = []
    seen: int = 0
    unpublished: bool = False
    newer: Case | None = None
    replaces: bool = False
    apart: bool = False
    written: Mark | None = None
    messages: list[Sent] = []

    def recall(self, case: Case, written: Sequence[tuple[int, Entry]], seen: int) -> None:
        """Fill in how the case stands and what was written of it after entry number `seen`."""
        self.next_action, self.holds, self.given = case.next_action, case.holds, case.money.given
        self.access, self.access_beside = case.access, case.access_beside
        self.utc_offset_minutes, self.written = case.utc_offset_minutes, case.mark
        self.entries = [entry for _, entry in written]
        self.seen = written[-1][0] if written else seen


@dataclass(frozen=True)
class PriorState:
    """The stored copy of a case as it was before this answer; None of a case that is new."""

    case: Case | None
    stranded: bool
    stuck: Mapping[str, Stuck]

    @classmethod
    def of(cls, stored: Case | None) -> "PriorState":
        if stored is None:
            return cls(None, False, {})
        return cls(stored.model_copy(deep=True), stored.stranded, dict(stored.outstanding.stuck))


class Place(Protocol):
    """Where business days are asked for: ISO 3166 country, IANA time zone."""

    @property
    def country(self) -> str: ...

    @property
    def time_zone(self) -> str: ...


@dataclass(frozen=True)
class Account:
    """Where debtors transfer to; both without spaces."""

    iban: str
    bic: str | None = None


@dataclass(frozen=True)
class Sender:
    """The human who signs, where answers go, and where the money goes.

    account   for every currency that has none of its own in `accounts`
    """

    name: str
    company: str
    reply_to: str | None = None
    phone: str | None = None
    account: Account | None = None
    accounts: Mapping[str, Account] = field(default_factory=dict)

    def account_for(self, currency: str) -> Account | None:
        return self.accounts.get(currency, self.account)


@dataclass(frozen=True)
class Letterhead:
    """How our letters look, whoever gets them.

    address    our postal address, line by line; empty leaves it out
    paper      "a4" or "us-letter"; None goes by the debtor's country
    addressed  whether the address is printed; False where the printing service puts it on the page
    post_days  how many days more than others a letter may take to be confirmed: those of the post, where it
               leaves by itself; none where a person posts it
    """

    address: tuple[str, ...] = ()
    paper: str | None = None
    addressed: bool = True
    post_days: int = 0


@dataclass(frozen=True)
class Dependencies:
    """The clients, made once at the composition root."""

    database: Database
    business_days: BusinessDays
    catalogue: Catalogue
    sender: Sender
    gateways: Mapping[Channel, MessageGateway]
    rehearsal_gateways: Mapping[Channel, MessageGateway]
    product: ProductGateway
    rehearsal_product: ProductGateway
    rate_limits: Mapping[str, RateLimit] = field(default_factory=dict)  # by the provider's name
    agent_language: str = "en"
    opt_out: OptOutLinks | None = None
    pay_links: str | None = None  # what a short link to an invoice's payment page begins with
    letterhead: Letterhead = Letterhead()
    _policies: dict[PolicyRef, Policy] = field(default_factory=dict)

    def gateway(self, channel: Channel, rehearsal: bool) -> MessageGateway:
        """A rehearsal has gateways of its own, so that it can never reach a real provider."""
        return (self.rehearsal_gateways if rehearsal else self.gateways)[channel]

    def policy(self, session: Session, ref: PolicyRef) -> Policy:
        if ref not in self._policies:
            self._policies[ref] = policies.load(session, ref.name, ref.version)
        return self._policies[ref]

    def calendar(self, customer: Place, policy: Policy, of: Case | Invoice, now: datetime) -> BusinessCalendar:
        """The customer's business days, from well before the invoice until long after now."""
        window = (policy.window[0].strftime("%H:%M"), policy.window[1].strftime("%H:%M"))
        first = min(of.issued_on, of.due_on)
        start = min(first, now.date()) - timedelta(days=60)
        return self.business_days.calendar(
            customer.country, customer.time_zone, window, start, max(first, now.date()) + _YEARS_AHEAD
        )

    def case_calendar(self, session: Session, case: Case, now: datetime) -> BusinessCalendar:
        place = invoices.place(session, case.customer_id)
        return self.calendar(place, self.policy(session, case.policy), case, now)

    def answer(
        self,
        session: Session,
        case: Case,
        *,
        now: datetime,
        rehearsal: bool,
        seen: int,
        answer: Answer,
    ) -> None:
        """Plan what comes next, keep a copy of the case, and fill in what the database knows.

        A case that cannot be planned, because its ladder or its customer is not there, is looked at again a day
        later, and a person is asked.
        """
        parts = Parts(session)
        case.money.given = credits.given(session, case.invoice_id)
        stored = cases.get(session, case.invoice_id)
        before = PriorState.of(stored)
        if stored is not None and stored.revision > case.revision:
            answer.newer = stored
            case = stored
        planned = parts.do(step_failures.PLAN, lambda: self._plan(session, case, now, before))
        if planned:
            case.outstanding.stuck.pop(step_failures.PLAN, None)
        else:
            self._look_again(session, case, parts.failed[step_failures.PLAN], now)
        if case.outstanding.stuck or before.stuck:
            parts.do("task", lambda: step_failures.ask(session, case, before.stuck, now))
        parts.do("messages", lambda: self._tell_messages(session, case, answer))
        parts.do("copy of the case", lambda: cases.put(session, case, rehearsal=rehearsal, now=now))
        answer.recall(case, timeline.read(session, case.invoice_id, after=seen), seen)
        answer.unpublished = bool(accounts.unpublished(session, case.customer_id))

    def _tell_messages(self, session: Session, case: Case, answer: Answer) -> None:
        answer.messages = outbox.unknown_to(session, case)
        case.messages = merged(case.messages, answer.messages)

    def _plan(self, session: Session, case: Case, now: datetime, before: PriorState) -> None:
        policy, calendar = self.policy(session, case.policy), self.case_calendar(session, case, now)
        plan(case, policy, calendar, accounts.open_holds(session, case.customer_id), now)
        if case.stranded or before.stranded:
            ladder_end.ask(session, case, policy, calendar, now)
        questions = open_questions(case, policy, calendar)
        asked = [] if before.case is None else [one.task_id for one in open_questions(before.case, policy, calendar)]
        if questions or asked:
            person_tasks.ask(session, case, questions, asked, now, timedelta(days=policy.pause_days))

    def _look_again(self, session: Session, case: Case, why: str, now: datetime) -> None:
        take_access(case, accounts.open_holds(session, case.customer_id))
        if case.finished:
            case.next_action = None
            return
        known = case.outstanding.stuck.get(step_failures.PLAN)
        case.outstanding.stuck[step_failures.PLAN] = Stuck(why=why, since=known.since if known else now, lasting=True)
        case.next_action = NextAction(step=agenda.LOOK_AGAIN, at=now + _NO_PLAN, why=f"it cannot be planned: {why}")

    def recalled(self, session: Session, known: Collection[Case]) -> dict[str, Answer]:
        """What the database knows of these cases as they stand, by invoice, without planning them anew."""
        written = timeline.read_all(session, [case.invoice_id for case in known])
        unheard = accounts.unheard(session, {case.customer_id for case in known})
        answers = {case.invoice_id: Answer(unpublished=case.customer_id in unheard) for case in known}
        for case in known:
            answers[case.invoice_id].recall(case, written[case.invoice_id], 0)
        return answers

    def publish(self, customer_id: str, *, rehearsal: bool, now: datetime) -> None:
        """Tell the product each change of access it has not heard of, in order. Raises DeliveryError."""
        product = self.rehearsal_product if rehearsal else self.product
        with self.database.reading() as session:
            waiting = [
                AccessChange(
                    change_id=row.change_id,
                    customer_id=row.customer_id,
                    invoice_id=row.invoice_id,
                    access=Access(row.access),
                    work_on_hold=row.work_on_hold,
                    reason=row.reason,
                    at=row.at,
                )
                for row in accounts.unpublished(session, customer_id)
            ]
        for change in waiting:
            product.publish(change)
            with self.database.writing(customer_id) as session:
                accounts.mark_published(session, change.change_id, now)

    def try_publish(
        self, answer: Answer, customer_id: str, *, rehearsal: bool, now: datetime, may_wait: bool
    ) -> None:
        """Once, on the way: most often this spares an activity of its own. A failure is left to that one.

        Without `may_wait` a product behind a network is left to it too.
        """
        product = self.rehearsal_product if rehearsal else self.product
        if not answer.unpublished or (product.remote and not may_wait):
            return
        try:
            self.publish(customer_id, rehearsal=rehearsal, now=now)
            answer.unpublished = False
        except DeliveryError as error:
            activity.logger.warning("the product did not take a change of access: %s", error.reason)


OTHER_RUN = "OtherRun"
"""The type of the error that ends a run which has no business with its invoice."""


def check_run(session: Session, request: Request) -> None:
    """Raises ApplicationError for a run with another clock than its case: it may change nothing."""
    row = cases.get_row(session, request.case.invoice_id)
    kept = is_rehearsal(request.case.customer_id) if row is None else row.rehearsal
    if request.rehearsal != kept:
        raise other_run(request.case.invoice_id, rehearsal=kept)


def other_run(invoice_id: str, *, rehearsal: bool) -> ApplicationError:
    """The refusal of a run that is a rehearsal where the invoice is real, or the reverse."""
    kind = "a rehearsal" if rehearsal else "a real invoice"
    reason = f"clock: {invoice_id} is {kind}, and this run is {'none' if rehearsal else 'a rehearsal'}"
    return ApplicationError(reason, type=OTHER_RUN, non_retryable=True)


def plan(case: Case, policy: Policy, calendar: BusinessCalendar, holds: Sequence[HoldRow], now: datetime) -> None:
    """Find what comes next for a case, by the holds that its account has now."""
    offset = now.astimezone(calendar.zone).utcoffset() or timedelta()
    case.utc_offset_minutes = int(offset.total_seconds() // 60)
    take_access(case, holds)
    case.next_action = agenda.next_action(case, policy, calendar, now)


def take_access(case: Case, holds: Sequence[HoldRow]) -> None:
    """Tell the case what the account's holds leave, with its own and without."""
    case.access = accounts.worst(holds)
    case.access_beside = accounts.worst(hold for hold in holds if hold.invoice_id != case.invoice_id)
    case.holds = [Level(hold.level) for hold in holds if hold.invoice_id == case.invoice_id]


def moment(request: Request) -> datetime:
    """The case time of this attempt.

    Read from the server's own record of the attempt and not from a clock, so that a retry hours later knows how
    late it is. A rehearsal's clock stands still while an activity works.
    """
    return request.now if request.rehearsal else activity.info().started_time


def entries_of(said: list[Said], key: str, now: datetime, step: str | None = None) -> list[Entry]:
    """Timeline entries for decisions, with keys that repeat when the same decision is made again."""
    return [
        Entry(key=f"{key}.{number}", at=now, kind=item.kind, reason=item.reason, step=step, ref=item.ref)
        for number, item in enumerate(said)
    ]
