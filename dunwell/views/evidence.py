"""Evidence files: written once, never over another, and checked byte by byte."""

import os
from pathlib import Path

from sqlalchemy.orm import Session

from dunwell.domain.chronology import chronology
from dunwell.domain.evidence import Broken, Fact, VerifiedChain, chain, verify
from dunwell.domain.refusal import Refused
from dunwell.services.claims import today_of
from dunwell.store import cases
from dunwell.store.database import Database
from dunwell.store.evidence import collect
from dunwell.views.claim import claim_or_reason
from dunwell.views.lookup import find_invoice


def gather(database: Database, invoice_id: str, seller: str | None = None) -> bytes:
    """The evidence of a case as it is at this moment. Raises Refused when there is no such case.

    seller: the setting SENDER_COUNTRY. The claim is that of the day on which the case last changed.
    """
    with database.reading() as session:
        customer_id = find_invoice(session, invoice_id).customer_id
    # With the customer's lock, so that no payment or message comes between two of the tables.
    with database.writing(customer_id) as session:
        try:
            header, facts = collect(session, invoice_id)
            facts.append(_claim(session, invoice_id, seller))
        except LookupError as error:
            raise Refused("invoice", str(error)) from None
    return chain(header, facts)


def _claim(session: Session, invoice_id: str, seller: str | None) -> Fact:
    row, case = cases.get_row(session, invoice_id), cases.get(session, invoice_id)
    if row is None or case is None:
        raise LookupError(f"invoice {invoice_id!r} has no case: start its file first")
    day = today_of(session, case, row.updated_at)
    return Fact(kind="claim", at=row.updated_at, data=claim_or_reason(session, invoice_id, seller, day))


def write_new(path: Path, content: bytes) -> None:
    """Write a file only its owner may read. Raises Refused when it is there already or cannot be written."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except FileExistsError:
        raise Refused("out", f"{path} exists and is not written over: choose another name") from None
    except OSError as error:
        raise Refused("out", f"{path} cannot be written: {error.strerror or type(error).__name__}") from None


def check(path: Path) -> VerifiedChain:
    """Verify an evidence file and return its records. Raises Refused naming the line and what is wrong with it."""
    try:
        return verify(path.read_bytes())
    except OSError as error:
        raise Refused("verify", f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
    except Broken as broken:
        raise Refused(str(path), str(broken)) from None


def as_text(verified: VerifiedChain) -> str:
    """The chronology for people. Raises Refused for a chain that holds but is no evidence of a case."""
    try:
        return "".join(f"{line}\n" for line in chronology(verified))
    except (LookupError, TypeError, ValueError, AttributeError):
        reason = "the chain holds, but its records are not those of a case: it was not made by this program"
        raise Refused("text", reason) from None
