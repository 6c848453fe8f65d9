"""The search attributes of a case: all of them at the start, and their changes later."""

from datetime import UTC, datetime, time
from typing import Any

from temporalio.common import SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from dunwell.domain.case import Case
from workflows import options


def first_attributes(case: Case) -> TypedSearchAttributes:
    """Return all search attributes for the start, where they cost no Action."""
    action = case.next_action
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(options.STAGE, case.stage.value),
        SearchAttributePair(options.STEP, action.step if action else "none"),
        SearchAttributePair(options.CUSTOMER_ID, case.customer_id),
        SearchAttributePair(options.POLICY_NAME, case.policy.name),
        SearchAttributePair(options.CURRENCY, case.currency),
        SearchAttributePair(options.AMOUNT_DUE, float(case.open_amount)),
        SearchAttributePair(options.DUE_ON, _due_moment(case)),
    ]
    if action:
        pairs.append(SearchAttributePair(options.NEXT_ACTION_AT, action.at))
    return TypedSearchAttributes(pairs)


def updates(case: Case) -> list[SearchAttributeUpdate[Any]]:
    """Return all search attributes as a running case writes them."""
    action, steps = case.next_action, case.progress.steps
    return [
        options.STAGE.value_set(case.stage.value),
        options.STEP.value_set(action.step if action else (steps[-1].step if steps else "none")),
        options.CUSTOMER_ID.value_set(case.customer_id),
        options.POLICY_NAME.value_set(case.policy.name),
        options.CURRENCY.value_set(case.currency),
        options.AMOUNT_DUE.value_set(float(case.open_amount)),
        options.DUE_ON.value_set(_due_moment(case)),
        options.NEXT_ACTION_AT.value_set(action.at) if action else options.NEXT_ACTION_AT.value_unset(),
    ]


def changing(case: Case) -> tuple[object, ...]:
    """Return what of the search attributes can change during a case; they are written when this does."""
    action = case.next_action
    return case.stage, case.access, case.open_amount, case.due_on, (action.step, action.at) if action else None


def _due_moment(case: Case) -> datetime:
    """Return the due date as the time that its search attribute needs."""
    return datetime.combine(case.due_on, time(0), tzinfo=UTC)
