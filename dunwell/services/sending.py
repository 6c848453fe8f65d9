"""Sends one message to one contact: claim, call, record. Nowhere else does a message leave.

A claim whose call was begun and never answered is looked up, or left to a person; it is never simply sent again (G3).
"""

from sqlalchemy.orm import Session

from dunwell.domain.channels import Channel
from dunwell.domain.contact import Contact
from dunwell.domain.keys import TaskId
from dunwell.domain.terms import TAKEN_STATES, MessageState, ProviderCall
from dunwell.gateways.base import DeliveryError, MessageGateway, Receipt
from dunwell.services import person_tasks
from dunwell.services.decision_log import note, note_message
from dunwell.services.dependencies import Dependencies
from dunwell.services.dispatch import Dispatch
from dunwell.services.failures import ProviderFailed
from dunwell.services.message_claims import Claim, Claims, Result, reported
from dunwell.store import addresses, outbox
from dunwell.store.database import UnitOfWork
from dunwell.store.tables import MessageRow


class Sending:
    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps
        self._claims = Claims(deps)

    def send(self, unit: UnitOfWork, dispatch: Dispatch, contact: Contact, channel: Channel) -> Result:
        """Send the step's message to `contact` on `channel`, once. Records the provider's answer immediately.

        Raises ProviderFailed when the provider surely did not take it and may do so later, CallInFlight
        while an earlier call may be under way, TooOften when the contact caps are used up meanwhile.
        """
        address = contact.address(channel)
        if address is None:
            if contact.lacks_consent(channel):
                key = f"{contact.contact_id}.{channel.value}.consent"
                why = f"{contact.contact_id} is not written to by {channel.value}: no consent of theirs is known"
                note(unit.session, dispatch, key, "withheld", why, channel)
            return "closed"
        gateway = self._deps.gateway(channel, dispatch.rehearsal)
        if gateway.name in self._deps.rate_limits:
            # Before the claim, never after it: who pays while the message waits here is not asked any more.
            unit.commit()
            self._deps.rate_limits[gateway.name].wait()
        claim = self._claims.claim(unit.session, dispatch, contact, channel, address)
        if not isinstance(claim, Claim):
            return claim
        unit.commit()
        result = (
            self._look_up(unit, dispatch, claim, gateway)
            if claim.begun_before
            else self._call(unit, dispatch, claim, gateway)
        )
        unit.commit()
        return result

    def settle(self, unit: UnitOfWork, dispatch: Dispatch) -> None:
        """Look up the provider calls that an earlier attempt of this step began and did not record.

        For a step that is not wanted any more, as when the money came meanwhile: nothing is sent. Raises
        ProviderFailed when a provider cannot be asked just now.
        """
        for claim in self._claims.abandoned(unit.session, dispatch):
            unit.commit()
            self._look_up(unit, dispatch, claim, self._deps.gateway(claim.envelope.channel, dispatch.rehearsal))
            unit.commit()

    def _call(self, unit: UnitOfWork, dispatch: Dispatch, claim: Claim, gateway: MessageGateway) -> Result:
        try:
            receipt = gateway.send(claim.envelope)
        except DeliveryError as error:
            return self._failed(unit, dispatch, claim, error)
        return self._record(unit.session, dispatch, claim, receipt)

    def _look_up(self, unit: UnitOfWork, dispatch: Dispatch, claim: Claim, gateway: MessageGateway) -> Result:
        """Ask the provider about a call whose answer never came; where it cannot answer, ask a person."""
        if not gateway.can_find:
            return self._unknown(unit.session, dispatch, claim, "the call was begun and no answer came")
        try:
            receipt = gateway.find(claim.envelope, claim.begun_at)
        except DeliveryError as error:
            raise ProviderFailed(f"the provider cannot be asked: {error.reason}") from error
        if receipt is not None:
            return self._record(unit.session, dispatch, claim, receipt)
        self._refused(unit, claim)
        raise ProviderFailed("the provider never got the message; it is claimed anew")

    def _failed(self, unit: UnitOfWork, dispatch: Dispatch, claim: Claim, error: DeliveryError) -> Result:
        if error.maybe_sent:
            gateway = self._deps.gateway(claim.envelope.channel, dispatch.rehearsal)
            if gateway.can_find:
                raise ProviderFailed(f"no answer from {gateway.name}; it will be looked up")
            return self._unknown(unit.session, dispatch, claim, error.reason)
        if not error.permanent and not dispatch.execution.served:  # no step waits for a copy
            self._refused(unit, claim)
            raise ProviderFailed(error.reason) from error
        receipt = Receipt("", None, MessageState.FAILED, error.code or error.reason, error.closes_address)
        return self._record(unit.session, dispatch, claim, receipt)

    def _refused(self, unit: UnitOfWork, claim: Claim) -> None:
        """Note that the message was surely not sent, and may be claimed again."""
        self._row(unit.session, claim).call = ProviderCall.REFUSED
        unit.commit()

    def _record(self, session: Session, dispatch: Dispatch, claim: Claim, receipt: Receipt) -> Result:
        row = self._row(session, claim)
        row.call = ProviderCall.ANSWERED
        row.provider, row.provider_id = receipt.provider or None, receipt.provider_id
        if row.state != MessageState.CLAIMED:
            return reported(row)
        row.state, row.reason = receipt.state, receipt.code
        arrived = receipt.state in TAKEN_STATES
        row.sent_at = dispatch.now if arrived or receipt.provider_id else None
        row.settled_at = None if receipt.state is MessageState.ACCEPTED else dispatch.now
        if receipt.closes_address:
            addresses.close(
                session,
                row.channel,
                row.address,
                receipt.closes_address,
                dispatch.now,
                rehearsal=dispatch.rehearsal,
            )
        code = f" ({receipt.code})" if receipt.code else ""
        kind = "sent" if arrived else receipt.state.value
        note_message(session, row, kind, f"{receipt.state.value}{code}", dispatch.now)
        return "reached" if arrived else "closed"

    def _unknown(self, session: Session, dispatch: Dispatch, claim: Claim, why: str) -> Result:
        """Note that nobody knows whether the message was sent, and ask a person. It is not sent again."""
        row = self._row(session, claim)
        if row.state != MessageState.CLAIMED:
            return reported(row)
        row.call, row.state, row.reason = ProviderCall.ANSWERED, MessageState.UNKNOWN, why
        text = note_message(session, row, "unknown", f"nobody knows whether it left ({why})", dispatch.now)
        if dispatch.execution.served:
            return "reached"  # no person has to check a copy
        look = f"Look it up at the provider by message id {row.message_id}; it is not sent again"
        say = f"say what became of it: starter.py settle-message {row.message_id} delivered, or failed"
        person_tasks.raise_task(
            session,
            dispatch.case,
            task_id=str(TaskId.of(row.message_id, "unknown")),
            step=dispatch.execution.step,
            contact_id=row.contact_id,
            reason=f"{text}. {look}; then {say}",
            now=dispatch.now,
        )
        return "reached"

    def _row(self, session: Session, claim: Claim) -> MessageRow:
        row = outbox.get(session, claim.envelope.message_id)
        if row is None:
            raise LookupError(f"message {claim.envelope.message_id} vanished from the outbox")
        return row
