"""The queries and commands of gates: tried until they hold, or have been tried often enough."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestrator.config.redaction import Redactor
from orchestrator.config.rollouts import GateCommand, GateQuery
from orchestrator.config.secrets import Secrets
from orchestrator.fleet.address import AddressTemplate
from orchestrator.inspection.querying import Query, mismatch

Verdict = tuple[bool, str]
"""Whether it holds, and what is to be said of it."""
Ask = Callable[[Sequence[str]], Mapping[str, str]]
"""Returns of each target why it does not answer as expected; nothing where it does."""
_SHOWN = 3
_LONGEST = 300


def query(gate: GateQuery, asked: Sequence[str], ask: Ask) -> Verdict:
    """Try a gate's query on each database until all give what is expected.

    Those that did are not asked again. ``ask`` tries it once, and its texts hold no secret.
    """
    left = list(asked)
    wrong: dict[str, str] = {}
    for number in range(gate.tries):
        if number:
            time.sleep(gate.delay)
        found = ask(left)
        wrong = {name: text for name in left if (text := found[name])}
        left = list(wrong)
        if not left:
            return True, f"as expected on {len(asked):,} of {len(asked):,}"
    more = f", and {len(wrong) - _SHOWN:,} more" if len(wrong) > _SHOWN else ""
    return False, "; ".join([*wrong.values()][:_SHOWN]) + more


def of_gate(gate: GateQuery) -> Query:
    """Return what a gate's query asks."""
    return Query(gate.sql, gate.expect, gate.timeout)


def elsewhere(gate: GateQuery, environment: str, folder: Path, secrets: Secrets) -> Verdict:
    """Try the query of a gate that names a database of its own, until it gives what is expected.

    Raises ``ValueError`` where that is none.
    """
    template = AddressTemplate.parse(gate.url or "", None, folder)
    location = template.fill({"environment": environment}).resolve(secrets.value)
    password = {location.password} if location.password else set[str]()
    redact = Redactor(secrets.values | password)
    name = location.server

    def ask(_: Sequence[str]) -> Mapping[str, str]:
        return {name: redact(mismatch(of_gate(gate), name, location, gate.timeout))}

    return query(gate, [name], ask)


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
