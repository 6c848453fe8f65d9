"""How invoices stood and what was promised, each with its time: what figures of a past instant are made of.

A case is stored as it is now; what a newer copy changes of this is written down beside it, in the same transaction.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dunwell.domain.policy import tolerated
from dunwell.domain.terms import PromiseState, Stage
from dunwell.store.tables import PromiseRow, StandingRow

State = Mapping[str, Any]
"""A case as it is stored. A copy that an earlier release stored may lack facts that came later."""


class _Standing(NamedTuple):
    amount: Decimal
    due_on: date
    tolerance: Decimal
    end: Stage | None
    disputed: Decimal
    beside_principal: Decimal

    @classmethod
    def of(cls, state: State) -> "_Standing":
        amount, end, dispute = Decimal(state["amount"]), state.get("ended"), state.get("dispute")
        disputed = Decimal(0) if dispute is None else Decimal(dispute.get("amount") or amount)
        return cls(
            amount=amount,
            due_on=date.fromisoformat(state["due_on"]),
            tolerance=tolerated(state["rules"].get("tolerance", 0), state["digits"]),
            end=None if end in {None, Stage.PAID} else Stage(end),
            disputed=disputed,
            beside_principal=Decimal(state.get("beside_principal", 0)),
        )


def keep(session: Session, invoice_id: str, before: State | None, after: State, now: datetime) -> None:
    """Write down what changed between two stored copies of a case. `before` None: it was not stored."""
    standing = _Standing.of(after)
    if before is None or _Standing.of(before) != standing:
        last = session.scalar(select(func.max(StandingRow.number)).where(StandingRow.invoice_id == invoice_id))
        row = StandingRow(invoice_id=invoice_id, number=(last or 0) + 1, since=now, **standing._asdict())
        session.add(row)
    known = [] if before is None else before.get("promises", ())
    for position, promise in enumerate(after["promises"]):
        if position >= len(known) or known[position]["state"] != promise["state"]:
            _put_promise(session, invoice_id, position + 1, promise, now)


def _put_promise(session: Session, invoice_id: str, number: int, promise: State, now: datetime) -> None:
    made_at, state = promise["made_at"], PromiseState(promise["state"])
    session.merge(
        PromiseRow(
            invoice_id=invoice_id,
            number=number,
            made_at=datetime.fromisoformat(made_at) if made_at else now,
            date=date.fromisoformat(promise["date"]),
            amount=Decimal(promise["amount"]),
            state=state,
            settled_at=None if state is PromiseState.OPEN else now,
            earlier=promise["earlier"],
        )
    )
