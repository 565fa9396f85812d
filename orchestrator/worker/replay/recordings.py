"""Which revisions one worker may replay: those whose recordings of two targets are identical."""

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from orchestrator.worker.replay.purity import impurity_of
from orchestrator.worker.replay.recording import Recording

_MOST_SURROUNDINGS = 16


@dataclass(frozen=True, slots=True)
class Situation:
    """All that what a revision sends may depend on, where its text depends on nothing else."""

    revision: str
    is_upgrade: bool
    heads: tuple[str, ...]
    """Before it."""
    surroundings: Hashable
    """The database, the server and how Alembic was configured; see ``surroundings_of``."""


class Recordings:
    """What a worker has recorded of the revisions of one database."""

    def __init__(self, *, refused: bool = False) -> None:
        self.refused = refused
        """Nothing is to be recorded or replayed, or not any more."""
        self._impurities: dict[str, str | None] = {}
        self._once: dict[Situation, Recording] = {}
        self._proved: dict[Situation, Recording] = {}
        self._doubts: dict[Situation, str] = {}
        self._surroundings: set[Hashable] = set()

    @property
    def is_empty(self) -> bool:
        """Nothing that was recorded may ever be replayed."""
        return self.refused or not (self._once or self._proved)

    def may_record(self, situation: Situation, step: Any, code: CodeType) -> bool:
        """Whether it is worth while to record a revision; ``code`` is what was compiled of it."""
        if situation in self._doubts or situation in self._proved or self.refused:
            return False
        self._surroundings.add(situation.surroundings)
        if len(self._surroundings) > _MOST_SURROUNDINGS and not self._proved:
            return False  # each target has its own, such as a schema for its version table
        path = str(step.revision.path)
        if path not in self._impurities:
            self._impurities[path] = _impurity(path, code)
        return self._impurities[path] is None

    def note(self, situation: Situation, recording: Recording | None, doubt: str | None) -> None:
        """Keep what was recorded of a revision that was built."""
        if recording is None:
            self._doubts[situation] = doubt or "it moves no version row"
        elif (once := self._once.pop(situation, None)) is None:
            self._once[situation] = recording
        elif once.says_what(recording):
            self._proved[situation] = recording
        else:
            self._doubts[situation] = "it is not the same for two targets"

    def proved(self, situation: Situation) -> Recording | None:
        """Return the recording that is the same for every target, if there is one."""
        return None if self.refused else self._proved.get(situation)


def _impurity(path: str, code: CodeType) -> str | None:
    """Look at the text that was compiled, which need not be what the file holds now."""
    try:
        text = Path(path).read_text()
        same = compile(text, path, "exec", dont_inherit=True) == code
    except (OSError, SyntaxError, ValueError):
        same = False
    return impurity_of(text) if same else "its file was changed"
