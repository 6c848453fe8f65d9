"""Checks the move of a case to another version of its policy against the registered version."""

from dunwell.domain.events import PolicyMoved
from dunwell.domain.policy import digest_of
from dunwell.domain.refusal import Refused
from dunwell.store import policies
from dunwell.store.database import Database


def check_move(database: Database, move: PolicyMoved) -> None:
    """Raises Refused when the version is not registered, or something that the move says of it is not true."""
    with database.reading() as session:
        try:
            policy = policies.load(session, move.name, move.to_version)
        except LookupError:
            known = policies.versions(session, move.name)
            there = f"; known are {', '.join(map(str, known))}" if known else ""
            raise Refused("to_version", f"{move.name}@{move.to_version} is not registered{there}") from None
    if move.digest != digest_of(policy):
        reason = f"is not that of {move.name}@{move.to_version} as it is registered; make the preview anew"
        raise Refused("digest", reason)
    for field, given, known_as in (
        ("steps", move.steps, tuple(step.id for step in policy.steps)),
        ("promises", move.promises, policy.promises),
        ("reactions", move.reactions, policy.reactions),
    ):
        if given != known_as:
            raise Refused(field, f"differ from those of {move.name}@{move.to_version}")
