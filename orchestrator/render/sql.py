"""The text of ``upgrade --sql``."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Group
from rich.text import Text

from orchestrator.actions.sqlfiles import SqlFiles
from orchestrator.render.failure import failures
from orchestrator.render.groups import spaced
from orchestrator.render.text import NAMES_SHOWN, count, safe


def report(written: SqlFiles, folder: Path) -> Group:
    """Return the files that were written, and why others were not."""
    pairs = list(zip(written.result.targets, written.result.outcomes, strict=True))
    number = count(len(written.files), "file")
    total = (
        f"Wrote {number} to {folder}. Nothing was changed."
        if written.files
        else (
            "Nothing to write: no target has pending revisions."
            if written.result.exit_code == 0
            else "Wrote nothing."
        )
    )
    return spaced(*_files(written), *failures(pairs), Text(safe(total)))


def _files(written: SqlFiles) -> Iterator[Group]:
    files = [Text(safe(file)) for file in written.files.values()]
    if (hidden := len(files) - NAMES_SHOWN) > 0:
        files = [*files[:NAMES_SHOWN], Text(f"and {hidden:,} more")]
    if files:
        yield Group(*files)
