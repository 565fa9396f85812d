"""The queries and commands of gates: tried until they hold, or have been tried often enough."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.config.redaction import Redactor
from orchestrator.config.rollouts import GateCommand, GateQuery
from orchestrator.config.secrets import Secrets
from orchestrator.dialects import Timeouts
from orchestrator.dialects.faults import message_of
from orchestrator.fleet.address import AddressTemplate
from orchestrator.fleet.location import Location
from orchestrator.inspection.connecting import connected, rows

Verdict = tuple[bool, str]
"""Whether it holds, and what is to be said of it."""
_AT_ONCE = 8
_SHOWN = 3
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class QueryTarget:
    """A database that a gate's query is run on."""

    name: str
    location: Location
    lock_timeout: float


def query(gate: GateQuery, asked: Sequence[QueryTarget], secrets: Secrets) -> Verdict:
    """Run a gate's query on each database until all give what is expected.

    Those that did are not asked again. Details hold no secret.
    """
    left = list(asked)
    wrong: list[str] = []
    for number in range(gate.tries):
        if number:
            time.sleep(gate.delay)
        found = _of_each(lambda one: _mismatch(gate, one, secrets), left)
        left = [one for one, is_wrong in zip(left, found, strict=True) if is_wrong]
        wrong = [text for text in found if text]
        if not left:
            return True, f"as expected on {len(asked):,} of {len(asked):,}"
    more = f", and {len(wrong) - _SHOWN:,} more" if len(wrong) > _SHOWN else ""
    return False, "; ".join(wrong[:_SHOWN]) + more


def _of_each(work: Callable[[QueryTarget], str], asked: Sequence[QueryTarget]) -> list[str]:
    """Do it for several at once. No thread keeps the program from ending, as a pool's would."""
    left = list(enumerate(asked))
    found = [""] * len(left)

    def take() -> None:
        with suppress(IndexError):  # none is left
            while True:
                at, one = left.pop()
                found[at] = work(one)

    threads = [threading.Thread(target=take, daemon=True) for _ in left[:_AT_ONCE]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _mismatch(gate: GateQuery, one: QueryTarget, secrets: Secrets) -> str:
    password = {one.location.password} if one.location.password else set[str]()
    redact = Redactor(secrets.values | password)
    try:
        with connected(one.location, Timeouts(one.lock_timeout, gate.timeout)) as connection:
            found = rows(connection, gate.sql)
    except Exception as error:  # noqa: BLE001 - drivers raise anything; the gate does not hold
        return redact(f"{one.name}: {message_of(error)}")
    if not found:
        return f"{one.name}: no row, where {gate.expect} was expected"
    value = found[0][0]
    if _equal(value, gate.expect):
        return ""
    return redact(f"{one.name}: {str(value)[:_LONGEST]}, where {gate.expect} was expected")


def _equal(value: Any, expected: str | int | float | bool) -> bool:
    """By value where both are numbers, else by text: drivers return counts of several types."""
    if value is None:
        return False
    if isinstance(expected, str):
        return str(value) == expected
    try:
        return bool(float(value) == float(expected))
    except (TypeError, ValueError):
        return str(value).lower() == str(expected).lower()


def elsewhere(gate: GateQuery, environment: str, folder: Path, secrets: Secrets) -> QueryTarget:
    """Return the database of a gate that names its own. Raises ``ValueError`` where it is none."""
    template = AddressTemplate.parse(gate.url or "", None, folder)
    location = template.fill({"environment": environment}).resolve(secrets.value)
    return QueryTarget(location.server, location, gate.timeout)


def command(
    gate: GateCommand,
    folder: Path,
    state: Mapping[str, Any],
    secrets: Secrets,
) -> Verdict:
    """Run a gate's command until it exits with 0. It gets ``state`` as JSON on its stdin."""
    redact = Redactor(secrets.values)
    detail = ""
    for number in range(gate.tries):
        if number:
            time.sleep(gate.delay)
        holds, detail = _run(gate, folder, json.dumps(state))
        if holds:
            return True, "exit code 0"
    return False, redact(detail)


def _run(gate: GateCommand, folder: Path, state: str) -> Verdict:
    name = gate.run[0]
    try:
        code, said = _output(gate, folder, state)
    except subprocess.TimeoutExpired:
        return False, f"{name}: no answer within {gate.timeout:g} s"
    except (OSError, ValueError) as error:
        return False, f"{name}: {getattr(error, 'strerror', None) or error}"
    if not code:
        return True, ""
    return False, f"{name}: exit code {code}{said}"


def _output(gate: GateCommand, folder: Path, state: str) -> tuple[int, str]:
    """Run it in a process group of its own, that is ended with it: Ctrl-C is for us to handle."""
    process = subprocess.Popen(
        gate.run,
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(state, timeout=gate.timeout)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
    lines = [line.strip() for line in (err or out).splitlines() if line.strip()]
    return process.returncode, f": {lines[-1][:_LONGEST]}" if lines else ""
