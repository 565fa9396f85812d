"""The machines of a round on a cluster, what happens to them, and who brings them back."""

import os
import random
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

from tests.chaos.later import Later
from tests.chaos.processes import Member, members, send, workers
from tests.engines.cluster import Cluster
from tests.links import Link, Network
from tests.project_folder import ProjectFolder, Started, wait_until

PLACES = ("east", "west")
PATIENCE = 4.0
"""Seconds that a run and a worker wait for each other."""
_MACHINES = ("east-1", "east-2", "west-1")
_RESTARTED = 2.0
"""Seconds at most until a platform starts again what died."""
_SLOW = 0.3
SCHEDULER = "CHAOS_SCHEDULER"


def port_variable(server: str) -> str:
    """The environment variable with the port of a kind of server: each machine has its own."""
    return f"CHAOS_{server.upper()}_PORT"


@dataclass(slots=True)
class Machine:
    """One that has an ``orchestrator worker``, and its links to the scheduler and to databases."""

    name: str
    slots: int
    project: ProjectFolder
    scheduler: Link
    databases: Sequence[Link]
    started: Started = field(init=False)
    before: list[Started] = field(default_factory=list)
    """Its workers that were killed."""
    killed: bool = False

    def start(self) -> None:
        """Start its worker."""
        place, _, _ = self.name.partition("-")
        options = ("--place", place, "--slots", str(self.slots), "--name", self.name)
        self.started = self.project.start("worker", *options)
        self.killed = False

    def restart(self) -> None:
        """Start its worker again, unless it runs."""
        if self.started.process.poll() is not None:
            assert self.killed, f"{self.name} has ended by itself\n{self.started.wait(None)}"
            self.before.append(self.started)
            self.start()

    @property
    def is_connected(self) -> bool:
        """Whether its worker believes that it is."""
        return self.started.err.rpartition("\n")[0].rpartition("\n")[2].startswith("connected to")

    @property
    def session(self) -> int:
        """Whose processes are all of its worker's."""
        return self.started.process.pid

    @property
    def host(self) -> list[Member]:
        """The process that speaks to the scheduler."""
        return [member for member in members(self.session) if member.pid == self.session]


@dataclass(slots=True)
class Machines:
    """Workers in two places, of which one has two; a scheduler; and the platform they run on.

    Whatever happens to them is undone after a while: what was killed is started again, what sleeps
    wakes up, links are mended.
    """

    cluster: Cluster
    project: ProjectFolder
    slots: int
    ports: Mapping[str, int]
    """Of the servers with databases."""
    _machines: list[Machine] = field(default_factory=list)
    _network: Network = field(default_factory=Network)
    _driver: Link = field(init=False)
    """From the machine of who drives to the scheduler."""
    _later: Later = field(default_factory=Later)
    _starting: threading.Lock = field(default_factory=threading.Lock)
    _stack: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        """Start workers, and wait until they are connected."""
        self._stack.enter_context(self._network)
        self._driver = self._network.link(self.cluster.port)
        self.project.environ[SCHEDULER] = self._address(self._driver)
        for server, port in self.ports.items():
            self.project.environ[port_variable(server)] = str(port)
        for name in _MACHINES:
            self._machines.append(self._machine(name))
            self._machines[-1].start()
        self.settle()

    def _machine(self, name: str) -> Machine:
        scheduler = self._network.link(self.cluster.port)
        links = {server: self._network.link(port) for server, port in self.ports.items()}
        environ = {
            **self.project.environ,
            SCHEDULER: self._address(scheduler),
            **{port_variable(server): str(link.port) for server, link in links.items()},
        }
        project = ProjectFolder(self.project.folder, environ)
        return Machine(name, self.slots, project, scheduler, tuple(links.values()))

    @staticmethod
    def _address(link: Link) -> str:
        return f"tls://127.0.0.1:{link.port}"

    def settle(self) -> None:
        """Wait until everything is there again."""
        self._later.settle()
        self._restart()
        wait_until(lambda: all(machine.is_connected for machine in self._machines))

    def close(self) -> None:
        """End everything, also what sleeps."""
        try:
            self._later.settle()
        finally:
            for machine in self._machines:
                send(members(machine.session), signal.SIGKILL)
                machine.started.process.wait()
            self._stack.close()

    def end(self) -> None:
        """Ask workers to end. Asserts that they do, and that nothing is left of those before."""
        self.settle()
        for machine in self._machines:
            machine.started.process.terminate()
        for machine in self._machines:
            machine.started.wait(0, timeout=30)
            for started in (machine.started, *machine.before):
                wait_until(lambda of=started: not members(of.process.pid), 30)  # type: ignore[misc]

    def said(self) -> list[str]:
        """What workers have said."""
        all_ = [started for m in self._machines for started in (m.started, *m.before)]
        return [started.err for started in all_]

    def disturb(self, what: str, luck: random.Random, driver: Started) -> str:
        """Let something happen that is undone later; say to whom, and for how long."""
        machine = luck.choice(self._machines)
        subject, _, how = what.partition(" ")
        match subject:
            case "link":
                links = {"orchestrator": self._driver, machine.name: machine.scheduler}
                name = luck.choice(tuple(links))
                return f" {name}{self._break([links[name]], how, luck)}"
            case "wires":
                return f" {machine.name}{self._break(machine.databases, how, luck)}"
        found = self._members(subject, machine, luck, driver)
        send(found, signal.SIGSTOP if how else signal.SIGKILL)
        if how:
            said = self._undo(_while(luck), partial(send, found, signal.SIGCONT))
        elif subject in {"machine", "host", "scheduler"}:
            machine.killed = machine.killed or subject != "scheduler"
            said = self._undo(luck.uniform(0, _RESTARTED), self._restart)
        else:
            said = ""
        name = "" if subject in {"orchestrator", "scheduler"} else f" {machine.name}"
        return f"{name} x{len(found)}{said}"

    def _members(
        self, subject: str, machine: Machine, luck: random.Random, driver: Started
    ) -> list[Member]:
        match subject:
            case "orchestrator":
                return [m for m in members(driver.process.pid) if m.pid == driver.process.pid]
            case "scheduler":
                pid = self.cluster.scheduler.pid
                return [Member(pid, os.getpid(), "")]
            case "machine":
                return members(machine.session)
            case "host":
                return machine.host
        found = workers(machine.session)
        return found if subject == "migrations" else found and [luck.choice(found)]

    def _break(self, links: Sequence[Link], how: str, luck: random.Random) -> str:
        for link in links:
            breaks: Mapping[str, Callable[[], None]] = {
                "cut": link.cut,
                "silent": link.silence,
                "slow": partial(link.slow, _SLOW),
            }
            self._network.tell(breaks[how])

        def mend() -> None:
            for link in links:
                self._network.tell(link.mend)

        return self._undo(_while(luck), mend)

    def _undo(self, seconds: float, undo: Callable[[], None]) -> str:
        self._later.after(seconds, undo)
        return f" {seconds:.1f} s"

    def _restart(self) -> None:
        """Start again what was killed."""
        with self._starting:
            if self.cluster.scheduler.poll() is not None:
                self.cluster.restart_scheduler()
            for machine in self._machines:
                machine.restart()


def _while(luck: random.Random) -> float:
    """Return seconds: fewer than anybody's patience, or more."""
    return luck.choice((luck.uniform(0.3, PATIENCE), PATIENCE + luck.uniform(0.5, PATIENCE)))
