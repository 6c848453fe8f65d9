"""A shipped ladder never changes under the version by which running cases know it."""

from tests.intake.released import released, shipped


def test_e6_a_changed_ladder_has_a_new_version() -> None:
    known = released()
    changed = [
        f"{name}@{version}" for (name, version), found in shipped().items() if known.get((name, version)) != found
    ]
    assert changed == [], (
        "raise the version in policies/NAME.toml, or take the change back; then `python -m tests.intake.released` "
        "adds what is new"
    )


def test_e6_what_was_released_is_still_shipped_or_was_replaced_by_a_newer_version() -> None:
    latest = dict(shipped().keys())
    assert [one for one in released() if latest.get(one[0], 0) < one[1]] == []
