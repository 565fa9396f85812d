"""Collect mistakes, of which one may have been made for ten thousand tenants."""

from orchestrator.config.problems import Path, Problem, Problems
from orchestrator.fleet.listing import some

Key = tuple[Path, str, str | None]


class Findings:
    """Mistakes found so far: one problem for each kind and place, naming whom it is about."""

    def __init__(self) -> None:
        self._whom: dict[Key, dict[str, None]] = {}

    def add(self, at: Path, what: str, whom: str | None = None, hint: str | None = None) -> None:
        """Note a mistake; those that differ only in ``whom`` become one."""
        names = self._whom.setdefault((at, what, hint), {})
        if whom is not None:
            names[whom] = None

    def extend(self, problems: Problems) -> None:
        """Note mistakes that were found elsewhere."""
        for problem in problems.problems:
            self.add(problem.at, problem.message, hint=problem.hint)

    def raise_if_any(self) -> None:
        """Raise ``Problems`` with all of them, in the order in which they were found."""
        if self._whom:
            raise Problems(
                [
                    Problem(at, f"{what}: {some(list(whom))}" if whom else what, hint)
                    for (at, what, hint), whom in self._whom.items()
                ]
            )
