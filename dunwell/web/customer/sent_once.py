"""A customer's form is carried out once. Sent again, as by a double click, it is answered as the first time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from dunwell.domain.principals import NotAllowed
from dunwell.domain.refusal import Refused
from dunwell.services.links import Link
from dunwell.services.submissions import AlreadyDone, Submission
from dunwell.store import idempotency_keys
from dunwell.web.customer.typed import Unfit
from dunwell.web.service import Service


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


def was_done(service: Service, link: Link, form: Submission, *, tells: bool) -> bool:
    """Return whether the form was carried out before, with the same words. `tells`: a case has to take it."""
    with service.database.reading() as session:
        taken = not tells or idempotency_keys.is_taken(session, link.principal.label, form.form_id)
        return taken and form.is_done(session)
