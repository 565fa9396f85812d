"""Worker processes on this machine: one job each at a time, and no job takes another down.

Workers are forked from a server that has everything imported already (spawned where there is no
``fork``). Each has a pipe of its own, so that one that dies in the middle of a message harms
nobody else. A worker keeps what it imported, so it only ever gets jobs of one kind.
"""

import contextlib
import multiprocessing
import selectors
import signal
import socket
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from orchestrator.engines.base import CannotStart, EngineEvent, Finished, Lost, Message
from orchestrator.engines.spawning import starting

_MAX_JOBS_PER_WORKER = 250
"""A worker is replaced after so many: whatever user code leaks, it leaks only so long."""
_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
"""What may be sent to the whole process group, and is for the parent alone."""
_START_ATTEMPTS = 3
"""Tries at starting a worker: its fork server may be killed meanwhile."""
_RESPAWN_DELAY = 0.1
"""Seconds until one that was killed is seen to be gone, and another is started in its place."""
_MIN_IDLE = 4
"""So many workers may be idle even in a small pool, where jobs of several kinds take turns."""


@dataclass(slots=True, eq=False)
class _Worker:
    process: Any
    pipe: Connection
    kind: str
    fds: tuple[int, int]
    """Its pipe, and what becomes readable when its process ends."""
    idle_since: float = 0.0
    key: str | None = None
    deadline: float = float("inf")
    jobs: int = field(default=0)


class LocalEngine:
    """An ``Engine`` of processes that run ``serve(pipe, *arguments)``, at most ``size`` busy.

    Guarantees besides those of every engine: of busy and idle workers together there are at most
    twice ``size``, or ``size`` and a few where that is more.
    """

    def __init__(
        self,
        serve: Callable[..., None],
        arguments: tuple[Any, ...],
        *,
        size: int,
        is_final: Callable[[Any], bool],
        preload: Sequence[str] = (),
    ) -> None:
        self._serve = serve
        self._arguments = arguments
        self._size = size
        self._max_processes = size + max(size, _MIN_IDLE)
        self._is_last = is_final
        self._context = _context(preload)
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()
        """Pipes and ends of workers: registered once, as a turn of the caller's loop is short."""
        self._waker, self._woken = socket.socketpair()
        for end in (self._waker, self._woken):
            end.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, None)

    @property
    def capacity(self) -> int:
        """How many jobs may run at once."""
        return self._size

    @property
    def busy(self) -> int:
        """How many jobs are running."""
        return sum(worker.key is not None for worker in self._workers)

    def capacity_of(self, place: str | None) -> int:  # noqa: ARG002 - all is one place here
        """How many of those that ask for a place: it is here."""
        return self._size

    def room(
        self,
        place: str | None,  # noqa: ARG002 - all is one place here
        before: Sequence[str | None] = (),
    ) -> int:
        """How many more may be submitted now, once those ``before`` were."""
        return self._size - self.busy - len(before)

    def submit(
        self,
        key: str,
        job: Any,
        timeout: float,
        *,
        kind: str,
        place: str | None = None,  # noqa: ARG002 - all is one place here
    ) -> None:
        """Give a job to an idle worker of its kind, starting one where there is none."""
        if self.busy >= self._size:
            raise RuntimeError("more jobs than workers")
        worker = self._idle(kind) or self._start(kind)
        worker.key = key
        worker.jobs += 1
        worker.deadline = time.monotonic() + timeout
        # It may have died while idle; wait() finds out, and says so for this key.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            worker.pipe.send(job)

    def answer(self, key: str, content: Any) -> None:
        """Send something to the worker of ``key``; nothing where there is none any more."""
        worker = next((worker for worker in self._workers if worker.key == key), None)
        if worker is not None:
            # It may have died; wait() finds out, and says so.
            with contextlib.suppress(OSError):
                worker.pipe.send(content)

    def wake(self) -> None:
        """Let a ``wait`` that is going on return, or else the next one. Any thread may call it."""
        with contextlib.suppress(BlockingIOError):  # woken already
            self._waker.send(b"x")

    def wait(self, timeout: float) -> list[EngineEvent]:
        """Return what happened, waiting at most ``timeout`` seconds for something to happen."""
        now = time.monotonic()
        until = min([now + timeout, *(worker.deadline for worker in self._workers)])
        selected = self._selector.select(max(0.0, until - now))
        ready = [(key.data, key.fd) for key, _ in selected if key.data is not None]
        if len(ready) < len(selected):
            self._woken.recv(1024)
        readable = [worker for worker, fd in ready if fd == worker.fds[0]]
        exited = [worker for worker, fd in ready if fd == worker.fds[1]]
        events = [event for worker in readable for event in self._read(worker)]
        exited = [worker for worker in exited if worker in self._workers]
        return [*events, *(e for w in exited for e in self._reap(w)), *self._overdue()]

    def kill(self, keys: Collection[str] | None = None) -> list[Lost]:
        """Stop all workers at once, or those of ``keys``, and say which keys that cost."""
        gone = [w for w in self._workers if keys is None or w.key in keys]
        for worker in gone:
            self._remove(worker, kill=True)
        return [Lost(w.key, "its worker was stopped") for w in gone if w.key is not None]

    def leave(self, keys: Collection[str]) -> list[Lost]:
        """Let go of the workers of ``keys``: nobody hears them any more, nor answers.

        Each does what it may without asking, and ends.
        """
        gone = [worker for worker in self._workers if worker.key in keys]
        for worker in gone:
            self._forget(worker)
            worker.pipe.close()
        return [Lost(w.key, "its worker was let go") for w in gone if w.key is not None]

    def retire(self, of_kind: Callable[[str], bool]) -> None:
        """End idle workers of such kinds."""
        for worker in tuple(self._workers):
            if worker.key is None and of_kind(worker.kind):
                self._remove(worker, kill=False)

    def close(self) -> None:
        """End idle workers; those that still work are stopped."""
        for worker in tuple(self._workers):
            self._remove(worker, kill=worker.key is not None)
        self._selector.close()
        self._waker.close()
        self._woken.close()

    def __enter__(self) -> "LocalEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _idle(self, kind: str) -> _Worker | None:
        # The one used last, so that those too many grow old and are retired.
        idle = (w for w in self._workers if w.key is None and w.kind == kind)
        return max(idle, key=_idle_since, default=None)

    def _retire(self) -> None:
        idle = (worker for worker in self._workers if worker.key is None)
        self._remove(min(idle, key=_idle_since), kill=False)

    def _start(self, kind: str) -> _Worker:
        while len(self._workers) >= self._max_processes:
            self._retire()
        process, ours = self._new_process(_START_ATTEMPTS)
        worker = _Worker(process, ours, kind, (ours.fileno(), process.sentinel))
        self._workers.append(worker)
        for fd in worker.fds:
            self._selector.register(fd, selectors.EVENT_READ, worker)
        return worker

    def _new_process(self, tries: int) -> tuple[Any, Connection]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=self._serve, args=(theirs, *self._arguments), daemon=True
        )
        try:
            with theirs:
                _start_resource_tracker()
                with starting(), _signals_blocked():
                    process.start()
        except (EOFError, ConnectionError, BlockingIOError):
            # Its fork server died over it, or there is none to be had; the next is a new one.
            ours.close()
            if tries == 1:
                raise CannotStart(
                    "no more worker processes can be started: raise the limit of processes "
                    "(ulimit -u), or lower max_parallel"
                ) from None
            time.sleep(_RESPAWN_DELAY)
            return self._new_process(tries - 1)
        return process, ours

    def _read(self, worker: _Worker) -> Iterator[EngineEvent]:
        key = worker.key
        try:
            while worker.pipe.poll():
                content = worker.pipe.recv()
                if key is None:
                    continue
                if not self._is_last(content):
                    yield Message(key, content)
                    continue
                worker.key, worker.deadline = None, float("inf")
                worker.idle_since = time.monotonic()
                yield Finished(key, content)
                if worker.jobs >= _MAX_JOBS_PER_WORKER:
                    self._remove(worker, kill=False)
                return
        except (EOFError, OSError):
            self._remove(worker, kill=False)
            if key is not None:
                yield Lost(key, _exit_reason(worker.process.exitcode))

    def _reap(self, worker: _Worker) -> Iterator[EngineEvent]:
        """Read the last words of a worker whose process ended.

        Its pipe alone does not tell: a process that the job forked may hold the other end open.
        """
        yield from self._read(worker)
        if worker in self._workers:
            # The end of the fork server looks the same, and then the worker is still at it.
            self._remove(worker, kill=True)
            if worker.key is not None:
                yield Lost(worker.key, _exit_reason(worker.process.exitcode))

    def _overdue(self) -> Iterator[Lost]:
        now = time.monotonic()
        for worker in tuple(self._workers):
            if worker.key is not None and worker.deadline <= now:
                self._remove(worker, kill=True)
                yield Lost(worker.key, "it took longer than target_timeout", timed_out=True)

    def _forget(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        for fd in worker.fds:
            self._selector.unregister(fd)

    def _remove(self, worker: _Worker, *, kill: bool) -> None:
        self._forget(worker)
        if kill:
            worker.process.kill()
        worker.pipe.close()
        worker.process.join(5)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join(5)


def _idle_since(worker: _Worker) -> float:
    return worker.idle_since


def _context(preload: Sequence[str]) -> Any:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    return context


def start_fork_server(preload: Sequence[str]) -> None:
    """Start importing in the background, while the caller still reads its files.

    In a folder that was deleted nothing can be started; whoever needs a worker then says so.
    """
    if "forkserver" in multiprocessing.get_all_start_methods():
        _context(preload)
        from multiprocessing import forkserver

        _start_resource_tracker()
        no_folder = contextlib.suppress(FileNotFoundError)
        with no_folder, starting(), _signals_blocked():
            forkserver.ensure_running()


def _start_resource_tracker() -> None:
    # Starting it unblocks the signals that are blocked for the fork server, so it goes first.
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    # A Ctrl-C between the fork and the worker's first line would end it with a traceback. The
    # fork server keeps them blocked: what is sent to the process group is for the parent only.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _exit_reason(exitcode: int | None) -> str:
    if exitcode is None:
        return "its worker closed the connection"
    if exitcode >= 0:
        return f"its worker ended itself with exit code {exitcode}"
    name = signal.Signals(-exitcode).name
    hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"its worker was killed by {name}{hint}"
