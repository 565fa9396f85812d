"""Look at a project and its environments. Changes nothing."""

import platform
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

from orchestrator.actions.doctor.checks import Check, Diagnosis, Verdict, fault
from orchestrator.actions.doctor.cluster import check_cluster
from orchestrator.actions.doctor.scripts import check_databases
from orchestrator.actions.doctor.servers import check_ledger, check_servers
from orchestrator.config.load import ConfigFile
from orchestrator.config.template import Secret
from orchestrator.dialects.drivers import MODULES, default_driver, sync_driver
from orchestrator.dispatch.observer import Observer
from orchestrator.errors import OrchestratorError, UsageError
from orchestrator.fleet.arguments import x_secrets
from orchestrator.fleet.target import Target
from orchestrator.runs.context import ProjectContext
from orchestrator.safety.drivers import check_drivers, substitutes
from orchestrator.snapshot.looks import looks

_DISTRIBUTIONS = {
    "MySQLdb": "mysqlclient",
    "mysql.connector": "mysql-connector-python",
    "psycopg2": "psycopg2-binary",
}
"""What a driver's module is called on PyPI, where that is something else."""


def diagnose(
    project: ProjectContext,
    environments: Sequence[str],
    find: Callable[[str], tuple[Target, ...]],
    observer: Observer,
) -> Diagnosis:
    """Look at a project and some of its environments. ``find`` returns an environment's targets."""
    began = time.monotonic()
    checks: list[Check] = []
    found: dict[str, tuple[Target, ...]] = {}
    for name in environments:
        checks += _environment(project, name, find, found)
    targets = [target for of in found.values() for target in of]
    usable = [target for target in targets if _is_usable(project, target)]
    observer.begin("doctor", usable)
    interrupted = False
    cluster = check_cluster(project, usable)
    reachable = () if any(check.verdict is Verdict.FAULT for check in cluster) else usable
    if usable:
        with project.workers(usable) as workers:
            for name in environments:
                own = [target for target in reachable if target.environment == name]
                checks += check_servers(project, looks(workers), name, own)
            checks += check_databases(project, workers, usable)
            interrupted = workers.interrupted
    drivers = {target.address.driver for target in targets if target.address.driver}
    first = [*_versions(drivers), check_ledger(project), *cluster]
    return Diagnosis((*first, *checks), interrupted, round(time.monotonic() - began, 3))


def _versions(drivers: set[str]) -> Iterator[Check]:
    parts = [f"Python {platform.python_version()}"]
    for title, name in (("Alembic", "alembic"), ("SQLAlchemy", "sqlalchemy")):
        parts.append(f"{title} {version(name)}")
    for driver in sorted({sync_driver(driver) for driver in drivers}):
        backend, _, name = driver.partition("+")
        module = MODULES.get(name or default_driver(backend), name or default_driver(backend))
        try:
            parts.append(f"{module} {version(_DISTRIBUTIONS.get(module, module))}")
        except PackageNotFoundError:
            if module == "sqlite3":
                parts.append(f"SQLite {sqlite3.sqlite_version}")
    yield Check("project", "versions", Verdict.OK, ", ".join(parts))


def _environment(
    project: ProjectContext,
    name: str,
    find: Callable[[str], tuple[Target, ...]],
    found: dict[str, tuple[Target, ...]],
) -> Iterator[Check]:
    """Look for its tenants, its drivers and its secrets."""
    about = f"environment {name}"
    try:
        targets = found[name] = find(name)
    except OrchestratorError as error:
        yield fault(about, "tenants", error)
        return
    tenants = {target.tenant for target in targets if target.tenant is not None}
    counted = f"{len(targets):,} {'target' if len(targets) == 1 else 'targets'}"
    many = f", {len(tenants):,} {'tenant' if len(tenants) == 1 else 'tenants'}" if tenants else ""
    yield Check(about, "tenants", Verdict.OK, counted + many)
    if project.config.engine.kind == "dask":  # its workers have drivers and secrets
        return
    drivers = {target.address.driver for target in targets if target.address.driver}
    yield from _drivers(about, drivers)
    yield from _secrets(project, about, targets)


def _drivers(about: str, drivers: set[str]) -> Iterator[Check]:
    for driver in sorted(drivers):
        try:
            check_drivers([driver])
        except UsageError as error:
            yield fault(about, "driver", error)
        else:
            yield Check(about, "driver", Verdict.OK, sync_driver(driver))
    for driver, (meant, instead) in substitutes(drivers).items():
        text = f"{driver}:// means {meant} here, which is not installed: {instead} takes its place"
        yield Check(about, "driver", Verdict.NOTE, text)


def _secrets(project: ProjectContext, about: str, targets: Sequence[Target]) -> Iterator[Check]:
    needs = {target.name: _secrets_of(project.file, target) for target in targets}
    names = {secret for secrets in needs.values() for secret in secrets}
    if not names:
        return
    try:
        project.secrets.missing(needs)
    except OrchestratorError as error:
        yield fault(about, "secrets", error)
    else:
        yield Check(about, "secrets", Verdict.OK, f"{len(names)} resolved")


def _secrets_of(file: ConfigFile, target: Target) -> tuple[Secret, ...]:
    try:
        return (*target.address.secrets, *x_secrets(file.config, target))
    except ValueError:  # told where the target is worked on
        return target.address.secrets


def _is_usable(project: ProjectContext, target: Target) -> bool:
    """Whether it can be connected to, as far as that can be told from here."""
    if project.config.engine.kind == "dask":
        return True
    try:
        location = target.address.resolve(project.secrets.value)
        check_drivers([location.driver])
    except (OrchestratorError, ValueError):
        return False
    return True
