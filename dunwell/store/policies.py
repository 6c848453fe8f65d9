"""The policy versions that cases use. A version, once registered, never changes."""

import hashlib
import json
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from dunwell.domain.policy import Policy
from dunwell.store.tables import PolicyRow


class PolicyChanged(Exception):
    """A policy file differs from the registered version of the same number."""


def register(session: Session, policy: Policy) -> None:
    """Store this version. Raises PolicyChanged when it is registered with other content."""
    if not is_registered(session, policy):
        body = policy.model_dump(mode="json")
        session.add(PolicyRow(name=policy.name, version=policy.version, digest=_digest(body), body=body))
        session.flush()


def is_registered(session: Session, policy: Policy) -> bool:
    """Return whether this version is registered. Raises PolicyChanged when it is, with other content.

    A key that this release added counts as no difference while it has its default value.
    """
    known = session.get(PolicyRow, (policy.name, policy.version))
    if known is None:
        return False
    if known.digest != _digest(policy.model_dump(mode="json")) and Policy.model_validate(known.body) != policy:
        # The digest alone would not do: an older release stored the policy without the keys added since.
        raise PolicyChanged(
            f"policies/{policy.name}.toml differs from version {policy.version} that is in use: "
            f"raise its version to {policy.version + 1}"
        )
    return True


def _digest(body: object) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def versions(session: Session, name: str) -> Sequence[int]:
    """Return the registered versions of a policy, the oldest first."""
    return session.scalars(select(PolicyRow.version).where(PolicyRow.name == name).order_by(PolicyRow.version)).all()


def load(session: Session, name: str, version: int) -> Policy:
    """Return a registered policy version. Raises LookupError when there is none."""
    row = session.get(PolicyRow, (name, version))
    if row is None:
        raise LookupError(f"policy {name}@{version} is not in the database")
    return Policy.model_validate(row.body)
