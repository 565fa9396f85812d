"""A Dask cluster of a test's own: a scheduler and workers, each a process, on loopback with TLS."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from tests.project_folder import wait_until

REPOSITORY = Path(__file__).parents[2]
_TOLD = "scheduler.json"
"""Where a scheduler writes its address."""
SCHEDULER = """
import sys
sys.modules["orchestrator"] = None
from distributed.cli.dask_scheduler import main
main()
"""
"""A scheduler where this project is not installed: it needs Dask alone."""


@dataclass(frozen=True)
class Certificates:
    """Files of one authority and one certificate, which all have."""

    ca: Path
    cert: Path
    key: Path

    @classmethod
    def new(cls, folder: Path) -> "Certificates":
        folder.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA()
        own = authority.issue_cert("127.0.0.1", "localhost")
        made = cls(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
        authority.cert_pem.write_to_path(made.ca)
        own.cert_chain_pems[0].write_to_path(made.cert)
        own.private_key_pem.write_to_path(made.key)
        return made

    @property
    def options(self) -> list[str]:
        """For Dask's own programs."""
        return [
            "--tls-ca-file",
            str(self.ca),
            "--tls-cert",
            str(self.cert),
            "--tls-key",
            str(self.key),
        ]

    @property
    def security(self) -> Any:
        from distributed import Security

        return Security(
            require_encryption=True,
            tls_ca_file=str(self.ca),
            tls_client_cert=str(self.cert),
            tls_client_key=str(self.key),
            tls_worker_cert=str(self.cert),
            tls_worker_key=str(self.key),
        )


@dataclass
class Cluster:
    """A scheduler, and the workers that were started."""

    folder: Path
    certificates: Certificates
    scheduler: subprocess.Popen[bytes]
    address: str
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where the scheduler listens."""
        return int(self.address.rpartition(":")[2])

    def start_worker(self, command: list[str], **more: Any) -> subprocess.Popen[bytes]:
        """Start a program that is a worker."""
        with (self.folder / f"worker-{len(self.workers)}.log").open("wb") as log:
            more = {"cwd": REPOSITORY, **more}
            process = subprocess.Popen(command, stdout=log, stderr=log, **more)
        self.workers.append(process)
        return process

    def restart_scheduler(self) -> None:
        """Start the scheduler again where it was, once it has ended."""
        self.scheduler = _start_scheduler(self.folder, self.certificates, self.port)

    def said(self) -> str:
        """What workers and scheduler have said."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))


@contextmanager
def new_cluster(folder: Path, port: int = 0) -> Iterator[Cluster]:
    """Start a scheduler, on any port unless it is given; stop it and all workers at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    certificates = Certificates.new(folder)
    told = folder / _TOLD
    scheduler, cluster = _start_scheduler(folder, certificates, port), None
    try:
        wait_until(lambda: json.loads(told.read_text()))
        cluster = Cluster(folder, certificates, scheduler, json.loads(told.read_text())["address"])
        yield cluster
    finally:
        for process in [*cluster.workers, cluster.scheduler] if cluster else [scheduler]:
            process.kill()
            process.wait()


def _start_scheduler(
    folder: Path, certificates: Certificates, port: int
) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-c", SCHEDULER]
    options: Mapping[str, str] = {
        "--host": "tls://127.0.0.1",
        "--port": str(port),
        "--scheduler-file": str(folder / _TOLD),
    }
    flat = [part for pair in options.items() for part in pair]
    command = [*program, *flat, "--no-dashboard", *certificates.options]
    with (folder / "scheduler.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)
