"""Tenants that somebody keeps a list of: in a file, in a database, behind a command."""

import csv
import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from orchestrator.config.problems import Problem, Problems
from orchestrator.config.redaction import Redactor
from orchestrator.config.secrets import Secrets
from orchestrator.config.tenants import TenantsFromCommand, TenantsFromCsv, TenantsFromQuery
from orchestrator.errors import TargetsFailed
from orchestrator.fleet.address import AddressTemplate
from orchestrator.fleet.labels import TenantLabels, labels_from_row
from orchestrator.fleet.listing import some
from orchestrator.inspection.tenants.asking import rows

_TIMEOUT = 60
_REPORTED = 20

Row = tuple[str, Mapping[str, object]]
"""Where it is, for a message, and its columns."""


def from_csv(source: TenantsFromCsv, environment: str, folder: Path) -> Sequence[TenantLabels]:
    """Read tenants from a CSV file. An empty cell is no label."""
    path = folder / source.csv
    mistakes = _Mistakes(environment, "csv")
    try:
        # "utf-8-sig": spreadsheets put a mark at the start of the file.
        with path.open(encoding="utf-8-sig", newline="") as file:
            return mistakes.labels(_csv_rows(source.csv, file, mistakes))
    except OSError as error:
        raise mistakes.error(f"{source.csv}: {error.strerror or 'it can not be read'}") from None
    except UnicodeDecodeError:
        raise mistakes.error(f"{source.csv} is not UTF-8") from None


def from_query(
    source: TenantsFromQuery, environment: str, folder: Path, secrets: Secrets
) -> Sequence[TenantLabels]:
    """Read tenants from a query on a control database. ``NULL`` is no label."""
    mistakes = _Mistakes(environment, "query")
    try:
        template = AddressTemplate.parse(source.url, None, folder)
        location = template.fill({"environment": environment}).resolve(secrets.value)
    except KeyError as error:
        raise mistakes.error(f"nothing fills {{{error.args[0]}}} in its url") from None
    except ValueError as error:
        raise mistakes.error(str(error)) from None
    found = rows(environment, location, source.query, secrets)
    return mistakes.labels((f"row {at}", row) for at, row in enumerate(found, 1))


def from_command(
    source: TenantsFromCommand, environment: str, folder: Path, secrets: Secrets
) -> Sequence[TenantLabels]:
    """Read tenants from what a command prints: a JSON array, a JSON object a line, or names."""
    mistakes = _Mistakes(environment, "command")
    output = _output(source, environment, folder, Redactor(secrets.values))
    return mistakes.labels(_printed_rows(output, mistakes))


class _Mistakes:
    """What is wrong with rows of a source, to be reported all at once."""

    def __init__(self, environment: str, kind: str) -> None:
        self._environment = environment
        self._at = ("environments", environment, "tenants", kind)
        self._found: list[str] = []

    def add(self, mistake: str) -> None:
        self._found.append(mistake)

    def labels(self, found: Iterable[Row]) -> Sequence[TenantLabels]:
        """Turn rows into labels. Raises ``Problems`` when there was any mistake."""
        labels = []
        places: dict[str, list[str]] = {}
        for where, row in found:
            try:
                labels.append(labels_from_row(row))
                places.setdefault(labels[-1]["name"], []).append(where)
            except ValueError as error:
                self.add(f"{where} {error}")
        for name, there in places.items():
            if len(there) > 1:
                self.add(f"tenant '{name}' is listed in {_together(there)}")
        if self._found:
            raise self.error(some(self._found, _REPORTED, "; "))
        return labels

    def error(self, what: str) -> Problems:
        return Problems([Problem(self._at, f"tenants of '{self._environment}': {what}")])


def _together(places: Sequence[str]) -> str:
    """Say ``lines 2 and 3 of t.csv`` for ``t.csv:2`` and ``t.csv:3``, else ``rows 1 and 4``."""
    numbers = [re.split("[ :]", place)[-1] for place in places]
    shown = " and ".join([some(numbers[:-1], _REPORTED), numbers[-1]])
    head = places[0][: -len(numbers[0])]
    return f"lines {shown} of {head[:-1]}" if head.endswith(":") else f"{head[:-1]}s {shown}"


def _csv_rows(name: str, file: Iterable[str], mistakes: _Mistakes) -> Iterator[Row]:
    reader = csv.reader(file, strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
        flaw = _flaw_of_header(header)
        if flaw:
            mistakes.add(f"{name}:1 {flaw}")
            return
        for row in filter(None, reader):
            where = f"{name}:{reader.line_num}"
            if len(row) == len(header):
                yield where, {key: cell or None for key, cell in zip(header, row, strict=True)}
            else:
                many = "1 column" if len(row) == 1 else f"{len(row)} columns"
                mistakes.add(f"{where} has {many} where the header has {len(header)}")
    except csv.Error as error:
        mistakes.add(f"{name}:{reader.line_num} is not CSV: {error}")


def _flaw_of_header(header: Sequence[str]) -> str | None:
    if "name" not in header:
        return f"has no column 'name', only {', '.join(header) or 'nothing'}"
    twice = [column for column in header if header.count(column) > 1]
    return f"has two columns '{twice[0]}'" if twice else None


def _printed_rows(output: str, mistakes: _Mistakes) -> Iterator[Row]:
    """Yield what a command printed; what it starts with tells which of three ways it is."""
    match output.lstrip("\ufeff \t\r\n")[:1]:
        case "[":
            return _array_rows(output, mistakes)
        case "{":
            return _json_rows(output, mistakes)
        case _:
            lines = enumerate(output.split("\n"), 1)
            return ((f"line {at}", {"name": line.strip()}) for at, line in lines if line.strip())


def _array_rows(output: str, mistakes: _Mistakes) -> Iterator[Row]:
    try:
        found = json.loads(output.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        mistakes.add(f"what it printed starts like a JSON array and is none: {error}")
        return
    for at, row in enumerate(found, 1):
        if isinstance(row, dict | str):
            yield f"item {at}", row if isinstance(row, dict) else {"name": row}
        else:
            mistakes.add(f'item {at} is neither "acme" nor {{"name": "acme", "tier": "free"}}')


def _json_rows(output: str, mistakes: _Mistakes) -> Iterator[Row]:
    for at, line in enumerate(output.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            yield f"line {at}", row
        else:
            mistakes.add(f'line {at} is not like {{"name": "acme", "tier": "free"}}')


def _output(source: TenantsFromCommand, environment: str, folder: Path, redact: Redactor) -> str:
    def failed(why: str) -> TargetsFailed:
        command = " ".join(source.command)
        return TargetsFailed(
            redact(
                f"the tenants of '{environment}' could not be read: {command}: {why}\n"
                f"  run it in {folder} to see more"
            )
        )

    try:
        done = subprocess.run(
            source.command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
        output = done.stdout.decode()
    except subprocess.TimeoutExpired:
        raise failed(f"no answer within {_TIMEOUT} s") from None
    except UnicodeDecodeError:
        raise failed("what it printed is not UTF-8") from None
    except (OSError, ValueError) as error:
        raise failed(getattr(error, "strerror", None) or "it can't be run") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise failed(f"exit code {done.returncode}" + (f": {said[-1]}" if said else ""))
    return output
