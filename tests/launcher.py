"""Commands without the price of starting Python: forked from a process that has imported all of it.

Each command is a process of its own, as a user's is: its own folder, environment, files, exit
code. What it leaves out is the start of the interpreter and the imports, 1.5 s of processor time
each, twice: once for the command and once for the fork server of its workers. What is about just
that (``tests/cli/test_program.py``), and what is killed or interrupted, starts the real program.
"""

import array
import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

_READ_AT_START = ("PYTHON", "LC_", "LANG", "TERM", "COLUMNS", "LINES", "TZ", "FORCE", "NO_COLOR")
"""What a process reads before its first line of ours, or a library when it is imported."""
_IMPORTED = (
    "orchestrator.worker.preload",
    "orchestrator.cli.app",
    "orchestrator.actions.project",
    "orchestrator.runs.starting",
    "orchestrator.render.json",
    "orchestrator.render.json_runs",
    "orchestrator.render.console",
    "orchestrator.cli.progress",
    "rich.live",
    "rich.progress",
)


class Launcher:
    """A process that forks commands, one at a time for each process of the tests."""

    def __init__(self, program: Path, environ: Mapping[str, str]) -> None:
        self._owner = os.getpid()
        self._began_with = _read_at_start(environ)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # Of the same interpreter as the program.
            command = [str(program.with_name("python")), __file__, str(theirs.fileno())]
            self._process = subprocess.Popen(
                [*command, str(program)],
                pass_fds=[theirs.fileno()],
                env=dict(environ),
                stdin=subprocess.DEVNULL,
            )
        atexit.register(self.close)

    def can_run(self, environ: Mapping[str, str]) -> bool:
        """Whether a command in such an environment is the same as one that was started anew."""
        return _read_at_start(environ) == self._began_with

    def run(
        self, arguments: Sequence[str], cwd: Path, environ: Mapping[str, str], timeout: float
    ) -> tuple[int, str, str]:
        """Run a command to its end; return its exit code, and what it wrote to each stream."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            asked = json.dumps([list(arguments), str(cwd), dict(environ)]).encode()
            with tempfile.TemporaryFile() as question:
                question.write(asked)
                question.flush()
                _send_files(self._socket, question, out, err)
            self._socket.settimeout(timeout)
            pid = int(self._socket.recv(64))
            try:
                code = int(self._socket.recv(64))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                self._socket.settimeout(None)
                self._socket.recv(64)
                raise subprocess.TimeoutExpired(list(arguments), timeout) from None
            return code, _text(out), _text(err)

    def close(self) -> None:
        """End it. A forked child of ours leaves it alone."""
        if os.getpid() == self._owner:
            self._socket.close()
            self._process.wait(10)


def _read_at_start(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(_READ_AT_START)}


def _send_files(to: socket.socket, *files: BinaryIO) -> None:
    numbers = array.array("i", [file.fileno() for file in files])
    to.sendmsg([b"run"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)])


def _text(file: BinaryIO) -> str:
    file.seek(0)
    return io.TextIOWrapper(io.BytesIO(file.read()), encoding="utf-8").read()


def serve(connection: socket.socket, program: str) -> None:
    """Fork a command for each question until nobody asks any more."""
    sys.path[0] = str(Path(program).parent)  # as in the program itself
    for name in _IMPORTED:
        importlib.import_module(name)
    # A command that looked through all of this for garbage would copy every page of it.
    gc.collect()
    gc.freeze()
    size = array.array("i").itemsize
    while True:
        message, ancillary, *_ = connection.recvmsg(16, socket.CMSG_SPACE(3 * size))
        if not message:
            return
        ((_, _, data),) = ancillary
        files = array.array("i", data[: 3 * size])
        pid = os.fork()
        if pid == 0:
            connection.close()
            _be_a_command(program, *files)
        for number in files:
            os.close(number)
        connection.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())


def _be_a_command(program: str, question: int, out: int, err: int) -> None:
    code = 1
    try:
        with open(question, "rb") as file:
            file.seek(0)
            arguments, folder, environ = json.loads(file.read())
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environ)
        for number, stream in ((1, out), (2, err)):
            os.dup2(stream, number)
            os.close(stream)
        _open_streams()
        sys.argv = [program, *arguments]
        _fork_instead_of_spawning()
        code = _run_to_its_end()
    finally:
        os._exit(code)


def _run_to_its_end() -> int:
    from orchestrator.__main__ import main

    code: Any = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - as Python itself does at the top
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code if isinstance(code, int) else int(code is not None)


def _open_streams() -> None:
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(  # noqa: SIM115
        2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False
    )
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]


def _fork_instead_of_spawning() -> None:
    """Let what multiprocessing starts be forked as well, with what an exec would have left it."""
    from multiprocessing import forkserver, resource_tracker, util

    spawn = util.spawnv_passfds

    def fork(path: bytes, arguments: Sequence[str], kept: Sequence[int]) -> int:
        if not any(name in arguments[-1] for name in ("forkserver", "resource_tracker")):
            return spawn(path, arguments, kept)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            return pid
        with contextlib.suppress(BaseException):
            _forget_what_exec_forgets(kept)
            forkserver._forkserver.__init__()  # type: ignore[misc]
            resource_tracker._resource_tracker.__init__()  # type: ignore[misc]
            util.spawnv_passfds = spawn
            exec(arguments[-1], {})
        os._exit(0)

    util.spawnv_passfds = fork


def _forget_what_exec_forgets(kept: Sequence[int]) -> None:
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    low = 3
    for number in sorted(kept):
        os.closerange(low, number)
        low = number + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))
    sys.argv = ["-c"]
    del sys.path[0]  # PYTHONSAFEPATH is set


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as asked, contextlib.suppress(KeyboardInterrupt):
        serve(asked, sys.argv[2])
