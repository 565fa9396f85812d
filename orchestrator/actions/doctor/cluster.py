"""The workers of a cluster: whether they are there, are alike, and offer the places asked for."""

from collections.abc import Iterable, Iterator, Sequence

from orchestrator.actions.cluster import ClusterWorker, workers
from orchestrator.actions.doctor.checks import Check, Verdict, fault
from orchestrator.engines.places import offers
from orchestrator.errors import OrchestratorError
from orchestrator.fleet.arguments import place
from orchestrator.fleet.target import Target
from orchestrator.runs.context import ProjectContext


def check_cluster(project: ProjectContext, targets: Sequence[Target]) -> list[Check]:
    """Look who is there, where the file names a cluster. Where there is a fault, no job runs."""
    if project.config.engine.kind == "local":
        return []
    try:
        found = workers(project.file, project.secrets).workers
        places = dict.fromkeys(place(project.config, target) for target in targets)
    except OrchestratorError as error:
        return [fault("project", "cluster", error)]
    except ValueError as error:
        return [Check("project", "cluster", Verdict.FAULT, str(error))]
    stale = [worker for worker in found if worker.stale]
    return [*map(_stale, stale), *_places(places, found)]


def _stale(worker: ClusterWorker) -> Check:
    text = f"worker {worker.name} has another version of {', '.join(worker.stale)}"
    step = "deploy the same to every worker, and start them again"
    return Check("project", "cluster", Verdict.FAULT, text, step)


def _places(places: Iterable[str | None], found: Sequence[ClusterWorker]) -> Iterator[Check]:
    for at in places:
        own = [worker for worker in found if offers(worker.place, at)]
        called = "any place" if at is None else f"place {at}"
        if own:
            workers = f"{len(own):,} {'worker' if len(own) == 1 else 'workers'}"
            text = f"{called}: {workers}, {sum(worker.slots for worker in own):,} slots"
            yield Check("project", "cluster", Verdict.OK, text)
        else:
            step = "start one: orchestrator worker" + ("" if at is None else f" --place {at}")
            text = f"{called}: there is no worker"
            yield Check("project", "cluster", Verdict.FAULT, text, step)
