"""Which workflow tasks asked the engine for something."""

from temporalio import workflow


class Tasks:
    """This task and the one before it, told apart by the length of the history at their start.

    Call `enter` whenever the workflow is woken, `ask` with every command.
    """

    def __init__(self) -> None:
        self._length = 0
        self._asked = self._asked_before = False
        self._sees_all = True

    def enter(self) -> None:
        length = workflow.info().get_current_history_length()
        if length != self._length:
            self._length, self._asked_before, self._asked = length, self._asked, False

    def ask(self) -> None:
        self.enter()
        self._asked = True

    def doubt(self) -> None:
        """From now on the engine may add tasks to the history that do not wake the workflow."""
        self._sees_all = False

    @property
    def quiet(self) -> bool:
        """Neither of the two has asked for anything so far, as far as can be known."""
        return not (self._asked or (self._asked_before and self._sees_all))
