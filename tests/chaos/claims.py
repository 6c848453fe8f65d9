"""What each invoice's claim had to be: by its payments, by what its case kept of amounts and disputes, by the law.

The laws of the town stand here once more, by hand, and a claim is counted day by day (`tests/laws/claims_by_day.py`).
Of the product, only the shapes are used in which a law and a history are written.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from dunwell.domain.claim_history import ClaimHistory, ContractTerms, InterestTerms
from dunwell.domain.jurisdiction import Jurisdiction
from tests.chaos.records import Records, Row, moment
from tests.domain.claims import a_law
from tests.laws.claims_by_day import claim_by_days, shown

_FROM_DEFAULT, _FROM_NOTICE = ["due"], ["notice"]
_GERMAN_ORDER = ["costs", "lump_sum", "interest", "principal"]
_BANDS = [{"below": "1000", "amount": "40"}, {"below": "10000", "amount": "70"}, {"amount": "100"}]

LAWS: Mapping[tuple[str, str], Jurisdiction] = {
    ("DE", "business"): a_law(
        {"statutory": {"rate": "10.52"}, "day_count": "act/act", "starts": _FROM_DEFAULT},
        lump_sum=[{"amount": "40"}],
        allocation={"order": _GERMAN_ORDER, "designation": "creditor_may_refuse"},
    ),
    ("DE", "consumer"): a_law(
        {"statutory": {"rate": "6.52"}, "day_count": "act/act", "starts": _FROM_NOTICE},
        lump_sum=[{"amount": "0"}],
        allocation={"order": _GERMAN_ORDER, "designation": "creditor_may_refuse"},
    ),
    ("GB", "business"): a_law(
        {"statutory": {"rate": "11.75"}, "day_count": "act/365", "starts": _FROM_DEFAULT},
        lump_sum=[{"bands": _BANDS}],
        allocation={"order": ["interest", "principal", "lump_sum", "costs"], "designation": "binds"},
        currency="GBP",
    ),
    ("GB", "consumer"): a_law(
        {"contract_only": True, "starts": _FROM_DEFAULT},
        lump_sum=[{"amount": "0"}],
        allocation={"order": ["interest", "principal", "lump_sum", "costs"], "designation": "binds"},
    ),
}
"""By country and kind of customer, with the rates of 2027: base 1.52 and 9 or 5 per cent, Bank Rate 3.75 and 8."""

_TERMS = ContractTerms(interest=InterestTerms.STATUTORY, lump_sum=True)


@dataclass(frozen=True)
class Debt:
    """One invoice as the database had it at one moment, by the audit's line `line` of kind "owed"."""

    records: Records
    name: str
    line: Row

    @cached_property
    def facts(self) -> Row:
        """What the case kept: amounts as text."""
        facts: Row = json.loads(self.line["value"])
        return facts

    @property
    def law(self) -> Jurisdiction | None:
        """None: nothing beside the principal is claimed."""
        invoice = self._invoice
        if invoice["interest"] in {None, "none"}:
            return None
        return LAWS[invoice["jurisdiction"], self._kind]

    @cached_property
    def paid(self) -> Decimal:
        """By the payments that the database had."""
        went = sum((Decimal(row["amount"]) for row in self._reversals), Decimal(0))
        return sum((Decimal(row["amount"]) for row in self._payments), Decimal(0)) - went

    @property
    def open(self) -> Decimal:
        """Of the principal, whatever the payments met."""
        if self.facts["ended"] == "cancelled":
            return Decimal(0)
        return max(Decimal(self.facts["amount"]) - self.paid - self._given_up, Decimal(0))

    @property
    def asked(self) -> Decimal:
        """What is open less what is in dispute."""
        dispute = self.facts["dispute"]
        if dispute is None:
            return self.open
        return max(self.open - Decimal(dispute["amount"]), Decimal(0)) if dispute["amount"] else Decimal(0)

    @property
    def may_be_left_out(self) -> bool:
        """Whether nobody has confirmed a value that is in the claim: in which order a British payment meets it."""
        return self._invoice["jurisdiction"] == "GB" and bool(self._payments)

    def claim(self, as_of: date) -> dict[str, Decimal]:
        """The heads and the total, as a person reads them: nothing from the day on which it was written off."""
        heads, off = shown(self.counted(as_of), self.digits), self._written_off_on
        return heads if off is None or as_of < off else dict.fromkeys(heads, Decimal(0))

    def counted(self, as_of: date) -> dict[str, Fraction]:
        assert self.law is not None
        return claim_by_days(self._history, self.law, _TERMS, as_of, self._kind)

    # What happened ---------------------------------------------------------------------------------------

    @property
    def _invoice(self) -> Row:
        return self._known.invoices[self.name]

    @property
    def _kind(self) -> str:
        kind: str = self._customer["kind"]
        return kind

    @property
    def _customer(self) -> Row:
        return self._known.customers[self._invoice["customer_id"]]

    @property
    def digits(self) -> int:
        digits: int = self._invoice["digits"]
        return digits

    @property
    def _known(self) -> Records:
        """The database of that moment: what a restore took away stands in the replaced one."""
        lost = self.records.replaced is not None and self.line["seq"] in self.records.lost_lines
        return self.records.replaced if lost and self.records.replaced else self.records

    def _written(self, kind: str) -> list[str]:
        """The keys of the payments or reversals that the database had, oldest first."""
        return list(dict.fromkeys(line["part"] for line in self._lines(kind, self.name)))

    def _lines(self, kind: str, key: str) -> list[Row]:
        """What had been written about it in the database of that moment, oldest first."""
        seq, lost = self.line["seq"], self.records.lost_lines
        lines = self.records.lines_of[kind, key]
        return [line for line in lines if line["seq"] < seq and (line["seq"] not in lost or seq in lost)]

    @cached_property
    def _payments(self) -> list[Row]:
        return [self._known.payments[self.name, part] for part in self._written("payment")]

    @cached_property
    def _reversals(self) -> list[Row]:
        return [self._known.reversals[self.name, part] for part in self._written("reversal")]

    @property
    def _given_up(self) -> Decimal:
        rest, tolerated = Decimal(self.facts["amount"]) - self.paid, self._known.policy(self.name)["tolerance"]
        small = 0 < rest <= Decimal(tolerated).scaleb(-self.digits)
        return rest if small and self.paid > 0 else Decimal(0)

    @property
    def _history(self) -> ClaimHistory:
        payments = [
            {
                "payment_id": row["payment_id"],
                "on": self._day(row["received_at"]),
                "amount": row["amount"],
                "designation": row["designation"],
            }
            for row in self._payments
        ]
        paid_on = {one["payment_id"]: one["on"] for one in payments}
        reversals = [
            {
                "payment_id": row["payment_id"],
                "on": max(self._day(row["at"]), paid_on[row["payment_id"]]),
                "amount": row["amount"],
            }
            for row in self._reversals
        ]
        due_on = date.fromisoformat(self.facts["due_on"])
        noticed = [day for day in map(self._day, self._warned_at()) if day > due_on]
        return ClaimHistory.model_validate(
            {
                "currency": self._invoice["currency"],
                "digits": self.digits,
                "issued_on": self._invoice["issued_on"],
                "due_on": due_on,
                "amounts": list(self._amounts([one["on"] for one in payments])),
                "payments": sorted(payments, key=lambda one: one["on"]),
                "reversals": sorted(reversals, key=lambda one: one["on"]),
                "disputes": list(self._disputes()),
                "noticed_on": min(noticed, default=None),
                "written_off_on": self._written_off_on,
            }
        )

    @property
    def _written_off_on(self) -> date | None:
        at = self.facts["written_off_at"]
        return None if at is None else self._day(at)

    def _amounts(self, paid_on: list[date]) -> Iterator[dict[str, Any]]:
        facts, since = self.facts, date.fromisoformat(self._invoice["issued_on"])
        if facts["ended"] == "cancelled":
            yield {"on": since, "amount": "0"}
            return
        for earlier in facts["earlier_amounts"]:
            yield {"on": since, "amount": earlier["amount"]}
            since = self._day(earlier["until"])
        yield {"on": since, "amount": facts["amount"]}
        if self._given_up:
            yield {"on": max([since, *paid_on]), "amount": Decimal(facts["amount"]) - self._given_up}

    def _disputes(self) -> Iterator[dict[str, Any]]:
        for past in self.facts["past_disputes"]:
            span = {"since": self._day(past["since"]), "until": self._day(past["until"])}
            yield span | {"amount": past["amount"], "rejected": past["rejected"]}
        dispute = self.facts["dispute"]
        if dispute is not None:
            yield {"since": self._day(dispute["since"]), "amount": dispute["amount"]}

    def _warned_at(self) -> Iterator[str]:
        """When the warnings arrived of which the database knew."""
        for link in self._known.links_of[self.name]:
            states = [line["value"] for line in self._lines("state", link["message_id"])]
            if link["warning"] and states[-1:] == ["delivered"]:
                yield self._known.messages[link["message_id"]]["settled_at"]

    def _day(self, text: str) -> date:
        at: datetime = moment(text)
        return at.astimezone(ZoneInfo(self._customer["time_zone"])).date()
