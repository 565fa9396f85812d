"""The workers of a cluster: how a project's file names them, and what they run."""

import hashlib
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.config.checks.engine import address_problem
from orchestrator.config.engine import LOCAL, Engine, Security
from orchestrator.config.load import ConfigFile
from orchestrator.config.secrets import Secrets
from orchestrator.config.template import parse
from orchestrator.engines.host import Host, default_slots
from orchestrator.engines.places import ANY_PLACE
from orchestrator.engines.wire import Service
from orchestrator.errors import Refused, UsageError
from orchestrator.rollout.outcomes import Outcome
from orchestrator.worker.entry import PRELOAD, work
from orchestrator.worker.jobs import Here, other_version

if TYPE_CHECKING:
    from orchestrator.engines.dask_engine import DaskEngine

INSTALL = 'pip install "alembic-orchestrator[dask]"'
_PEM = "-----BEGIN"
_SCRIPTS = frozenset({".py", ".mako", ".sql"})


@contextmanager
def cluster(file: ConfigFile, secrets: Secrets) -> Iterator["DaskEngine"]:
    """Connect to the cluster of a file, or start the one that is local. Raises ``Refused`` where it
    can't be reached."""
    settings = file.config.engine
    assert settings.scheduler is not None, "a file whose kind is dask names its scheduler"
    assert_installed()
    from orchestrator.engines.dask_engine import DaskEngine, NoCluster
    from orchestrator.engines.dask_here import cluster_here

    scheduler = parse(settings.scheduler).resolve(secrets.value)
    assert_protected(scheduler, settings)
    protection = None
    with ExitStack() as stack:
        try:
            if scheduler == LOCAL:
                scheduler = stack.enter_context(cluster_here(lambda: _host_here(file)))
            else:
                protection = security(settings.security, file.folder, secrets)
            engine = DaskEngine(
                scheduler,
                service(file),
                shown=settings.scheduler,
                security=protection,
                patience=settings.patience,
            )
            stack.enter_context(engine)
        except NoCluster as error:
            raise Refused(
                f"{error}\n  start it: dask scheduler; then look: orchestrator workers"
            ) from None
        yield engine


def _host_here(file: ConfigFile) -> Host:
    name = socket.gethostname()
    return Host(service(file, name), name, ANY_PLACE, default_slots())


def assert_same(engine: "DaskEngine") -> None:
    """Raise ``Refused`` where a worker has another copy of the project: it would get no jobs."""
    stale = {about.name: engine.stale(about) for about in engine.hosts if engine.stale(about)}
    if stale:
        first, names = next(iter(stale.items()))
        more = f" (and {len(stale) - 1} more)" if len(stale) > 1 else ""
        raise Refused(other_version(first + more, ", ".join(names)))


def assert_installed() -> None:
    """Raise ``UsageError`` where Dask is not there."""
    try:
        import distributed  # noqa: F401 - whether it can be imported
    except ImportError:
        raise UsageError(f'[engine] kind = "dask" needs Dask\n  install it: {INSTALL}') from None


def assert_protected(scheduler: str, settings: Engine) -> None:
    """Raise ``UsageError`` for a scheduler that would be spoken to in the open."""
    problem = address_problem(scheduler, protected=settings.security is not None)
    if problem is not None:
        raise UsageError(f"[engine] {problem[0]}\n  {problem[1]}")


def security(settings: Security | None, folder: Path, secrets: Secrets) -> Any:
    """Return what Dask's connections are protected with; ``None`` for nothing."""
    if settings is None:
        return None
    from distributed import Security as DaskSecurity

    ca, cert, key = (
        _pem(name, getattr(settings, name), folder, secrets) for name in ("ca", "cert", "key")
    )
    return DaskSecurity(
        require_encryption=True,
        tls_ca_file=ca,
        tls_client_cert=cert,
        tls_client_key=key,
        tls_worker_cert=cert,
        tls_worker_key=key,
    )


def _pem(name: str, text: str, folder: Path, secrets: Secrets) -> str:
    """Return a file's path, or the text of a certificate or key that a secret is. Raises
    ``UsageError`` for what is neither."""
    value = parse(text).resolve(secrets.value)
    if _PEM in value:
        return value
    path = folder / value
    try:
        wrong = "" if _PEM in path.read_text() else f"has no {_PEM}"
    except (OSError, ValueError) as error:
        wrong = (error.strerror if isinstance(error, OSError) else None) or "is no text"
    if wrong:
        raise UsageError(
            f'[engine] security: {name} = "{text}": {wrong}\n'
            "  name a PEM file, or its text as a secret; docs/cluster.md says how to make them"
        )
    return str(path)


def service(file: ConfigFile, name: str | None = None) -> Service:
    """Return what runs jobs on targets; ``name``: of the worker that this machine is."""
    from orchestrator.worker.contents import pack, unpack

    here = None if name is None else Here(file.path, name)
    return Service(
        work,
        ({}, dict(os.environ), str(file.folder), here),
        lambda content: isinstance(content, Outcome),
        pack,
        unpack,
        PRELOAD,
        lambda: same(file),
    )


def same(file: ConfigFile) -> Mapping[str, str]:
    """Return digests of what must be the same on every machine, by its name: the file, and the
    folders of scripts that it names."""
    found = {file.path.name: file.digest}
    for database in file.config.databases.values():
        folder = file.folder / (database.script_location or "")
        if database.script_location is not None and folder.is_dir():
            found[database.script_location] = _digest(folder)
    return found


def _digest(folder: Path) -> str:
    """Return a digest of the scripts in a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in _SCRIPTS):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
