"""Ladders drawn at random: the shipped ones, changed part by part, as long as the check accepts them."""

import copy
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from dunwell.domain.ladder_file import parse_policy
from dunwell.domain.ladder_problems import PolicyError
from dunwell.domain.policy import Policy
from dunwell.intake.policy_files import FOLDER
from tests.builders import the_traits

Data = dict[str, Any]
Change = Callable[[Data], None]

SHIPPED: Mapping[str, Data] = {
    path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.toml"))
}


def _head(**values: Any) -> Change:
    return lambda data: data.update(values)


def _promises(**values: int) -> Change:
    return lambda data: data["promises"].update(values)


def _step(place: int, **values: Any) -> Change:
    """Changes the step at that place, counted around; None takes a part away."""

    def change(data: Data) -> None:
        step = data["step"][place % len(data["step"])]
        step.update({name: value for name, value in values.items() if value is not None})
        for name in [name for name, value in values.items() if value is None]:
            step.pop(name, None)

    return change


def _offset(place: int, count: int, unit: str) -> Change:
    def change(data: Data) -> None:
        step = data["step"][place % len(data["step"])]
        anchor = step["when"].split()[0]
        step["when"] = f"{anchor} + {count} {unit}" + ("" if unit == "hours" else " at 11:00")

    return change


def _without(place: int) -> Change:
    """Leaves a step out; those that counted from it count from what it counted from."""

    def change(data: Data) -> None:
        gone = data["step"].pop(place % len(data["step"]))
        for step in data["step"]:
            anchor, _, rest = step["when"].partition(" ")
            if anchor == gone["id"]:
                step["when"] = f"{gone['when'].split()[0]} {rest}"

    return change


def _doubled(place: int) -> Change:
    """One more letter of the same kind, some days later."""

    def change(data: Data) -> None:
        place_now = place % len(data["step"])
        step = data["step"][place_now]
        again = {**copy.deepcopy(step), "id": f"{step['id'][:30]}-again", "when": f"{step['id']} + 3 days at 10:00"}
        data["step"].insert(place_now + 1, again)

    return change


_places = st.integers(0, 7)
_changes: st.SearchStrategy[Change] = st.one_of(
    st.builds(_step, _places, late=st.sampled_from(["send", "skip", "shift"])),
    st.builds(_offset, _places, st.integers(0, 30), st.sampled_from(["days", "business days", "hours"])),
    st.builds(_without, _places),
    st.builds(_doubled, _places),
    st.builds(_step, _places, by=st.sampled_from([["email"], ["sms", "email"], ["call"]])),
    st.builds(
        _step,
        _places,
        needs=st.none()
        | st.builds("{} delivered warnings, {} days apart".format, st.integers(1, 3), st.integers(0, 9)),
    ),
    st.builds(
        _head,
        window=st.sampled_from(["08:00-20:00", "10:00-12:00", "09:00-17:30"]),
        gap_days=st.integers(0, 7),
        warnings_before_restriction=st.integers(1, 3),
    ),
    st.builds(_head, grace=st.builds(dict, days=st.integers(1, 14), times=st.integers(1, 5))),
    st.builds(_head, floor=st.sampled_from(["50.00", "300.00", "900.00"])),
    st.builds(_head, hold=st.just("work")),
    st.builds(_promises, limit=st.integers(0, 4), max_days=st.integers(1, 40), grace_days=st.integers(0, 5)),
)


@st.composite
def ladders(draw: st.DrawFn) -> Policy:
    """A shipped ladder with up to six changes; a change that the check refuses is taken back."""
    name = draw(st.sampled_from(sorted(SHIPPED)))
    data = copy.deepcopy(SHIPPED[name])
    policy = parse_policy(data, f"{name}.toml", the_traits())
    for change in draw(st.lists(_changes, max_size=6)):
        changed = copy.deepcopy(data)
        change(changed)
        try:
            policy = parse_policy(changed, f"{name}.toml", the_traits())
        except (PolicyError, IndexError):
            continue
        data = changed
    return policy
