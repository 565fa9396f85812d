"""What was run, and what can be done about it."""

from collections.abc import Sequence
from typing import Literal

from orchestrator.dispatch.results import Result
from orchestrator.engines.local import start_fork_server
from orchestrator.ledger.records import AskedRecord, RunRecord
from orchestrator.runs import requests
from orchestrator.runs.context import ProjectContext, RunOptions
from orchestrator.runs.report import RunReport, WholeRun, run_report, whole_run
from orchestrator.runs.requests import Done
from orchestrator.runs.resuming import resume, retry
from orchestrator.runs.rollback import Rollback, rollback
from orchestrator.worker.entry import PRELOAD

_OPTIONS = RunOptions()


class Runs:
    """The runs of a project, as its ledger has them.

    Every method raises ``UsageError`` for a run that is not there, and ``Refused`` where the
    ledger can't be reached.
    """

    def __init__(self, project: ProjectContext) -> None:
        self._project = project

    def list(self, *, limit: int | None = 20, unfinished: bool = False) -> list[RunRecord]:
        """Return the runs, newest first."""
        with self._project.existing_ledger() as ledger:
            return ledger.runs(limit=limit, unfinished=unfinished)

    def show(self, run: int) -> RunReport:
        """Return what happened in a run."""
        with self._project.existing_ledger() as ledger:
            return run_report(ledger, run)

    def whole(self, run: int) -> WholeRun:
        """Return all that is recorded of a run, every target of it."""
        with self._project.existing_ledger() as ledger:
            return whole_run(ledger, run)

    def resume(self, run: int, options: RunOptions = _OPTIONS) -> Result:
        """Go on with a run that stopped: paused, at a gate, failed, or dead."""
        start_fork_server(PRELOAD)
        return resume(self._project, run, options)

    def retry(
        self, run: int, targets: Sequence[str] = (), options: RunOptions = _OPTIONS
    ) -> Result:
        """Try failed targets again, all or some, and go on with the run."""
        start_fork_server(PRELOAD)
        return retry(self._project, run, targets, options)

    def rollback(self, run: int) -> Rollback:
        """Plan how every target that a run changed goes back to where it was."""
        start_fork_server(PRELOAD)
        return rollback(self._project, run)

    def pause(self, run: int, options: RunOptions = _OPTIONS) -> Done:
        """Let a run start nothing more until somebody resumes it."""
        return requests.pause(self._project, run, options)

    def abort(self, run: int, options: RunOptions = _OPTIONS) -> Done:
        """Let a run start nothing more, ever."""
        return requests.abort(self._project, run, options)

    def approve(
        self, run: int, wave: str | None = None, note: str = "", options: RunOptions = _OPTIONS
    ) -> Done:
        """Approve that a run goes on after a wave."""
        return requests.approve(self._project, run, wave, note, options)

    def ask(
        self,
        run: int,
        what: Literal["resume", "retry"],
        reason: str = "",
        targets: Sequence[str] = (),
        options: RunOptions = _OPTIONS,
    ) -> Done:
        """Ask whoever drives runs to go on with one."""
        return requests.ask(self._project, run, what, reason, targets, options)

    def asked(self) -> Sequence[AskedRecord]:
        """Return what is asked of runs and nobody has done yet, oldest first."""
        with self._project.existing_ledger() as ledger:
            return ledger.asked()

    def refuse(self, run: int, why: str) -> None:
        """Forget what was asked of a run since it can't be done, and keep why in the audit."""
        with self._project.existing_ledger() as ledger:
            asked = [one for one in ledger.asked() if one.run == run]
            ledger.answered(run)
            for one in asked:
                ledger.access.record(one.by, one.what, run, one.reason, f"not done: {why}")

    def skip(self, run: int, target: str, reason: str, options: RunOptions = _OPTIONS) -> Done:
        """Let a run go on without a target."""
        return requests.skip(self._project, run, target, reason, options)
