"""Evidence files: written once, never over another, and checked byte by byte."""

import os
from pathlib import Path

from dunwell.domain.chronology import chronology
from dunwell.domain.evidence import Broken, VerifiedChain, chain, verify
from dunwell.domain.refusal import Refused
from dunwell.store.database import Database
from dunwell.store.evidence import collect
from dunwell.views.lookup import find_invoice


def gather(database: Database, invoice_id: str) -> bytes:
    """The evidence of a case as it is at this moment. Raises Refused when there is no such case."""
    with database.reading() as session:
        customer_id = find_invoice(session, invoice_id).customer_id
    # With the customer's lock, so that no payment or message comes between two of the tables.
    with database.writing(customer_id) as session:
        try:
            header, facts = collect(session, invoice_id)
        except LookupError as error:
            raise Refused("invoice", str(error)) from None
    return chain(header, facts)


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
