"""What operators see of a run in the Temporal UI: its details and its search attributes."""

from temporalio import workflow

from workflows.memory import Memory

with workflow.unsafe.imports_passed_through():
    from workflows import options, search_attributes
    from workflows.ui_text import details


class OperatorView:
    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._shown = search_attributes.changing(memory.opened) if memory.opened else None

    def show(self) -> None:
        """Update the details always, for that is free, and the search attributes only when they have changed."""
        case = self._memory.case
        workflow.set_current_details(details(case, self._memory.timeline, len(self._memory.sealed)))
        changing = search_attributes.changing(case)
        if changing == self._shown:
            return
        known = workflow.info().typed_search_attributes.get(options.STAGE)
        first, self._shown = self._shown is None, changing
        if first and known == case.stage.value:
            return  # the starter has set them all
        self.write_search_attributes()

    def write_search_attributes(self) -> None:
        """Write them, changed or not."""
        workflow.upsert_search_attributes(search_attributes.updates(self._memory.case))
