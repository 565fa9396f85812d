"""Servers and their rights, as the servers tell them."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from orchestrator.actions.doctor.checks import Check, Verdict, fault
from orchestrator.dialects import Timeouts
from orchestrator.dialects.rights import some_of
from orchestrator.errors import OrchestratorError
from orchestrator.fleet.location import Location
from orchestrator.fleet.target import Target
from orchestrator.fleet.version_table import VersionTable
from orchestrator.inspection.reading import Source
from orchestrator.inspection.rights import Probe, answer_time, missing_rights, told
from orchestrator.rollout.limits import creates
from orchestrator.runs.context import ProjectContext
from orchestrator.safety.drivers import check_drivers
from orchestrator.snapshot.looks import Looks, Tables

_MOST = 50
"""Targets of a database in an environment whose rights are asked for."""
_SLOW = 0.5
"""Seconds after which a server is called slow to answer."""


def check_servers(
    project: ProjectContext, at: Looks, name: str, targets: Sequence[Target]
) -> Iterator[Check]:
    """Ask each server once whether it answers, and some targets for their rights."""
    about = f"environment {name}"
    by_server = _grouped(targets, lambda target: target.server)
    by_database = _grouped(targets, lambda target: target.database)
    found = _probed(project, at, by_server.values(), by_database.values())
    answers = {server: _answer(project, server, of, found) for server, of in by_server.items()}
    for verdict, text, step in answers.values():
        yield Check(about, "server", verdict, text, step)
    silent = {server for server, answer in answers.items() if answer[0] is Verdict.FAULT}
    for database, of in by_database.items():
        asked = [target for target in of[:_MOST] if target.server not in silent]
        if asked:
            makes = creates(project.config, name, database)
            probes = [found[target.name] for target in asked]
            yield from _unanswered(about, probes, makes=makes)
            yield from _rights(about, database, len(of), probes)


def _grouped(
    targets: Sequence[Target], key: Callable[[Target], str]
) -> dict[str, Sequence[Target]]:
    found: dict[str, list[Target]] = {}
    for target in targets:
        found.setdefault(key(target), []).append(target)
    return {**found}


def _probed(
    project: ProjectContext,
    at: Looks,
    servers: Iterable[Sequence[Target]],
    databases: Iterable[Sequence[Target]],
) -> Mapping[str, Probe]:
    """Probe some of each database and one of each server; more, where there is no such database:
    the server is there, and it may be made later."""
    first = [*(of[0] for of in servers), *(t for of in databases for t in of[:_MOST])]
    found = at.probes(_tables(project, first))
    left = [of[:_MOST] for of in servers if all(_lacks_it(found.get(t.name)) for t in of)]
    return found | at.probes(_tables(project, [t for of in left for t in of]))


def _lacks_it(probe: Probe | None) -> bool:
    return probe is None or probe.is_missing


def _tables(project: ProjectContext, targets: Iterable[Target]) -> Tables:
    found = {}
    for target in targets:
        own = project.config.databases[target.database]
        table = VersionTable(own.version_table or VersionTable().name, own.version_table_schema)
        found[target.name] = target, table
    return found


def _answer(
    project: ProjectContext, server: str, targets: Sequence[Target], found: Mapping[str, Probe]
) -> tuple[Verdict, str, str | None]:
    probes = [found[target.name] for target in targets if target.name in found]
    # Whatever some targets are short of, the server answers where it answers one of them.
    probe = min(probes, key=lambda probe: (not probe.product, probe.is_missing))
    if probe.backend == "sqlite" and probe.product:
        return Verdict.OK, "SQLite, in the process that works on it", None
    if probe.product:
        slow = probe.seconds > _SLOW
        step = "it is far away: run this closer to it" if slow else None
        text = f"{server} answers in {probe.seconds * 1000:.0f} ms, {probe.product}"
        return Verdict.NOTE if slow else Verdict.OK, text, step
    text = f"{server}: {probe.failure}"
    if probe.is_missing:
        makes = creates(project.config, targets[0].environment, targets[0].database)
        step = "create its databases, or let upgrade do so: create = true in its environment"
        return (Verdict.NOTE, text, None) if makes else (Verdict.FAULT, text, step)
    step = "check the URL, the user's password, and that the server can be reached from here"
    return Verdict.FAULT, text, step


def _unanswered(about: str, probes: Sequence[Probe], *, makes: bool) -> Iterator[Check]:
    """Say which targets are out of reach, although their server answers."""
    failures: dict[str, list[str]] = {}
    for probe in probes:
        if probe.failure is not None and not (probe.is_missing and makes):
            failures.setdefault(probe.failure, []).append(probe.target)
    for failure, names in failures.items():
        text, _, step = f"{_first(names)}: {failure}".partition("\n")
        yield Check(about, "targets", Verdict.FAULT, text, step.strip() or "check its URL")


def _first(names: Sequence[str]) -> str:
    return names[0] + (f" and {len(names) - 1:,} more" if len(names) > 1 else "")


def _rights(about: str, database: str, there: int, probes: Sequence[Probe]) -> Iterator[Check]:
    """Say which rights are missing, by what was found of some targets of a database."""
    probes = [probe for probe in probes if probe.failure is None]
    lacks: dict[str, list[str]] = {}
    for probe in probes:
        if probe.unasked is not None or probe.lacks:
            lacks.setdefault(probe.unasked or some_of(probe.lacks), []).append(probe.target)
    for text, names in lacks.items():
        said = f"{_first(names)}: its user lacks {text}"
        yield Check(about, "rights", Verdict.FAULT, said, "grant them to the user of the url")
    unknown = next((probe.unknown for probe in probes if probe.unknown is not None), None)
    if unknown is not None:
        yield Check(about, "rights", Verdict.NOTE, f"{database}: not known, {unknown}")
    elif probes and not lacks:
        of_all = "" if there == len(probes) else f" ({len(probes)} of {there:,} asked)"
        yield Check(about, "rights", Verdict.OK, f"{database}: all that migrations want{of_all}")


def check_ledger(project: ProjectContext) -> Check:
    """Whether runs can be recorded. Nothing is made."""
    try:
        location = project.ledger_location
        check_drivers([location.driver])
        lacks = _ledger_lacks(location)
    except OrchestratorError as error:
        return fault("project", "ledger", error)
    except Exception as error:  # noqa: BLE001 - drivers share no class of errors
        text = project.redacted(told(error), project.ledger_location)
        step = "see that the database of project.ledger is there and can be reached"
        return Check("project", "ledger", Verdict.FAULT, text, step)
    if lacks:
        step = "grant them to its user, or name another ledger: project.ledger"
        return Check("project", "ledger", Verdict.FAULT, f"lacks {some_of(lacks)}", step)
    shown = location.file or location.server
    return Check("project", "ledger", Verdict.OK, f"{_short(shown)} can be written")


def _ledger_lacks(location: Location) -> tuple[str, ...]:
    source = Source("ledger", location, VersionTable(), Timeouts(5.0))
    if location.backend != "sqlite":
        answer_time(source)
    return missing_rights(source, creates=False)


def _short(path: str) -> str:
    try:
        return os.path.relpath(path) if Path(path).is_absolute() else path
    except ValueError:
        return path
