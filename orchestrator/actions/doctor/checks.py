"""What a check of ``doctor`` says."""

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.errors import OrchestratorError


class Verdict(StrEnum):
    """What a check says."""

    OK = "ok"
    NOTE = "note"  # worth knowing, and no fault
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Check:
    """One line."""

    about: str
    """What it is about: ``project``, ``environment prod``, ``database orders``."""
    what: str
    verdict: Verdict
    text: str
    next_step: str | None = None
    names: tuple[str, ...] = ()
    """All that the text may leave out: the variables that are read."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``exit_code``: 130 interrupted, 2 where there is a fault, else 0."""

    checks: tuple[Check, ...]
    interrupted: bool = False
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """What the program exits with."""
        if self.interrupted:
            return 130
        return 2 if any(check.verdict is Verdict.FAULT for check in self.checks) else 0


def fault(about: str, what: str, error: OrchestratorError) -> Check:
    """Return a fault in the words of an error, whose further lines say what to do."""
    text, _, step = str(error).partition("\n")
    return Check(about, what, Verdict.FAULT, text, step.strip() or None)
