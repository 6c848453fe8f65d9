"""Ladders as they were when first used. A version, once used, never changes."""

import hashlib
import json
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.policy import Policy
from dunwell.store.tables import PolicyRow


class PolicyChanged(Exception):
    """A ladder's file says something else than the version of it that is in use."""


def register(session: Session, policy: Policy) -> None:
    """Keep this version. Raises PolicyChanged when the same version is known with other content."""
    if not is_registered(session, policy):
        body = policy.model_dump(mode="json")
        session.add(PolicyRow(name=policy.name, version=policy.version, digest=_digest(body), body=body))
        session.flush()


def is_registered(session: Session, policy: Policy) -> bool:
    """Whether this version is kept. Raises PolicyChanged when it is, with other content.

    A key that this release added, at its usual value, is no other content.
    """
    known = session.get(PolicyRow, (policy.name, policy.version))
    if known is None:
        return False
    if known.digest != _digest(policy.model_dump(mode="json")) and Policy.model_validate(known.body) != policy:
        # An older release kept it without the keys that came later: the same ladder, written shorter.
        raise PolicyChanged(
            f"policies/{policy.name}.toml differs from version {policy.version} that is in use: "
            f"raise its version to {policy.version + 1}"
        )
    return True


def _digest(body: object) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def versions(session: Session, name: str) -> Sequence[int]:
    """The registered versions of a ladder, the oldest first."""
    return session.scalars(select(PolicyRow.version).where(PolicyRow.name == name).order_by(PolicyRow.version)).all()


def load(session: Session, name: str, version: int) -> Policy:
    """Raises LookupError when this version was never registered."""
    row = session.get(PolicyRow, (name, version))
    if row is None:
        raise LookupError(f"policy {name}@{version} is not in the database")
    return Policy.model_validate(row.body)
