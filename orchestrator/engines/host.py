"""Runs jobs on this machine for engines elsewhere: slots, and a queue in front of them."""

import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.engines import wire
from orchestrator.engines.base import CannotStart, EngineEvent, Finished, Lost, Message
from orchestrator.engines.local import LocalEngine, start_fork_server
from orchestrator.engines.wire import About, Alive, Ended, Gone, Letter, Report, Sent, Service

_BEAT = 1.0
"""Seconds between two signs of life."""

_FORGOTTEN = 86_400.0
"""Seconds for which an engine that was let go may still speak again."""
_SILENT = "its worker heard nothing for too long, and let it go"
_STOPPED = "its worker was told to stop, and let it go"

Say = Callable[[str, list[str]], None]
"""Sends texts to the engine of a session. Any thread may call it."""


def default_slots() -> int:
    """Return how many slots a machine offers unless it is told: migrations wait for servers."""
    return max(2, os.cpu_count() or 1)


@dataclass(slots=True)
class _Session:
    """One engine, as its host knows it."""

    heard: float
    patience: float
    next: int = 0
    """The number of the letter that comes next."""
    early: dict[int, Letter] = field(default_factory=dict)
    """Letters that came before those before them."""
    waiting: deque[wire.Submit] = field(default_factory=deque)
    """Jobs without a slot."""
    running: set[str] = field(default_factory=set)
    left: bool = False
    """It was silent for too long, and has nothing here until it speaks again."""


class Host:
    """Slots for jobs, and a thread that serves them.

    Guarantees: the jobs of an engine are started in the order in which it submitted them, each at
    most once; of all engines together no more than ``slots`` run at once, and no process works for
    two of them. An engine that is silent for its patience is let go, with all of its jobs: those
    that wait are forgotten, those that run do what they may without asking, and end. What it
    submits once it speaks again is done. When the host is closed, all are let go.
    """

    def __init__(self, service: Service, name: str, place: str | None, slots: int) -> None:
        self.id = uuid.uuid4().hex
        self.name, self.place, self.slots = name, place, slots
        self._service = service
        self._say: Say = lambda *_: None
        self._topic = ""
        self._said: dict[str, list[str]] = {}
        """What is to be told to each engine at once."""
        self._inbox: deque[Letter] = deque()
        self._sessions: dict[str, _Session] = {}
        self._ended = False
        self._next_beat = 0.0
        self._engine = LocalEngine(
            service.serve,
            service.arguments,
            size=slots,
            is_final=service.is_final,
            preload=service.preload,
        )
        # Importing takes seconds, in which the first job would let this host say nothing.
        start_fork_server(service.preload)
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self, say: Say, topic: str) -> None:
        """Begin to serve letters; ``say`` takes what is to be told. They come in a topic."""
        self._say, self._topic = say, topic
        self._thread.start()

    def put(self, text: str) -> None:
        """Take a letter in. Any thread may call it. Raises ``NotOurs``.

        One for another life of this host is thrown away: its jobs were lost with that.
        """
        letter = wire.letter(text)
        if letter.host == self.id:
            self._inbox.append(letter)
            self._engine.wake()

    def about(self) -> About:
        """Tell what an engine must know of this host."""
        return About(
            self.id,
            self.name,
            self._topic,
            self.place,
            self.slots,
            self._engine.busy,
            wire.VERSION,
            self._service.about(),
        )

    def close(self) -> None:
        """Let go of everything, and return when that is done."""
        if self._thread.ident is None:  # it was never started
            self._engine.close()
        elif self._thread.is_alive():
            self._ended = True
            self._engine.wake()
            self._thread.join()

    def _work(self) -> None:
        while not self._ended:
            self._take()
            self._start()
            self._speak()
            for event in self._engine.wait(_BEAT):
                self._tell(event)
            self._speak()
            self._take()  # starting a process may have taken longer than an engine is patient
            self._let_go()
            self._beat()
        for name, session in self._sessions.items():
            self._leave(name, session, _STOPPED)
        self._speak()
        self._engine.close()

    def _take(self) -> None:
        while self._inbox:
            letter = self._inbox.popleft()
            now = time.monotonic()
            session = self._sessions.setdefault(letter.session, _Session(now, letter.patience))
            session.early[letter.number] = letter
            while (following := session.early.pop(session.next, None)) is not None:
                # Where one is lost, those after it count as silence.
                session.heard, session.left = now, False
                session.next += 1
                self._obey(letter.session, session, following.order)

    def _obey(self, name: str, session: _Session, order: wire.Order) -> None:
        match order:
            case wire.Submit():
                session.waiting.append(order)
            case wire.Answer(id=id_, content=content):
                self._engine.answer(_key(name, id_), self._service.unpack(content))
            case wire.Kill(ids=ids):
                session.waiting = deque(job for job in session.waiting if job.id not in ids)
                self._engine.kill({_key(name, id_) for id_ in ids})
                session.running -= set(ids)
            case wire.Beat():
                pass
            case wire.Bye():
                self._leave(name, session, _STOPPED)
                del self._sessions[name]

    def _start(self) -> None:
        """Give free slots to sessions in turns."""
        while self._engine.busy < self._engine.capacity:
            waiting = [(n, s) for n, s in self._sessions.items() if s.waiting]
            if not waiting:
                return
            for name, session in waiting:
                if self._engine.busy < self._engine.capacity:
                    self._submit(name, session, session.waiting.popleft())

    def _submit(self, name: str, session: _Session, job: wire.Submit) -> None:
        try:
            content = self._service.unpack(job.job)
            # What a process has imported and read is as old as its first job; another engine may
            # have come since with new revisions.
            kind = _key(name, job.kind)
            self._engine.submit(_key(name, job.id), content, job.timeout, kind=kind)
        except (ValueError, CannotStart) as error:
            self._report(name, Gone(job.id, f"{self.name}: {error}", timed_out=False))
        else:
            session.running.add(job.id)

    def _tell(self, event: EngineEvent) -> None:
        name, _, id_ = event.key.partition("\0")
        if isinstance(event, Message):
            self._report(name, Sent(id_, self._service.pack(event.content)))
            return
        self._report(name, self._end(id_, event))
        if name in self._sessions:
            self._sessions[name].running.discard(id_)

    def _end(self, id_: str, event: Finished | Lost) -> wire.Word:
        if isinstance(event, Lost):
            return Gone(id_, event.reason, event.timed_out)
        try:
            return Ended(id_, self._service.pack(event.content))
        except ValueError as error:  # it must not take the other jobs with it
            return Gone(id_, f"its answer can't be sent: {error}", timed_out=False)

    def _report(self, session: str, word: wire.Word) -> None:
        self._said.setdefault(session, []).append(wire.packed(Report(self.id, word)))

    def _speak(self) -> None:
        for session, texts in self._said.items():
            self._say(session, texts)
        self._said = {}

    def _let_go(self) -> None:
        now = time.monotonic()
        for name, session in tuple(self._sessions.items()):
            if not session.left and now - session.heard > session.patience:
                self._leave(name, session, _SILENT)
            elif now - session.heard > _FORGOTTEN:
                del self._sessions[name]

    def _leave(self, name: str, session: _Session, why: str) -> None:
        # Not forgotten: letters that were on their way may still come, and are counted on.
        session.left = True
        self._engine.leave({_key(name, id_) for id_ in session.running})
        self._engine.retire(lambda kind: kind.startswith(_key(name, "")))
        for id_ in (*session.running, *(job.id for job in session.waiting)):
            self._report(name, Gone(id_, why, timed_out=False))
        session.running.clear()
        session.waiting.clear()

    def _beat(self) -> None:
        if time.monotonic() >= self._next_beat:
            self._next_beat = time.monotonic() + _BEAT
            for name, session in self._sessions.items():
                if not session.left:
                    self._report(name, Alive())


def _key(session: str, id_: str) -> str:
    return f"{session}\0{id_}"
