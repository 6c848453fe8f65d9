"""Clerks' answers to what customers wrote. Call inside a transaction."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.clerk_answer import ClerkAnswer
from dunwell.store.tables import AnswerRow


def add(session: Session, answer: ClerkAnswer, customer_id: str, by: str, now: datetime) -> None:
    """Store an answer, which its case sends later."""
    session.add(
        AnswerRow(
            **answer.model_dump(exclude={"phrases"}),
            phrases=[phrase.value for phrase in answer.phrases],
            customer_id=customer_id,
            by=by,
            made_at=now,
        )
    )
    session.flush()


def get(session: Session, answer_id: str) -> AnswerRow | None:
    return session.get(AnswerRow, answer_id)


def answer_of(row: AnswerRow) -> ClerkAnswer:
    """Return the answer of a row."""
    known = {name: getattr(row, name) for name in ClerkAnswer.model_fields}
    return ClerkAnswer.model_validate(known | {"phrases": tuple(row.phrases)})


def of_replies(session: Session, reply_ids: Collection[str]) -> Sequence[AnswerRow]:
    """Return the answers to these replies, oldest first."""
    query = select(AnswerRow).where(AnswerRow.reply_id.in_(reply_ids))
    return session.scalars(query.order_by(AnswerRow.made_at, AnswerRow.answer_id)).all()
