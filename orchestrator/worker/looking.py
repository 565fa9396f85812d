"""What targets hold, told without their scripts: for whoever can't reach their servers."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from orchestrator.config.redaction import Redactor
from orchestrator.dialects import Fault
from orchestrator.dialects.faults import message_of
from orchestrator.fleet.schema import Thing
from orchestrator.inspection import fleet, querying, rights
from orchestrator.inspection.querying import Mismatch
from orchestrator.inspection.reading import Held, Reading, Source
from orchestrator.inspection.rights import Probe
from orchestrator.rollout.limits import creates
from orchestrator.rollout.outcomes import Failure, Outcome, State
from orchestrator.worker.context import Context
from orchestrator.worker.failures import failure_of, told_by
from orchestrator.worker.jobs import Job

T = TypeVar("T")


def read(job: Job, target: str, context: Context) -> Outcome:
    """Return a ``Reading`` of each of the job's subjects, whatever happens, without any secret."""
    unresolved, sources = _sources(job, context, _unreachable)
    found = [*unresolved, *fleet.read(sources, schemas=job.schemas)]
    redact = context.redactor()
    return Outcome(target, State.DONE, data=tuple(_redacted(reading, redact) for reading in found))


def things(job: Job, target: str, context: Context) -> Outcome:
    """Return what each of the job's subjects holds, as ``Held``, or why that can't be read."""
    unresolved, sources = _sources(job, context, lambda of, why: Held(of, failure=why.message))
    found = fleet.things(sources)
    redact = context.redactor()
    held = (_held(name, is_, redact) for name, is_ in found.items())
    return Outcome(target, State.DONE, data=(*unresolved, *held))


def query(job: Job, target: str, context: Context) -> Outcome:
    """Run the job's query on each of its subjects, and return a ``Mismatch`` of each."""
    assert job.query is not None, "whoever asks says what"
    unresolved, sources = _sources(
        job, context, lambda of, why: Mismatch(of, f"{of}: {why.message}")
    )
    found = querying.mismatches(job.query, sources)
    redact = context.redactor()
    told = (replace(mismatch, text=redact(mismatch.text)) for mismatch in found)
    return Outcome(target, State.DONE, data=(*unresolved, *told))


def probe(job: Job, target: str, context: Context) -> Outcome:
    """Return a ``Probe`` of each of the job's subjects: whether its server answers, its rights."""
    unresolved, sources = _sources(job, context, lambda of, why: Probe(of, failure=why.message))
    config = context.file(job).config
    of = {subject.target: subject for subject in job.subjects}
    creating = [
        creates(config, of[source.target].environment, of[source.target].database)
        for source in sources
    ]
    found = rights.probes(list(zip(sources, creating, strict=True)))
    redact = context.redactor()
    return Outcome(
        target, State.DONE, data=(*unresolved, *(rights.redacted(one, redact) for one in found))
    )


def _sources(
    job: Job, context: Context, instead: Callable[[str, Failure], T]
) -> tuple[Sequence[T], Sequence[Source]]:
    """Return where subjects are, and ``instead`` of those of which it can't be told."""
    unresolved: list[T] = []
    sources: list[Source] = []
    for subject in job.subjects:
        own = replace(
            job,
            environment=subject.environment,
            database=subject.database,
            labels=subject.labels,
        )
        try:
            location = context.location(own)
        except Exception as error:  # noqa: BLE001 - one that is unknown must not hide the others
            unresolved.append(
                instead(subject.target, told_by(job.worker, error, failure_of(error, "sqlite")))
            )
        else:
            sources.append(subject.source(context.file(job).config, location))
    return unresolved, sources


def _unreachable(target: str, why: Failure) -> Reading:
    return Reading(target, failure=why, fault=Fault.UNREACHABLE)


def _held(target: str, found: tuple[Thing, ...] | Exception, redact: Redactor) -> Held:
    if isinstance(found, Exception):
        return Held(target, failure=redact(message_of(found)))
    return Held(target, found)


def _redacted(reading: Reading, redact: Redactor) -> Reading:
    failure, not_own = reading.failure, reading.not_own
    return replace(
        reading,
        failure=None if failure is None else replace(failure, message=redact(failure.message)),
        not_own=None if not_own is None else redact(not_own),
    )
