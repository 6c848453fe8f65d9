"""The reasons why a ladder file is refused, gathered so that all of them can be shown at once."""

from dunwell.domain.model import Value


class Problem(Value):
    """One reason why a ladder is refused. `step` is None when the whole file is meant."""

    file: str
    step: str | None
    reason: str

    def __str__(self) -> str:
        where = f"{self.file}: step {self.step}" if self.step else self.file
        return f"{where}: {self.reason}"


class PolicyError(ValueError):
    """A ladder that cannot be used. `problems` holds all of its faults, str() gives a line each."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class Report:
    """Gathers the problems of one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add(self, step: str | None, reason: str) -> None:
        """Note a problem once; `step` is None when the whole file is meant."""
        problem = Problem(file=self.file, step=step, reason=reason)
        if problem not in self.problems:
            self.problems.append(problem)
