"""A process of a storm: the worker, the web service or a command, as operators start them.

    python -P tests/chaos/process.py worker
    python -P tests/chaos/process.py web
    python -P tests/chaos/process.py starter statement march.xml --book

The cases of a storm are rehearsals, for their days pass in seconds. Rules keep rehearsals apart from what is real:
money that a bank or a provider tells of is never booked on one, and their messages have no link to a page. Those are
changed here and nothing else is, so that storms can use all entries: money may be booked on rehearsals, their
messages have links, clerks read what their people write, and what reads the real clock (matching, pages, replies)
reads the time of the storm, in which the cases live.

CHAOS_CLOCK names a file that says BEGAN BEGINS SPEED: at the real time BEGAN it was BEGINS in the cases, whose time
is SPEED times as fast.
"""

import logging
import os
import runpy
import sys
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import text, true
from sqlalchemy.ext.hybrid import hybrid_property

CLOCK = "CHAOS_CLOCK"
FAULTS = "faults.log"
_EPOCH = datetime(2027, 1, 1, tzinfo=UTC)
_LAST_WRITTEN = """
SELECT c.updated_at, a.at FROM cases c JOIN chaos_audit a ON a.kind = 'case' AND a.key = c.invoice_id
WHERE c.invoice_id = :invoice_id ORDER BY a.seq DESC LIMIT 1
"""


def now(*_: Any) -> datetime:
    """The time of the storm."""
    began, begins, speed = Path(os.environ[CLOCK]).read_text().split()
    passed = datetime.now(UTC) - datetime.fromisoformat(began)
    return datetime.fromisoformat(begins) + passed * float(speed)


def now_of(session: Any, invoice_id: str) -> datetime:
    """The time of a case: of what it wrote last, and what has passed since then. Else that of the storm.

    Each case has its own clock, which goes from when its run began.
    """
    row = session.execute(text(_LAST_WRITTEN), {"invoice_id": invoice_id}).first()
    if row is None:
        return now()
    written, at = (_utc(one) for one in row)
    speed = float(Path(os.environ[CLOCK]).read_text().split()[2])
    return written + (datetime.now(UTC) - at) * speed


def _utc(stored: datetime | str) -> datetime:
    read = datetime.fromisoformat(stored) if isinstance(stored, str) else stored
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read


def let_rehearsals_take_money() -> None:
    """Let money that a bank or a provider tells of be booked on rehearsals, and match it by the time of the storm."""
    from dunwell.client import matching, statements
    from dunwell.store.tables import CaseRow

    any_case = hybrid_property(lambda _: True, expr=lambda _: true())
    setattr(CaseRow, "takes_reported_money", any_case)  # noqa: B010 - a property of the class
    for module in (matching, statements):
        setattr(module, "_now", now)  # noqa: B010
    if sys.argv[1] == "web":
        from dunwell.web.console import statements as page

        setattr(page, "now", now)  # noqa: B010
    if sys.argv[1] == "starter":
        from dunwell.commands import statements as command

        setattr(command, "datetime", _Clock)  # noqa: B010


def give_rehearsals_links() -> None:
    """Put the link to the page of its reader into each message, and let the pages live by the time of their cases."""
    from dunwell.services import message_links

    issue = message_links.issue

    def for_rehearsals(session: Any, deps: Any, dispatch: Any, row: Any, contact: Any) -> Any:
        return issue(session, deps, replace(dispatch, rehearsal=False), row, contact)

    setattr(message_links, "issue", for_rehearsals)  # noqa: B010
    if sys.argv[1] == "web":
        from dunwell.views import customer_page
        from dunwell.views import restriction as view
        from dunwell.web.customer import links, page

        read, invoice = customer_page.read_page, view._invoice

        def in_its_time(
            session: Any, deps: Any, whose: str, of: Any, contact: Any, message: Any, _: datetime, **more: Any
        ) -> Any:
            at = max((now_of(session, one) for one in of), default=now())
            return read(session, deps, whose, of, contact, message, at, **more)

        def held_in_its_time(session: Any, deps: Any, stored: Any, level: Any, since: Any, _: datetime) -> Any:
            case: Any = SimpleNamespace(invoice_id=stored.invoice_id, state=stored.state, rehearsal=False)
            at = now_of(session, stored.invoice_id)  # a page says the same for two days, which are seconds here
            return invoice(session, deps, case, level, since, at - (at - _EPOCH) % timedelta(days=2))

        setattr(page, "read_page", in_its_time)  # noqa: B010
        setattr(view, "_invoice", held_in_its_time)  # noqa: B010
        setattr(page, "_now", now)  # noqa: B010
        setattr(links, "datetime", _Clock)  # noqa: B010


def hear_replies_in_time() -> None:
    """Let what customers write come at the time of the storm, by which their cases rest and clerks answer.

    People of rehearsals are known by their number, too, and clerks read what they write. Whoever writes by WhatsApp
    may be answered in any words for a day, which no rehearsal is.
    """
    if sys.argv[1] != "web":
        return
    from dunwell.domain.address import address_key
    from dunwell.services import event_inbox, provider_event, reply_owner
    from dunwell.store import conversations
    from dunwell.store.tables import ConversationRow
    from dunwell.views import replies as view
    from dunwell.web.api import replies as api
    from dunwell.web.console import replies as page

    apply, record = provider_event.apply, conversations.record_inbound

    def in_time(session: Any, event: Any, at: datetime) -> Any:
        return apply(session, event, at if event.text is None else now())

    def of_rehearsals(session: Any, channel: Any, address: str, at: datetime) -> None:
        record(session, channel, address, at)
        if channel.facts.free_for is not None:
            key = address_key(channel, address, rehearsal=True)
            session.merge(ConversationRow(channel=channel.value, address_key=key, heard_at=at))
            session.flush()

    setattr(event_inbox, "apply", in_time)  # noqa: B010
    setattr(conversations, "record_inbound", of_rehearsals)  # noqa: B010
    for module in (reply_owner, view):
        setattr(module, "is_rehearsal", lambda _: False)  # noqa: B010
    setattr(api, "_now", now)  # noqa: B010
    setattr(page, "now", now)  # noqa: B010


class _Clock(datetime):
    """For the one place that asks for the time itself."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return now()


def keep_faults(record: logging.LogRecord) -> bool:
    """Keep the traceback of an unexpected error, which the log leaves out because it may hold personal data."""
    if record.msg.startswith("unexpected"):
        with Path(FAULTS).open("a") as file:
            traceback.print_exc(file=file)
    return True


def main() -> None:
    what, *words = sys.argv[1:]
    logging.getLogger("dunwell.web").addFilter(keep_faults)
    tree = Path(os.environ["PYTHONPATH"])
    let_rehearsals_take_money()
    give_rehearsals_links()
    hear_replies_in_time()
    if what == "web":
        sys.argv = ["dunwell.web", *words]
        runpy.run_module("dunwell.web", run_name="__main__", alter_sys=True)
    else:
        script = str(tree / f"{what}.py")
        sys.argv = [script, *words]
        runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
