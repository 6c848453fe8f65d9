"""How often one person may be contacted, whatever the number of invoices, customers and spellings (G5).

A person is who can be reached at an address. Our own account managers stand with many customers; for them only
what they got about this customer counts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from dunwell.domain.channels import BY_PERSON, CAPPED_CALLS, Channel
from dunwell.domain.contact import Contact
from dunwell.domain.contact_limits import ContactRule
from dunwell.domain.invoice import Customer
from dunwell.domain.policy import Policy
from dunwell.services import address_queue, contact_law
from dunwell.services.address_queue import Ahead
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.store import addresses, outbox, provider_events, tasks
from dunwell.store.tables import MessageRow

_WEEK = timedelta(days=7)
_GAP_BETWEEN_CUSTOMERS = timedelta(days=1)
"""The least time between requests to one address about different customers."""


class TooOften(Exception):
    """These contacts may not get the message before `until`: another case used up their cap after the judgement.

    Without contacts: a standstill began meanwhile.
    """

    def __init__(self, contacts: Sequence[Contact], until: datetime, why: str) -> None:
        super().__init__(why)
        self.contacts, self.until, self.why = contacts, until, why


def earliest(
    session: Session, deps: Dependencies, dispatch: Dispatch, contacts: Sequence[Contact]
) -> tuple[datetime, str] | None:
    """When the step may reach all of `contacts`, and why not now; None when it may.

    The answer holds until the end of the transaction: no other step gets a place at these addresses meanwhile.
    """
    if not contacts:
        return None
    if not BY_PERSON.issuperset(dispatch.execution.by):
        addresses.lock(session, dispatch.keys(dispatch.customer.contacts))
    return expected(session, deps, dispatch, contacts)


def expected(
    session: Session, deps: Dependencies, dispatch: Dispatch, contacts: Sequence[Contact]
) -> tuple[datetime, str] | None:
    """The same for whoever only wants to know: without a lock, so that another step may get a place meanwhile."""
    waits = list(_waits_for_calls(session, dispatch, contacts))
    waits += contact_law.waits(session, _rule(deps, dispatch), dispatch.customer, dispatch.execution.by, dispatch.now)
    if not BY_PERSON.issuperset(dispatch.execution.by):
        waits += _waits_for_messages(session, deps, dispatch, contacts)
    return max(waits, default=None, key=lambda wait: wait[0])


def person_wait(
    session: Session,
    deps: Dependencies,
    policy: Policy,
    customer: Customer,
    contact: Contact,
    channel: Channel,
    at: datetime,
) -> tuple[datetime, str] | None:
    """When one of our people may call or visit this contact if not at `at`, and why; None when they may."""
    rule = contact_law.rule_for(deps.laws, customer, at.date())
    waits = list(contact_law.waits(session, rule, customer, [channel], at))
    if channel.facts.capped_calls and (own := _call_wait(session, policy, contact, at)) is not None:
        waits.append(own)
    return max(waits, default=None, key=lambda wait: wait[0])


def _call_wait(session: Session, policy: Policy, contact: Contact, at: datetime) -> tuple[datetime, str] | None:
    """When the ladder lets this contact be called if not at `at`, and why; None when it does."""
    waits = []
    same = provider_events.contact_ids_at(session, contact)
    # A case under rehearsal may be months behind another one of its customer, whose calls are in its future.
    calls = tasks.calls_to(session, same, at - _WEEK, at + _WEEK)
    if len(calls) >= policy.calls_per_week:
        waits.append(
            (calls[-policy.calls_per_week] + _WEEK, f"{contact.contact_id} had {len(calls)} calls in 7 days")
        )
    rest = timedelta(days=policy.calls.rest_after_conversation_days)
    talked = tasks.last_conversation(session, same, at - rest, at + rest)
    if talked is not None:
        days = policy.calls.rest_after_conversation_days
        waits.append((talked + rest, f"{contact.contact_id} was talked with less than {days} day(s) ago"))
    return max(waits, default=None)


def _rule(deps: Dependencies, dispatch: Dispatch) -> ContactRule | None:
    return contact_law.rule_for(deps.laws, dispatch.customer, dispatch.calendar.local_date(dispatch.now))


def _waits_for_calls(
    session: Session, dispatch: Dispatch, contacts: Iterable[Contact]
) -> Iterable[tuple[datetime, str]]:
    if dispatch.execution.by and set(dispatch.execution.by) <= set(CAPPED_CALLS):
        for contact in contacts:
            wait = _call_wait(session, dispatch.policy, contact, dispatch.now)
            if wait is not None:
                yield wait


def _waits_for_messages(
    session: Session, deps: Dependencies, dispatch: Dispatch, contacts: Sequence[Contact]
) -> Iterable[tuple[datetime, str]]:
    keys = dispatch.keys(contacts)
    ids = [contact.contact_id for contact in contacts]
    # A case under rehearsal may be months behind another one of its customer, whose messages are in its future.
    recent = [
        row
        for row in outbox.to_people(session, keys, ids, dispatch.now - _WEEK)
        if row.claimed_at < dispatch.now + _WEEK
    ]
    ahead = address_queue.ahead(session, deps, dispatch, keys)
    for contact in contacts:
        mine = dispatch.keys([contact])
        had = [row for row in recent if row.contact_id == contact.contact_id or row.address_key in mine]
        yield from _Line(dispatch, contact, had, [one for one in ahead if one.address_key in mine]).waits()


@dataclass(frozen=True)
class _Line:
    """What one person got in a week (`had`, oldest first), and the messages that go to them before this job's."""

    dispatch: Dispatch
    contact: Contact
    had: Sequence[MessageRow]
    ahead: Sequence[Ahead]

    def waits(self) -> Iterable[tuple[datetime, str]]:
        if self.dispatch.execution.confirms and self.contact in self.dispatch.named:
            return  # an answer to what they did just now, unlike whoever stands in for them; the law's limits hold
        policy, start, name = self.dispatch.policy, self.dispatch.now, self.contact.contact_id
        if self.ahead and self.dispatch.execution.ladder is not None:
            start = max(one.at for one in self.ahead) + _GAP_BETWEEN_CUSTOMERS
            yield start, f"{len(self.ahead)} message(s) to the same address as {name}'s go first"
        taken = sorted([row.claimed_at for row in self.had] + [one.at for one in self.ahead])
        taken = [at for at in taken if at > start - _WEEK]
        if len(taken) >= policy.contacts_per_week:
            yield taken[-policy.contacts_per_week] + _WEEK, f"{name} had {len(self.had)} messages in 7 days"
        if self.dispatch.execution.ladder is not None:
            yield from self._waits_for_the_gap()

    def _waits_for_the_gap(self) -> Iterable[tuple[datetime, str]]:
        """The ladder's days after a request of this customer, one day after one about another customer."""
        policy, now, name = self.dispatch.policy, self.dispatch.now, self.contact.contact_id
        gap = timedelta(days=policy.gap_days)
        for row in self.had:
            own = row.customer_id == self.dispatch.case.customer_id or row.customer_id in self.dispatch.shared_with
            free = row.claimed_at + (gap if own else min(gap, _GAP_BETWEEN_CUSTOMERS))
            if row.asks and free > now:
                about = "" if own else " about another customer"
                days = policy.gap_days if own else _GAP_BETWEEN_CUSTOMERS.days
                yield free, f"{name} was asked{about} less than {days} day(s) ago"
