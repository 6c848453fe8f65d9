"""Tells cases of payments that a provider reported: finds the invoice, and tells what is not booked yet."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from dunwell.client.answers import TellOutcome
from dunwell.client.billing_outcome import Outcome, settled, waits
from dunwell.client.cases import Cases
from dunwell.domain.billing_events import BilledInvoice, CreditNoted, Fact, OtherVersion, SubjectState, TakenBack
from dunwell.domain.incoming import booked_as
from dunwell.domain.payments import WRONGLY_MATCHED
from dunwell.domain.principals import provider_principal
from dunwell.domain.provider_payment import Booked, News, named_first, news
from dunwell.domain.refusal import Refused
from dunwell.store import billing_events, cases
from dunwell.store.database import Database
from dunwell.store.tables import BillingSubjectRow

_LOOKS_AGAIN = timedelta(seconds=10)
"""How soon it is looked again whether the ledger shows what a case was told."""
_TOLD_AGAIN = timedelta(minutes=10)
"""After how long a case is told again what the server took for it and the ledger does not show."""
_UNDONE = "match-undone"
"""The id of the reversal by which a case gives back what was matched wrongly."""


class _NotChased(Exception):
    """The payment is for an invoice of the provider that has no case, and needs none. The text says why."""


@dataclass(frozen=True)
class _Payment:
    invoice_id: str
    news: Sequence[News]
    billed: Sequence[str]


@dataclass(frozen=True)
class _Telling:
    """What a case is being told of a payment. Kept with the payment until the ledger shows it.

    taken_at  when the server took it for the case; None: nobody knows whether it did
    """

    invoice_id: str
    news: list[News]
    taken_at: datetime | None = None

    @classmethod
    def of(cls, applied: Mapping[str, Any]) -> "_Telling | None":
        return _TELLING.validate_python(applied) if applied else None


_TELLING = TypeAdapter(_Telling)


def _noted(telling: _Telling) -> dict[str, Any]:
    """Return how it is kept with the payment; empty when nothing is left of it."""
    noted: dict[str, Any] = _TELLING.dump_python(telling, mode="json") if telling.news else {}
    return noted


def _is_booked(one: News, booked: Mapping[str, Booked]) -> bool:
    """Whether the ledger shows what this event says."""
    payment = booked.get(one.content["payment_id"])
    if payment is None or one.name == "payment_received":
        return payment is not None
    return one.content["reversal_id"] in payment.reversals


def _not_yet(row: BillingSubjectRow) -> Outcome:
    """The case has still to write down what it was told."""
    return Outcome(SubjectState.DUE, row.invoice_id, row.reason, row.applied, after=_LOOKS_AGAIN)


class BilledPayments:
    """Applies subjects that are payments. Safe to share between tasks."""

    def __init__(self, database: Database, cases: Cases) -> None:
        self._database, self._cases = database, cases

    async def apply(self, row: BillingSubjectRow) -> Outcome:
        """Tell the case of the payment what is new. Raises NoAnswer and ServerAway when it could not be told.

        A match that a person undid is taken back first; then the payment waits until they say where it belongs.
        """
        try:
            if row.undone_from is not None:
                await self._take_back(row, row.undone_from)
            if row.decided_by is not None and row.invoice_id is None:
                return waits(row.reason or "")
            was_told = bool(row.applied)
            if not await self._finish_telling(row):
                return _not_yet(row)
            found = await asyncio.to_thread(self._find, row)
            if found.news:
                await self._tell(row, _Telling(found.invoice_id, list(found.news)))
        except Refused as refused:
            return waits(str(refused), row.invoice_id)
        except _NotChased as why:
            return settled(reason=str(why))
        if found.news or was_told:
            await asyncio.to_thread(self._look_at_invoices_again, row.provider, found.billed)
        return _not_yet(row) if row.applied else settled(found.invoice_id)

    async def _tell(self, row: BillingSubjectRow, telling: _Telling) -> None:
        """Tell the case. What it has not confirmed as recorded stays noted with the payment. Raises Refused."""
        left, taken_at = list(telling.news), None
        await asyncio.to_thread(self._note_telling, row, telling)
        try:
            for one in telling.news:
                result = await self._cases.tell(
                    telling.invoice_id, one.name, one.content, principal=provider_principal(row.provider)
                )
                if result.how is TellOutcome.DONE:
                    left.remove(one)
            taken_at = datetime.now(UTC)
        except Refused:
            left = left[: left.index(one)]
            raise
        finally:
            row.applied = _noted(replace(telling, news=left, taken_at=taken_at))

    async def _finish_telling(self, row: BillingSubjectRow) -> bool:
        """Return whether the ledger shows all that the case was told before; only then can it say what is news.

        What is missing is told again: at once when nobody knows whether the server took it, else after _TOLD_AGAIN.
        """
        telling = _Telling.of(row.applied)
        if telling is None:
            return True
        left = await asyncio.to_thread(self._unwritten, telling)
        is_early = telling.taken_at is not None and datetime.now(UTC) - telling.taken_at < _TOLD_AGAIN
        if left and not is_early:
            with suppress(Refused):
                await self._tell(row, _Telling(telling.invoice_id, left))
        else:
            row.applied = _noted(replace(telling, news=left))
        return not row.applied

    def _unwritten(self, telling: _Telling) -> list[News]:
        with self._database.reading() as session:
            names = {one.content["payment_id"] for one in telling.news}
            booked = billing_events.booked(session, telling.invoice_id, names)
        return [one for one in telling.news if not _is_booked(one, booked)]

    def _note_telling(self, row: BillingSubjectRow, telling: _Telling) -> None:
        with self._database.writing_beside_customers() as session:
            billing_events.note_telling(session, row, _noted(telling))

    async def _take_back(self, row: BillingSubjectRow, invoice_id: str) -> None:
        """Let the case of a former invoice give back what is left of the payment. Raises Refused when it does not."""
        for payment_id, is_booked in await asyncio.to_thread(self._to_give_back, row, invoice_id):
            content = {
                "payment_id": payment_id,
                "reason": WRONGLY_MATCHED,
                "reversal_id": _UNDONE,
                "by": row.decided_by,
            }
            try:
                await self._cases.tell(
                    invoice_id, "payment_reversed", content, principal=provider_principal(row.provider)
                )
            except Refused:
                if is_booked:
                    raise
        await asyncio.to_thread(self._note_taken_back, row)

    def _note_taken_back(self, row: BillingSubjectRow) -> None:
        with self._database.writing_beside_customers() as session:
            billing_events.note_taken_back(session, row)

    def _to_give_back(self, row: BillingSubjectRow, invoice_id: str) -> list[tuple[str, bool]]:
        """Return each payment that may count, and whether it surely does: a questioned one is not booked."""
        with self._database.reading() as session:
            facts = billing_events.facts(session, row.provider, row.subject)
            family = _family(row, facts)
            attempt = _attempt(session, invoice_id, family)
            booked = billing_events.booked(session, invoice_id, [booked_as(name, attempt) for name in family])
        own = booked_as(_payment_id(row, facts), attempt)
        told = {own: own in booked}
        return list((told | {name: True for name, one in booked.items() if one.left > 0}).items())

    def _look_at_invoices_again(self, provider: str, billed: Sequence[str]) -> None:
        """What the invoice's own record calls paid may be explained now, or no more."""
        with self._database.writing_beside_customers() as session:
            for name in billed:
                billing_events.again(session, provider, name, datetime.now(UTC))

    def _find(self, row: BillingSubjectRow) -> _Payment:
        with self._database.reading() as session:
            facts = billing_events.facts(session, row.provider, row.subject)
            other = next((one for one in facts if isinstance(one, OtherVersion)), None)
            if other is not None and all(isinstance(one, OtherVersion) for one in facts):
                raise Refused("version", _of_other_version(other))
            payment_id, family = _payment_id(row, facts), _family(row, facts)
            billed = self._billed(session, row, facts)
            invoice_id = row.invoice_id or self._invoice(session, row, facts, payment_id, billed)
            for name in billed:
                notes = billing_events.facts(session, row.provider, name)
                facts += [one for one in notes if isinstance(one, CreditNoted)]
            attempt = _attempt(session, invoice_id, family)
            names = {booked_as(name, attempt): name for name in family}
            booked = billing_events.booked(session, invoice_id, names)
        told = [
            _as_booked(one, attempt)
            for one in news(payment_id, facts, {names[name]: one for name, one in booked.items()})
        ]
        return _Payment(invoice_id, [_sure(one) for one in told] if billed else told, billed)

    def _billed(self, session: Session, row: BillingSubjectRow, facts: Sequence[Fact]) -> list[str]:
        named = named_first(facts, "billed")
        return sorted({*billing_events.billed_for(session, row.provider, row.subject), *([named] if named else [])})

    def _invoice(
        self,
        session: Session,
        row: BillingSubjectRow,
        facts: Sequence[Fact],
        payment_id: str,
        billed: Sequence[str],
    ) -> str:
        """Return our invoice that the payment is for. Raises Refused when nobody knows it, _NotChased."""
        if len(billed) > 1:
            raise Refused("invoice", f"it pays several invoices of {row.provider} ({', '.join(billed)})")
        named = named_first(facts, "invoice_id")
        if named is not None:
            return _the_one(billing_events.real_invoices(session, invoice_id=named), f"the invoice {named}")
        for name in billed:
            subject = billing_events.get(session, row.provider, name)
            if subject is not None and subject.invoice_id is not None:
                return subject.invoice_id
            known = billing_events.facts(session, row.provider, name)
            if any(isinstance(one, BilledInvoice) for one in known):
                raise _NotChased(f"for {name}, which has no case")
            raise Refused("invoice", f"it pays {name} of {row.provider}, which has not been reported")
        number = named_first(facts, "number")
        if number is not None:
            return _the_one(billing_events.real_invoices(session, number=number), f"an invoice {number}")
        booked = billing_events.booked_on(session, payment_id)
        if not booked:
            raise Refused("invoice", "it names no invoice")
        return _the_one(booked, f"the payment {payment_id}")


def _payment_id(row: BillingSubjectRow, facts: Sequence[Fact]) -> str:
    return named_first(facts, "payment_id") or row.subject


def _family(row: BillingSubjectRow, facts: Sequence[Fact]) -> set[str]:
    """The ids under which money of the payment is booked: its own, and those of what came back of it."""
    return {_payment_id(row, facts), *(one.item_id for one in facts if isinstance(one, TakenBack))}


def _attempt(session: Session, invoice_id: str, family: Collection[str]) -> int:
    """Return the number of the payment's booking on the invoice: 1, and one more for each that was undone."""
    case = cases.get(session, invoice_id)
    undone = {one.payment_id for one in case.money.reversals if one.key == _UNDONE} if case is not None else set()
    return next(number for number in count(1) if not undone & {booked_as(name, number) for name in family})


def _as_booked(one: News, attempt: int) -> News:
    return News(one.name, {**one.content, "payment_id": booked_as(one.content["payment_id"], attempt)})


def _sure(one: News) -> News:
    """All payments of such an invoice are known by their ids, so nobody is asked whether one was counted before."""
    return News(one.name, {**one.content, "confirm": True}) if one.name == "payment_received" else one


def _the_one(found: Sequence[str], what: str) -> str:
    if not found:
        raise Refused("invoice", f"{what} is not registered")
    if len(found) > 1:
        raise Refused("invoice", f"{what} may be any of {', '.join(found)}")
    return found[0]


def _of_other_version(fact: OtherVersion) -> str:
    return (
        f"it was reported in version {fact.version} of the API, which is not read: set STRIPE_API_KEY, so that it is "
        "read anew, or make the webhook endpoint in the version that docs/stripe.md names"
    )
