"""The status of a case as the database has it."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy.orm import Session

from dunwell.domain.refusal import Refused
from dunwell.domain.timeline import Entry
from dunwell.store import cases, invoices, standstills, timeline
from dunwell.store.database import Database
from dunwell.views.claim import claim_or_reason
from dunwell.views.credit import credit_beside
from dunwell.views.facts import Facts
from dunwell.views.lookup import find_invoice
from dunwell.views.names import Names
from workflows.status import Line, Status, lines_of, status_of


def case_facts(session: Session, status: Status, seller: str | None) -> Facts:
    """A status as JSON, with what the case itself does not know. seller: the setting SENDER_COUNTRY.

    number, customer_id, customer  of the invoice; None of one that is not registered yet
    standstill                     what holds every message and consequence back; None when they leave
    credits_beside                 the credit on the customer's other invoices
    claim, no_claim                what may be claimed today, or why that is not known
    """
    row, stands = invoices.get_row(session, status.invoice_id), standstills.in_force(session)
    return status.model_dump(mode="json") | {
        "standstill": stands.model_dump(mode="json") if stands else None,
        "credits_beside": credit_beside(session, row) if row else [],
        **(claim_or_reason(session, status.invoice_id, seller) if row else {"claim": None, "no_claim": None}),
        "number": row.number if row else None,
        "customer_id": row.customer_id if row else None,
        "customer": invoices.customer_row(session, row.customer_id).name if row else None,
    }


def with_written(database: Database, status: Status) -> Status:
    """`status` with what the database has beyond it: names, and what a webhook wrote before the case next wakes."""
    with database.reading() as session:
        written = [entry for _, entry in timeline.read(session, status.invoice_id)]
        row = invoices.get_row(session, status.invoice_id)
        customer_id = row.customer_id if row else ""
        stored = cases.get(session, status.invoice_id) if status.credit else None
        names, in_roles = Names(session, customer_id), lines_of(written, customer_id)
        lines = _named_lines(written, in_roles, names)
        lines += (Counter(status.timeline) - Counter(in_roles) - Counter(lines)).elements()
        if stored is not None:
            # Where credit went, the case learns with its next answer from the database.
            status = status.model_copy(update={"credit": stored.credit})
        return _named(status, sorted(lines, key=lambda line: line.at), names)


def stored_status(database: Database, invoice_id: str) -> Status:
    """The status by the database's copy of the case. Raises Refused when there is none."""
    with database.reading() as session:
        find_invoice(session, invoice_id)
        case = cases.get(session, invoice_id)
        if case is None:
            why = f"{invoice_id!r} is registered, but its case was never opened: start its file again"
            raise Refused("invoice", why)
        entries = [entry for _, entry in timeline.read(session, invoice_id)]
        status, names = status_of(case, entries), Names(session, case.customer_id)
        return _named(status, _named_lines(entries, status.timeline, names), names)


def _named_lines(entries: Sequence[Entry], in_roles: Sequence[Line], names: Names) -> list[Line]:
    """The lines of these entries with the names of people."""
    by_time = sorted(entries, key=lambda entry: entry.at)
    return [
        line.model_copy(update={"reason": names.within(entry.reason)})
        for entry, line in zip(by_time, in_roles, strict=True)
    ]


def _named(status: Status, lines: list[Line], names: Names) -> Status:
    """The status with this timeline, and with names in it."""
    grace, coming = status.grace, status.next_action
    return status.model_copy(
        update={
            "timeline": lines,
            "next_action": coming.model_copy(update={"why": names.within(coming.why)})
            if coming is not None
            else None,
            "promises": [
                one.model_copy(update={"promised_by": names.within(one.promised_by)}) for one in status.promises
            ],
            "pauses": [one.model_copy(update={"by": names.within(one.by)}) for one in status.pauses],
            "grace": grace.model_copy(update={"by": names.within(grace.by)}) if grace is not None else None,
        }
    )
