"""Finds messages that a provider took and nobody confirmed: silence past the policy's patience is no delivery."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session
from temporalio import activity

from activities import delivery
from activities.desk import Desk
from domain.case import Case
from domain.events import DeliveryReport
from domain.model import Record
from domain.terms import MessageState
from store import cases, outbox

_SHORTEST = timedelta(days=1)
_AT_ONCE = 200


class Unheard(Record):
    """A case that must hear that its message did not arrive."""

    invoice_id: str
    report: DeliveryReport


class Watch:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @activity.defn(name="find_silent_messages")
    def find_silent(self) -> list[Unheard]:
        """Note the silence in outbox and timelines. Returns whom to tell, at most a few hundred at once."""
        now = activity.info().started_time
        with self._desk.database.reading() as session:
            silent = [(row.message_id, row.customer_id) for row in outbox.silent(session, now - _SHORTEST, _AT_ONCE)]
        told: list[Unheard] = []
        for message_id, customer_id in silent:
            with self._desk.database.writing(customer_id) as session:
                told += self._give_up(session, message_id, now)
        return told

    def _give_up(self, session: Session, message_id: str, now: datetime) -> list[Unheard]:
        row = outbox.get(session, message_id)
        if row is None or row.state != MessageState.ACCEPTED or row.sent_at is None:
            return []
        carried = [
            (link.invoice_id, cases.get(session, link.invoice_id)) for link in outbox.links(session, message_id)
        ]
        days = max((self._patience(session, case) for _, case in carried if case), default=2)
        if now - row.sent_at < timedelta(days=days):
            return []
        code = f"not confirmed in {days} days"
        delivery.report(session, row, MessageState.FAILED, code, now, now)
        report = DeliveryReport(message_id=message_id, status="failed", code=code, at=now)
        return [
            Unheard(invoice_id=invoice_id, report=report)
            for invoice_id, case in carried
            if case and not case.resting and delivery.not_arrived(session, row, invoice_id, MessageState.FAILED)
        ]

    def _patience(self, session: Session, case: Case) -> int:
        return self._desk.policy(session, case.policy).silence_days
