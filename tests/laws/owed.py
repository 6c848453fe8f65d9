"""What the customer of a life owes, in a ledger of its own beside the model's: by which law, and what happened when.

Kept as docs/decisions/0029 and 0031 say it: what a dispute took off was never owed, and what it left had been owed
all along; what an amendment took off was owed until then; a cancelled invoice was never owed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from dunwell.domain.case import Case
from dunwell.domain.claim import Claim, claim_of
from dunwell.domain.claim_history import AmountFrom, ClaimHistory, ContractTerms, DisputedSpan, Payment, Reversal
from dunwell.domain.governing_law import SELLER
from dunwell.domain.jurisdiction import Jurisdiction
from dunwell.domain.terms import DebtorKind
from dunwell.services.claims import history_of_case
from tests.laws.claims_by_day import claim_by_days, rounded, shown

_HEADS = ("principal", "lump_sum", "costs", "interest", "total", "disputed")


@dataclass
class Owed:
    """One invoice. Amounts in its currency, days in the customer's `zone`.

    tolerance: a rest that small is given up once something was paid.
    """

    law: Jurisdiction
    kind: DebtorKind | None
    terms: ContractTerms
    zone: ZoneInfo
    currency: str
    digits: int
    issued_on: date
    due_on: date
    tolerance: Decimal
    amounts: list[AmountFrom]
    payments: list[Payment] = field(default_factory=list)
    reversals: list[Reversal] = field(default_factory=list)
    dispute: DisputedSpan | None = None
    ended_disputes: list[DisputedSpan] = field(default_factory=list)
    """Those that the customer ended by paying: what was in dispute bore no interest meanwhile."""
    warned_at: list[datetime] = field(default_factory=list)
    cancelled: bool = False
    written_off_on: date | None = None

    # What happened ---------------------------------------------------------------------------------------

    def book(self, name: str, content: Mapping[str, Any], now: datetime, *, over: bool) -> None:
        """Something that was said and not refused. over: the case had ended; then nobody objects on the phone."""
        today = self.day(now)
        match name:
            case "payment_received":
                self._pay(content, today)
            case "payment_reversed":
                self._take_back(content, today)
            case "dispute_opened":
                self._object(content, today)
            case "call_outcome" if content["outcome"] == "dispute" and not (over or self.dispute):
                self._object({}, today)
            case "dispute_resolved":
                self._resolve(content, today)
            case "invoice_amended":
                self._amend(content, today)
            case "cancel":
                self.cancelled = True
            case "write_off":
                self.written_off_on = today
        if self.dispute is not None and self.settled and not self.cancelled:
            self.ended_disputes.append(self.dispute.model_copy(update={"until": today}))
            self.dispute = None

    def _pay(self, content: Mapping[str, Any], today: date) -> None:
        named = {"payment_id": content["payment_id"], "designation": content.get("designation")}
        self.payments.append(Payment(on=today, amount=Decimal(content["amount"]), **named))

    def _take_back(self, content: Mapping[str, Any], today: date) -> None:
        payment_id = content["payment_id"]
        amount = Decimal(content.get("amount") or self._left(payment_id))
        self.reversals.append(Reversal(payment_id=payment_id, on=today, amount=amount))

    def _left(self, payment_id: str) -> Decimal:
        came = sum((one.amount for one in self.payments if one.payment_id == payment_id), Decimal(0))
        return came - sum((one.amount for one in self.reversals if one.payment_id == payment_id), Decimal(0))

    def _object(self, content: Mapping[str, Any], today: date) -> None:
        amount = content.get("amount")
        self.dispute = DisputedSpan(since=today, amount=None if amount is None else Decimal(amount))

    def _resolve(self, content: Mapping[str, Any], today: date) -> None:
        assert self.dispute is not None
        amount = self.amount
        if content["outcome"] == "upheld":
            amount = max(amount - (self.dispute.amount or self.open), Decimal(0))
        elif content["outcome"] == "adjusted":
            amount = Decimal(content["new_amount"])
        self.dispute = None
        if amount < self.amount:
            self.amounts = [AmountFrom(on=row.on, amount=min(row.amount, amount)) for row in self.amounts]
        self._owe(amount, today)

    def _amend(self, content: Mapping[str, Any], today: date) -> None:
        if content.get("due_on"):
            self.due_on = date.fromisoformat(content["due_on"])
        if content.get("amount"):
            self._owe(Decimal(content["amount"]), today)

    def _owe(self, amount: Decimal, today: date) -> None:
        self.amounts.append(AmountFrom(on=today, amount=amount))
        if amount - self.paid <= 0 == self.paid:
            self.cancelled = True  # nothing is owed, and nothing was paid

    # How it stands ---------------------------------------------------------------------------------------

    def day(self, now: datetime) -> date:
        return now.astimezone(self.zone).date()

    @property
    def amount(self) -> Decimal:
        return self.amounts[-1].amount

    @property
    def paid(self) -> Decimal:
        went = sum((one.amount for one in self.reversals), Decimal(0))
        return sum((one.amount for one in self.payments), Decimal(0)) - went

    @property
    def given_up(self) -> Decimal:
        """A rest that nobody is asked for."""
        rest = self.amount - self.paid
        return rest if self.paid > 0 and 0 < rest <= self.tolerance else Decimal(0)

    @property
    def open(self) -> Decimal:
        return max(self.amount - self.paid - self.given_up, Decimal(0))

    @property
    def settled(self) -> bool:
        return self.open == 0

    def history(self) -> ClaimHistory:
        days = [self.day(at) for at in self.warned_at]
        return ClaimHistory(
            currency=self.currency,
            digits=self.digits,
            issued_on=self.issued_on,
            due_on=self.due_on,
            amounts=tuple(self._owed_amounts()),
            payments=tuple(self.payments),
            reversals=tuple(self.reversals),
            disputes=(*self.ended_disputes, *([self.dispute] if self.dispute else [])),
            noticed_on=min((day for day in days if day > self.due_on), default=None),
            written_off_on=self.written_off_on,
        )

    def _owed_amounts(self) -> list[AmountFrom]:
        if self.cancelled:
            return [AmountFrom(on=self.issued_on, amount=Decimal(0))]
        if not self.given_up:
            return self.amounts
        last = max([row.on for row in self.amounts] + [payment.on for payment in self.payments])
        return [*self.amounts, AmountFrom(on=last, amount=self.amount - self.given_up)]

    def counted(self, day: date) -> dict[str, Fraction]:
        """The claim at the end of that day by a count of the days."""
        return claim_by_days(self.history(), self.law, self.terms, day, self.kind)

    def claim(self, case: Case, day: date) -> Claim:
        """The product's own claim, by what its case keeps."""
        history = history_of_case(case, self.zone, self.warned_at, ())
        return claim_of(history, self.law, self.kind, SELLER, self.terms, day)

    # The laws of it --------------------------------------------------------------------------------------

    def law_g10_heads(self, case: Case, day: date) -> Claim:
        """Each head is what a count of the days says, to the cent, and no payment met more than came."""
        claim, counted = self.claim(case, day), self.counted(day)
        told, right = {name: getattr(claim, name) for name in _HEADS}, shown(counted, self.digits)
        beside = claim.beside.interest + claim.beside.lump_sum + claim.beside.costs
        if self.written_off_on is not None and day >= self.written_off_on:
            assert not any((*told.values(), beside)), f"G10: {told} are claimed on {day}, and it was written off"
            self._law_g10_all_of_it_was_written_off(claim)
        else:
            assert told == right, f"G10: on {day} the claim is {told}, by a count of the days {right}"
            assert beside == rounded(counted["beside"], self.digits), f"G10: {beside} beside the amount due"
        assert claim.overpaid == rounded(counted["overpaid"], self.digits), f"G10: {claim.overpaid} paid too much"
        assert min(told.values()) >= 0, f"G10: {told}"
        for one in claim.payments:
            assert sum(one.met.values()) <= one.amount, f"G10: {one} met more than came"
        return claim

    def _law_g10_all_of_it_was_written_off(self, claim: Claim) -> None:
        assert self.written_off_on is not None and claim.given_up is not None
        right, up = shown(self.counted(self.written_off_on), self.digits), claim.given_up
        heads = {head: getattr(up, head) for head in ("lump_sum", "costs", "interest")} | {"principal": up.principal}
        right["principal"] += right["disputed"]
        assert heads == {head: right[head] for head in heads}, f"G10: {heads} were written off, {right} were open"

    def law_g10_nothing_of_interest_holds(self, case: Case, claim: Claim) -> None:
        """What is due is the principal alone: covering it ends the case, and then nothing more accrues."""
        if self.cancelled:
            assert claim.total == 0, f"G10: {claim.total} of an invoice that was never owed"
            return
        if case.ended is None:
            assert case.open_amount == self.open > 0, (
                f"G10: {case.open_amount} due, {self.open} of the principal open"
            )
        if self.settled:
            assert case.ended and not case.holds, f"G10: {self.paid} paid, and the case is {case.stage}"
            assert claim.principal == claim.disputed == 0, f"G10: {self.paid} paid, and {claim.principal} are claimed"
            later = self.claim(case, claim.as_of + timedelta(days=200))
            assert later.total == claim.total, f"G10: interest grows after the end, to {later.total}"

    def balance(self, case: Case, day: date) -> Decimal:
        """What the customer owes in all; below zero what is owed to the customer."""
        claim = self.claim(case, day)
        return claim.total + claim.disputed - claim.overpaid

    def law_g10_what_is_taken_back_is_owed_again(self, before: Decimal, after: Decimal, amount: Decimal) -> None:
        """Exactly that, whichever heads it had met."""
        cents = 3 * Decimal(1).scaleb(-self.digits)
        assert abs(after - before - amount) <= cents, f"G10: {amount} taken back, and {after - before} more are owed"
