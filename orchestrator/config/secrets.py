"""Resolve secrets, as late as possible and each of them once."""

import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from weakref import WeakSet

from orchestrator.config.template import Filled, Secret
from orchestrator.errors import SecretError

_TIMEOUT = 60
_COMMANDS_AT_ONCE = 8
_SHOWN_TARGETS = 5
_of_this_process: "WeakSet[Secrets]" = WeakSet()
_SLOT = re.compile(r"\{v(\d+)\}")


def known_values() -> frozenset[str]:
    """Return every value that anybody in this process has resolved, for a last look at output."""
    return frozenset(value for secrets in tuple(_of_this_process) for value in secrets.values)


class Secrets:
    """The values of ``${env:NAME}``, ``${file:PATH}`` and ``${cmd:COMMAND}``.

    Every value is asked for once and then remembered. ``commands`` holds what commands printed
    and can be given to another ``Secrets``, which then does not run them again.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str] = os.environ,
        commands: Mapping[str, str] | None = None,
    ) -> None:
        self.commands: dict[str, str] = dict(commands or {})
        self._folder = folder
        self._environ = environ
        self._known: dict[tuple[str, str], str] = {}
        _of_this_process.add(self)

    @property
    def values(self) -> frozenset[str]:
        """Every value resolved or handed over so far, for redaction."""
        return frozenset(self._known.values()) | frozenset(self.commands.values())

    def value(self, secret: Secret) -> str:
        """Return the value of a secret whose labels are filled. Raises ``SecretError``."""
        if secret.kind == "cmd":
            return self._command(secret)
        key = (secret.kind, secret.name)
        if key not in self._known:
            read = self._variable if secret.kind == "env" else self._file
            self._known[key] = read(secret)
        return self._known[key]

    def missing(self, needs: Mapping[str, Sequence[Secret]]) -> None:
        """Resolve all that targets need. Raises one ``SecretError`` with every one that is missing.

        ``needs`` maps the names of targets to their secrets. The message says for each missing
        secret what to do and which targets need it.
        """
        users: dict[Secret, list[str]] = {}
        for target, secrets in needs.items():
            for secret in dict.fromkeys(secrets):
                users.setdefault(secret, []).append(target)
        with ThreadPoolExecutor(_COMMANDS_AT_ONCE) as pool:
            errors = list(pool.map(self._error, users))
        messages = [
            f"{error}\n  needed by {_some(targets)}"
            for error, targets in zip(errors, users.values(), strict=True)
            if error
        ]
        if messages:
            raise SecretError("\n".join(messages))

    def _error(self, secret: Secret) -> SecretError | None:
        try:
            self.value(secret)
        except SecretError as error:
            return error
        return None

    def _variable(self, secret: Secret) -> str:
        try:
            return self._environ[secret.name]
        except (KeyError, ValueError):
            raise SecretError(
                f"{secret}: the environment variable is not set\n"
                f"  set {secret.name}, e.g. export {secret.name}=…"
            ) from None

    def _file(self, secret: Secret) -> str:
        path = self._folder / secret.name
        try:
            return _without_newline(path.read_bytes().decode())
        except UnicodeDecodeError:
            raise SecretError(f"{secret}: the file is not UTF-8\n  write {path} as text") from None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "not a path"
            raise SecretError(f"{secret}: {why}\n  put the secret into {path}") from None

    def _command(self, secret: Secret) -> str:
        arguments = command_line(secret)
        key = shlex.join(arguments)
        if key not in self.commands:
            self.commands[key] = _without_newline(self._output(secret, arguments))
        return self.commands[key]

    def _output(self, secret: Secret, arguments: Sequence[str]) -> str:
        try:
            done = subprocess.run(
                arguments,
                cwd=self._folder,
                env=dict(self._environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _failed(secret, f"no answer within {_TIMEOUT} s") from None
        except (OSError, ValueError) as error:
            raise _failed(secret, getattr(error, "strerror", None) or "it can't be run") from None
        if done.returncode:
            raise _failed(secret, f"exit code {done.returncode}{_last_line(done.stderr)}")
        try:
            return done.stdout.decode()
        except UnicodeDecodeError:
            raise _failed(secret, "what it printed is not UTF-8") from None


def command_line(secret: Secret) -> list[str]:
    """Return the program and arguments of a ``${cmd:}``.

    The text is split as a shell would, and only then are labels put in: whatever a label holds,
    it stays within the argument where the file has it.
    """
    values = [piece for piece in secret.body if isinstance(piece, Filled)]
    slots = (f"{{v{number}}}" for number in range(len(values)))
    # No literal can look like a slot: it would have been read as a label.
    text = "".join(
        next(slots) if isinstance(piece, Filled) else str(piece) for piece in secret.body
    )
    return [_SLOT.sub(lambda slot: values[int(slot[1])], word) for word in shlex.split(text)]


def _failed(secret: Secret, why: str) -> SecretError:
    return SecretError(f"{secret}: {why}\n  run it by hand to see what is wrong with it")


def _last_line(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    shown = "".join(c if c.isprintable() else "�" for c in last)
    return f": {shown}" if shown else ""


def _without_newline(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text


def _some(targets: Sequence[str]) -> str:
    shown = ", ".join(islice(targets, _SHOWN_TARGETS))
    more = len(targets) - _SHOWN_TARGETS
    return f"{shown} and {more} more" if more > 0 else shown
