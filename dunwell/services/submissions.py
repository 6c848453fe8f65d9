"""One sending of a form: carried out once, however often it comes in.

So are forms of the console that are about no single case, and those of customers. Forms of the console about a case
go by `dunwell.services.idempotency`, which also keeps the case's answer.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy.orm import Session

from dunwell.domain.refusal import Refused
from dunwell.store import submissions


class AlreadyDone(Exception):
    """This very form was carried out before: nothing is left to do."""


@dataclass(frozen=True)
class Submission:
    """A form that somebody sent. `form_id` is new for each page; `digest` is of what the form says."""

    principal: str
    form_id: str
    digest: str

    @classmethod
    def of(cls, principal: str, form_id: str, path: str, typed: Mapping[str, str]) -> "Submission":
        """`path` is where the form was sent; `typed` its fields, without the id."""
        said = json.dumps([path, dict(typed)], sort_keys=True, ensure_ascii=False)
        return cls(principal, form_id, sha256(said.encode()).hexdigest())

    def is_known(self, session: Session) -> bool:
        """Return whether this very form was taken before.

        It was carried out, too, where it is taken in the transaction that does so; those of customers' pages are not.
        """
        return submissions.find(session, self.principal, self.form_id) == self.digest

    def first_sent(self, session: Session) -> datetime | None:
        """Return when this very form first came in; None when it did not.

        Raises Refused when a form with this id and other values was carried out before.
        """
        row = submissions.get(session, self.principal, self.form_id)
        if row is None:
            return None
        if row.digest != self.digest:
            raise _sent_before()
        return row.at

    def take(self, session: Session, now: datetime) -> None:
        """Note that the form is carried out, in the transaction that does so: what fails may be sent again.

        Raises AlreadyDone for the same form again, and Refused for one with this id and other values.
        """
        known = submissions.take(session, self.principal, self.form_id, self.digest, now)
        if known is None:
            return
        if known == self.digest:
            raise AlreadyDone
        raise _sent_before()

    def release(self, session: Session) -> None:
        """Forget the form again: nothing of it was carried out."""
        submissions.remove(session, self.principal, self.form_id)


def _sent_before() -> Refused:
    return Refused(
        "form", "This form was sent before with other values; nothing was done now. Check it, and send it again."
    )


def take(session: Session, submission: Submission | None, now: datetime) -> None:
    """Take the form by which something is done, if it is done by one. Raises AlreadyDone, Refused."""
    if submission is not None:
        submission.take(session, now)
