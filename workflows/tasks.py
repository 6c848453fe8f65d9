"""Which workflow tasks asked the engine for something."""


class Tasks:
    """This task and the one before it, told apart by the length of the history at their start.

    Call `enter` whenever the workflow is woken, `ask` with every command.
    """

    def __init__(self) -> None:
        self._length = 0
        self._asked = self._asked_before = False

    def enter(self, history_length: int) -> None:
        if history_length != self._length:
            self._length, self._asked_before, self._asked = history_length, self._asked, False

    def ask(self, history_length: int) -> None:
        self.enter(history_length)
        self._asked = True

    @property
    def quiet(self) -> bool:
        """Neither of the two has asked for anything so far."""
        return not (self._asked or self._asked_before)
