"""Servers and their rights, as the servers tell them."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from orchestrator.actions.doctor.checks import Check, Verdict, fault
from orchestrator.dialects import Timeouts
from orchestrator.dialects.rights import some_of
from orchestrator.errors import OrchestratorError
from orchestrator.fleet.location import Location
from orchestrator.fleet.target import Target
from orchestrator.fleet.version_table import VersionTable
from orchestrator.inspection.reading import Source
from orchestrator.inspection.rights import Unknown, answer_time, is_missing, missing_rights, told
from orchestrator.rollout.limits import creates, limits
from orchestrator.runs.context import ProjectContext
from orchestrator.safety.drivers import check_drivers

_THREADS = 16
_MOST = 50
"""Targets of a database in an environment whose rights are asked for."""
_SLOW = 0.5
"""Seconds after which a server is called slow to answer."""


def _source(project: ProjectContext, target: Target) -> Source:
    config = project.config
    settings = limits(config, target.environment, target.database)
    own = config.databases[target.database]
    table = VersionTable(own.version_table or VersionTable().name, own.version_table_schema)
    timeouts = Timeouts(settings.lock_timeout, settings.statement_timeout)
    location = target.address.resolve(project.secrets.value)
    return Source(target.name, location, table, timeouts)


def check_servers(project: ProjectContext, name: str, targets: Sequence[Target]) -> Iterator[Check]:
    """Ask each server once whether it answers, and some targets for their rights."""
    about = f"environment {name}"
    by_server: dict[str, list[Target]] = {}
    for target in targets:
        by_server.setdefault(target.server, []).append(target)
    with ThreadPoolExecutor(_THREADS) as pool:
        answers = pool.map(lambda of: _answer(project, about, of), by_server.items())
        for server, check in zip(by_server, answers, strict=True):
            yield check
            if check.verdict is Verdict.FAULT:
                by_server[server] = []
        yield from _rights(project, about, [t for of in by_server.values() for t in of], pool)


def _answer(project: ProjectContext, about: str, of: tuple[str, list[Target]]) -> Check:
    server, targets = of
    error: Exception | None = None
    for target in targets[:_MOST]:
        source = _source(project, target)
        try:
            seconds, product = answer_time(source)
        except Exception as failed:  # noqa: BLE001 - drivers share no class of errors
            error = failed
            if is_missing(source, failed):  # the server is there; the database may be made later
                continue
            break
        text = f"{server} answers in {seconds * 1000:.0f} ms, {product}"
        if source.location.backend == "sqlite":
            return Check(about, "server", Verdict.OK, "SQLite, in this process")
        slow = seconds > _SLOW
        step = "it is far away: run this closer to it" if slow else None
        return Check(about, "server", Verdict.NOTE if slow else Verdict.OK, text, step)
    assert error is not None
    text = f"{server}: {project.redacted(told(error), source.location)}"
    if is_missing(source, error):
        step = "create its databases, or let upgrade do so: create = true in its environment"
        makes = creates(project.config, targets[0].environment, targets[0].database)
        verdict = Verdict.NOTE if makes else Verdict.FAULT
        return Check(about, "server", verdict, text, None if makes else step)
    step = "check the URL, the user's password, and that the server can be reached from here"
    return Check(about, "server", Verdict.FAULT, text, step)


def _rights(
    project: ProjectContext, about: str, targets: Sequence[Target], pool: ThreadPoolExecutor
) -> Iterator[Check]:
    """Ask some targets of each database for the rights that are missing."""
    by_database: dict[str, list[Target]] = {}
    for target in targets:
        by_database.setdefault(target.database, []).append(target)
    for database, of in by_database.items():
        looked = of[:_MOST]
        lacks: dict[str, list[str]] = {}
        unknown = ""
        answers = pool.map(lambda target: _lacks(project, target), looked)
        for target, found in zip(looked, answers, strict=True):
            if isinstance(found, Unknown):
                unknown = str(found)
            elif isinstance(found, Exception):
                lacks.setdefault(project.redacted(told(found), None), []).append(target.name)
            elif found:
                lacks.setdefault(some_of(found), []).append(target.name)
        of_all = "" if len(of) == len(looked) else f" ({len(looked)} of {len(of):,} asked)"
        for text, names in lacks.items():
            more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
            said = f"{names[0]}{more}: its user lacks {text}"
            yield Check(about, "rights", Verdict.FAULT, said, "grant them to the user of the url")
        if unknown:
            yield Check(about, "rights", Verdict.NOTE, f"{database}: not known, {unknown}")
        elif not lacks:
            text = f"{database}: all that migrations want{of_all}"
            yield Check(about, "rights", Verdict.OK, text)


def _lacks(project: ProjectContext, target: Target) -> tuple[str, ...] | Exception:
    source = _source(project, target)
    makes = creates(project.config, target.environment, target.database)
    try:
        return missing_rights(source, creates=makes)
    except Exception as error:  # noqa: BLE001 - drivers share no class of errors
        return () if is_missing(source, error) and makes else error


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
