"""What operators see of a run in the Temporal UI: its details and its search attributes."""

from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

from workflows.memory import Memory

with workflow.unsafe.imports_passed_through():
    from dunwell.domain.case import Case
    from workflows import options
    from workflows.ui_text import details, due_moment


class OperatorView:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._shown = _facts(memory.opened) if memory.opened else None

    def show(self) -> None:
        """Update the details always, for that is free, and the search attributes only when they have changed."""
        case = self._memory.case
        workflow.set_current_details(details(case, self._memory.timeline, len(self._memory.sealed)))
        facts = _facts(case)
        if facts == self._shown:
            return
        known = workflow.info().typed_search_attributes.get(options.STAGE)
        first, self._shown = self._shown is None, facts
        if first and known == case.stage.value:
            return  # the starter has set them all
        self.write_search_attributes()

    def write_search_attributes(self) -> None:
        """Write them, changed or not."""
        workflow.upsert_search_attributes(_search_attributes(self._memory.case))


def _facts(case: Case) -> tuple[object, ...]:
    """Return what of the search attributes can change; they are written when it does."""
    action = case.next_action
    return case.stage, case.access, case.open_amount, case.due_on, (action.step, action.at) if action else None


def _search_attributes(case: Case) -> list[SearchAttributeUpdate[Any]]:
    action, steps = case.next_action, case.progress.steps
    return [
        options.STAGE.value_set(case.stage.value),
        options.STEP.value_set(action.step if action else (steps[-1].step if steps else "none")),
        options.CUSTOMER_ID.value_set(case.customer_id),
        options.POLICY_NAME.value_set(case.policy.name),
        options.CURRENCY.value_set(case.currency),
        options.AMOUNT_DUE.value_set(float(case.open_amount)),
        options.DUE_ON.value_set(due_moment(case)),
        options.NEXT_ACTION_AT.value_set(action.at) if action else options.NEXT_ACTION_AT.value_unset(),
    ]
