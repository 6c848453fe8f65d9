"""A person handles a reply: answers it, says that nothing needs an answer, or says whose it is.

It is written down first. What the cases have to be told of it is kept in the inbox until each was told.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from dunwell.domain.clerk_answer import ClerkAnswer
from dunwell.domain.principals import Principal, Right
from dunwell.domain.refusal import Refused
from dunwell.domain.reply_terms import FoundBy, ReplyKind, ReplyOutcome
from dunwell.services.answers import Answers, Draft, Leaving, PreviewedAnswer
from dunwell.services.applied_event import CaseEvent, keep_for_cases
from dunwell.services.dependencies import Dependencies
from dunwell.services.random_ids import random_id
from dunwell.services.replies import find, open_cases, read_again
from dunwell.services.submissions import Submission
from dunwell.store import accounts, audit, provider_events, replies, users
from dunwell.store.tables import ContactRow, ReplyRow

COURIER = "dunwell"
"""Under which name what cases are told of replies stands in the inbox, beside the providers."""


@dataclass(frozen=True)
class ToTell:
    """What the cases have to be told, with its id in the inbox, and the answer that one of them sends."""

    event_id: str
    events: tuple[CaseEvent, ...] = ()
    answer_id: str | None = None


class ReplyHandling:
    def __init__(self, deps: Dependencies) -> None:
        self._deps, self._answers = deps, Answers(deps)

    def preview(self, reply_id: str, draft: Draft, now: datetime) -> PreviewedAnswer:
        """Return the answer as it would leave now. Raises Refused when it could not leave, or nobody waits for it."""
        with self._deps.database.reading() as session:
            return self._answers.preview(session, _waiting(session, reply_id), draft, now)

    def leaving(self, answer_id: str, now: datetime) -> Leaving | None:
        """When an answer that was written down can leave; None for one that its case has sent or given up."""
        with self._deps.database.reading() as session:
            return self._answers.leaving(session, answer_id, now)

    def handle(
        self,
        reply_id: str,
        principal: Principal,
        now: datetime,
        draft: Draft | None = None,
        also: Collection[str] = (),
        submission: Submission | None = None,
    ) -> ToTell:
        """Note that the reply is handled, with an answer if one is given. `also`: other replies handled by the same.

        Raises NotAllowed; AlreadyDone for a form that was carried out before; Refused for a reply that somebody else
        has handled meanwhile, and for an answer that could not leave: then nothing was done.
        """
        principal.check(Right.MESSAGES_WRITE)
        with self._writing(reply_id) as session:
            if submission is not None:
                submission.take(session, now)
            rows = [_waiting(session, one) for one in dict.fromkeys([reply_id, *also])]
            if any(row.customer_id != rows[0].customer_id for row in rows):
                raise Refused("also", "names a reply of another customer")
            answer = None
            if draft is not None:
                answer = self._answers.write(session, rows[0], draft, principal.label, now)
            events = [one for row in rows for one in _handled(session, row, principal, answer, now)]
            return _keep(session, events, now, answer.answer_id if answer else None)

    def assign(
        self,
        reply_id: str,
        contact_id: str,
        principal: Principal,
        now: datetime,
        submission: Submission | None = None,
    ) -> ToTell:
        """Note which contact wrote the reply; the cases of their customer then rest until it is handled.

        Raises NotAllowed, AlreadyDone; Refused for an unknown contact, and for a reply that is handled.
        """
        principal.check(Right.MESSAGES_WRITE)
        with self._deps.database.reading() as session:
            known = session.get(ContactRow, contact_id.strip())
        if known is None:
            raise Refused(
                "contact", f"{contact_id[:120]!r} is nobody's id; the customer's page shows those of its people"
            )
        with self._writing(reply_id, known.customer_id) as session:
            if submission is not None:
                submission.take(session, now)
            row = _waiting(session, reply_id)
            events = _left(session, row, principal, now) if row.customer_id != known.customer_id else []
            row.customer_id, row.contact_id = known.customer_id, known.contact_id
            row.found_by, row.kind, row.why = FoundBy.PERSON, ReplyKind.PERSON, "a person said whose it is"
            details = {"contact": known.contact_id}
            audit.append(session, principal, f"reply/{reply_id}", "assigned", now, details=details)
            return _keep(session, [*events, *_received(session, row)], now)

    @contextmanager
    def _writing(self, reply_id: str, *more: str) -> Iterator[Session]:
        """A transaction with the locks of the customers whom the reply concerns, and `more`."""
        with self._deps.database.reading() as session:
            row = find(session, reply_id)
            known = {one.customer_id for one in replies.cases_of(session, reply_id)} | set(more)
            known |= {row.customer_id} if row.customer_id else set()
        with self._deps.database.writing_beside_customers() as session:
            accounts.lock(session, sorted(known))
            yield session

    def done(self, told: ToTell, now: datetime) -> None:
        """Note that every case has been told."""
        with self._deps.database.writing_beside_customers() as session:
            provider_events.mark_done(session, COURIER, told.event_id, now)


def _waiting(session: Session, reply_id: str) -> ReplyRow:
    """The reply, which nobody has handled yet. Raises Refused."""
    row = find(session, reply_id)
    if row.handled_at is not None:
        who = users.name_of(session, str(row.handled_by))
        raise Refused("state", f"{who} has handled it on {row.handled_at:%Y-%m-%d %H:%M} UTC: nothing was done")
    return row


def _handled(
    session: Session, row: ReplyRow, principal: Principal, answer: ClerkAnswer | None, now: datetime
) -> list[CaseEvent]:
    row.handled_at, row.handled_by = now, principal.label
    row.outcome = ReplyOutcome.ANSWERED if answer is not None else ReplyOutcome.NO_ANSWER
    details = {} if answer is None else {"answer": answer.answer_id, "phrases": [one.value for one in answer.phrases]}
    audit.append(session, principal, f"reply/{row.reply_id}", row.outcome.value, now, key="handled", details=details)
    content: dict[str, Any] = {"reply_id": row.reply_id, "by": principal.label}
    told = {one.invoice_id for one in replies.cases_of(session, row.reply_id)}
    sends = answer is not None and answer.reply_id == row.reply_id
    if answer is None or not sends:
        return [_known(row, told), CaseEvent("reply_handled", content, tuple(sorted(told)))]
    rest = tuple(sorted(told - {answer.invoice_id}))
    return [
        _known(row, told),
        CaseEvent("reply_handled", content, rest),
        CaseEvent("reply_handled", content | {"answer": answer.answer_id}, (answer.invoice_id,)),
    ]


def _left(session: Session, row: ReplyRow, principal: Principal, now: datetime) -> list[CaseEvent]:
    """The cases of whoever it was taken for rest no longer because of it."""
    told = replies.cases_of(session, row.reply_id)
    for one in told:
        session.delete(one)
    session.flush()
    content = {"reply_id": row.reply_id, "by": principal.label}
    invoices = [one.invoice_id for one in told]
    return [_known(row, invoices), CaseEvent("reply_handled", content, tuple(invoices))]


def _known(row: ReplyRow, invoices: Collection[str]) -> CaseEvent:
    """Tell the cases of the reply first: a case that heard of it after it was handled would rest for ever.

    To a case that knows it, this changes nothing.
    """
    return CaseEvent.of_reply(row.reply_id, row.channel, row.received_at, sorted(invoices))


def _received(session: Session, row: ReplyRow) -> list[CaseEvent]:
    """The open cases of its customer rest because of it from now on."""
    known = {one.invoice_id for one in replies.cases_of(session, row.reply_id)}
    found = open_cases(session, row.reply_id, [str(row.customer_id)])
    new = [one for one in found if one.invoice_id not in known]
    session.add_all(new)
    session.flush()
    read_again(session, row, [one.invoice_id for one in found])
    told = [one.invoice_id for one in new]
    return [CaseEvent.of_reply(row.reply_id, row.channel, row.received_at, told)]


def _keep(session: Session, events: Sequence[CaseEvent], now: datetime, answer_id: str | None = None) -> ToTell:
    told, event_id = tuple(one for one in events if one.invoices), random_id("reply")
    if told:
        keep_for_cases(session, COURIER, event_id, told, now)
    return ToTell(event_id, told, answer_id)
