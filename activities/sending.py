"""Sends one message to one contact: claim, call, record. Nowhere else does a message leave.

A claim whose call was begun and never answered is looked up, or left to a person; it is never simply sent again (G3).
"""

from sqlalchemy.orm import Session
from temporalio.exceptions import ApplicationError

from activities import worklist
from activities.claims import Claim, Claims, Result, reported
from activities.desk import Desk
from activities.job import Job
from activities.journal import note_message
from domain.invoice import Contact
from domain.keys import TaskId
from domain.terms import TAKEN_STATES, Channel, MessageState
from gateways.base import DeliveryError, MessageGateway, Receipt
from store import addresses, outbox
from store.database import Visit
from store.tables import MessageRow


class Sending:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._claims = Claims(desk)

    def send(self, visit: Visit, job: Job, contact: Contact, channel: Channel) -> Result:
        """Bring the errand's message to `contact` on `channel`, once. What the provider answered is written at once.

        Raises ApplicationError when the provider surely did not take it and may do so later, TooOften when the
        contact has just had the last message that it may get for a while.
        """
        address = contact.address(channel)
        if address is None:
            return "closed"
        gateway = self._desk.gateway(channel, job.rehearsal)
        if gateway.name in self._desk.turns:
            # Before the claim, never after it: whoever pays while a message waits for its turn is not asked any more.
            visit.leave()
            self._desk.turns[gateway.name].wait()
        claim = self._claims.claim(visit.session, job, contact, channel, address)
        if not isinstance(claim, Claim):
            return claim
        visit.leave()
        result = (
            self._look_up(visit, job, claim, gateway)
            if claim.begun_before
            else self._call(visit, job, claim, gateway)
        )
        visit.leave()
        return result

    def settle(self, visit: Visit, job: Job) -> None:
        """Learn what became of calls that an attempt of this errand began and did not live to write down.

        For an errand that is not wanted any more, as when the money came meanwhile: nothing is sent. Raises
        ApplicationError when a provider cannot be asked just now.
        """
        for claim in self._claims.abandoned(visit.session, job):
            visit.leave()
            self._look_up(visit, job, claim, self._desk.gateway(claim.envelope.channel, job.rehearsal))
            visit.leave()

    def _call(self, visit: Visit, job: Job, claim: Claim, gateway: MessageGateway) -> Result:
        try:
            receipt = gateway.send(claim.envelope)
        except DeliveryError as error:
            return self._failed(visit, job, claim, error)
        return self._record(visit.session, job, claim, receipt)

    def _look_up(self, visit: Visit, job: Job, claim: Claim, gateway: MessageGateway) -> Result:
        """A call was begun and its answer never came: ask the provider, and if it cannot say, a person."""
        if not gateway.can_find:
            return self._unknown(visit.session, job, claim, "the call was begun and no answer came")
        try:
            receipt = gateway.find(claim.envelope, claim.begun_at)
        except DeliveryError as error:
            raise ApplicationError(f"the provider cannot be asked: {error.reason}", type="Provider") from error
        if receipt is not None:
            return self._record(visit.session, job, claim, receipt)
        self._refused(visit, claim)
        raise ApplicationError("the provider never got the message; it is claimed anew", type="Provider")

    def _failed(self, visit: Visit, job: Job, claim: Claim, error: DeliveryError) -> Result:
        if error.maybe_sent:
            gateway = self._desk.gateway(claim.envelope.channel, job.rehearsal)
            if gateway.can_find:
                raise ApplicationError(f"no answer from {gateway.name}; it will be looked up", type="Provider")
            return self._unknown(visit.session, job, claim, error.reason)
        if not error.permanent and not job.errand.served:  # no step waits for a copy
            self._refused(visit, claim)
            raise ApplicationError(error.reason, type="Provider") from error
        receipt = Receipt("", None, MessageState.FAILED, error.code or error.reason, error.closes_address)
        return self._record(visit.session, job, claim, receipt)

    def _refused(self, visit: Visit, claim: Claim) -> None:
        """The message surely did not leave, and may be claimed anew."""
        self._row(visit.session, claim).call = "refused"
        visit.leave()

    def _record(self, session: Session, job: Job, claim: Claim, receipt: Receipt) -> Result:
        row = self._row(session, claim)
        row.call = "answered"
        row.provider, row.provider_id = receipt.provider or None, receipt.provider_id
        if row.state != MessageState.CLAIMED:
            return reported(row)
        row.state, row.reason = receipt.state.value, receipt.code
        arrived = receipt.state in TAKEN_STATES
        row.sent_at = job.now if arrived or receipt.provider_id else None
        row.settled_at = None if receipt.state is MessageState.ACCEPTED else job.now
        if receipt.closes_address:
            addresses.close(
                session,
                Channel(row.channel),
                row.address,
                receipt.closes_address,
                job.now,
                rehearsal=job.rehearsal,
            )
        code = f" ({receipt.code})" if receipt.code else ""
        kind = "sent" if arrived else receipt.state.value
        note_message(session, row, kind, f"{receipt.state.value}{code}", job.now)
        return "reached" if arrived else "closed"

    def _unknown(self, session: Session, job: Job, claim: Claim, why: str) -> Result:
        """E-mail cannot be looked up. The policy's rule: do not send again, tell a person."""
        row = self._row(session, claim)
        if row.state != MessageState.CLAIMED:
            return reported(row)
        row.call, row.state, row.reason = "answered", MessageState.UNKNOWN.value, why
        text = note_message(session, row, "unknown", f"nobody knows whether it left ({why})", job.now)
        if job.errand.served:
            return "reached"  # nobody has to look for a copy
        look = f"Look it up at the provider by message id {row.message_id}; it is not sent again"
        say = f"say what became of it: starter.py settle-message {row.message_id} delivered, or failed"
        worklist.raise_task(
            session,
            job.case,
            task_id=str(TaskId.of(row.message_id, "unknown")),
            step=job.errand.step,
            contact_id=row.contact_id,
            reason=f"{text}. {look}; then {say}.",
            now=job.now,
        )
        return "reached"

    def _row(self, session: Session, claim: Claim) -> MessageRow:
        row = outbox.get(session, claim.envelope.message_id)
        if row is None:
            raise LookupError(f"message {claim.envelope.message_id} vanished from the outbox")
        return row
