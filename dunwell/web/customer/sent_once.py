"""A customer's form is carried out once. Sent again, as by a double click, it is answered as the first time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from dunwell.domain.principals import NotAllowed
from dunwell.domain.refusal import Refused
from dunwell.services.links import Link
from dunwell.services.submissions import AlreadyDone, Submission
from dunwell.store import idempotency_keys
from dunwell.web.customer.typed import Unfit
from dunwell.web.service import Service

Kept = Callable[[Session, Link, str], bool]
"""Whether what a form of this link and id says is in the database."""

_ANSWERED_WITHIN = timedelta(minutes=5)
"""A case that has not answered a form by then has refused it, and nobody was there to hear it."""


class EarlierSending(StrEnum):
    """What became of an earlier sending of a form.

    NEW        there was none, or nothing came of it
    UNDER_WAY  a case was told and has not answered yet
    DONE       it was carried out
    """

    NEW = "new"
    UNDER_WAY = "under-way"
    DONE = "done"


@asynccontextmanager
async def once(service: Service, link: Link, form: Submission, now: datetime) -> AsyncIterator[None]:
    """Carry out a form in here. What is refused is forgotten again, unless an earlier sending was carried out.

    Raises Refused when another form with its id was carried out before.
    """
    first = await asyncio.to_thread(_begin, service, link, form, now)
    try:
        yield
    except (Unfit, Refused, NotAllowed):
        if first:
            await asyncio.to_thread(_release, service, link, form)
        raise


def _begin(service: Service, link: Link, form: Submission, now: datetime) -> bool:
    """Note what the form says, and return whether it is the first with its id. Raises Refused for other words."""
    with service.database.writing(link.customer_id) as session:
        try:
            form.take(session, now)
        except AlreadyDone:
            return False
        return True


def _release(service: Service, link: Link, form: Submission) -> None:
    """Forget a form that was refused, unless a case has taken a part of it."""
    with service.database.writing(link.customer_id) as session:
        if not idempotency_keys.is_taken(session, link.principal.label, form.form_id):
            form.release(session)


def first_sent(service: Service, form: Submission) -> datetime | None:
    """Return when this form first came in; None when it did not, or was refused then.

    A form that is sent again is read as of then: its day may have passed since, and a case may have taken it.
    Raises Refused when another form with its id was carried out before.
    """
    with service.database.reading() as session:
        return form.first_sent(session)


def earlier_sending(service: Service, link: Link, form: Submission, kept: Kept | None = None) -> EarlierSending:
    """Return what became of an earlier sending of the form, with the same words. `kept`: where no case takes it."""
    by, form_id = link.principal.label, form.form_id
    with service.database.reading() as session:
        if not form.is_known(session):
            return EarlierSending.NEW
        # Its row alone proves nothing: the service may have ended before it did the rest.
        if kept is not None:
            return EarlierSending.DONE if kept(session, link, form_id) else EarlierSending.NEW
        if idempotency_keys.is_on_its_way(session, by, form_id, datetime.now(UTC) - _ANSWERED_WITHIN):
            return EarlierSending.UNDER_WAY
        return EarlierSending.DONE if idempotency_keys.is_taken(session, by, form_id) else EarlierSending.NEW
