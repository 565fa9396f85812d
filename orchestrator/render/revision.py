"""The text of ``revision``."""

from pathlib import Path

from rich.text import Text

from orchestrator.actions.authoring import NewRevision
from orchestrator.config.report import shown_path
from orchestrator.render.text import safe


def report(written: NewRevision) -> Text:
    """Return where the file is and what to do with it, or that there was nothing to write."""
    database = safe(written.database)
    if written.path is None:
        return Text(
            f"Nothing to write: the models of {database} are what its revisions make.\n"
            "For a revision without changes of the models, pass --empty."
        )
    step = "Write its upgrade() and downgrade()."
    if not written.empty:
        step = "Read it before you run it: autogenerate does not see everything."
    return _lines(written, step)


def merged(written: NewRevision) -> Text:
    """Return where the file of a merge is."""
    return _lines(written, "It changes nothing by itself; upgrade to it as to any other.")


def _lines(written: NewRevision, step: str) -> Text:
    files = [(revision.path, revision) for revision in written.revisions]
    lines = [
        f"Wrote {_path(path)}: revision {safe(revision.id)} of {safe(written.database)}"
        + (f", merges {safe(', '.join(revision.down))}" if len(revision.down) > 1 else "")
        for path, revision in files
    ] or [f"Wrote {_path(written.path)}: revision {safe(written.id)} of {safe(written.database)}"]
    warnings = [f"warning: {safe(warning)}" for warning in written.warnings]
    return Text("\n".join([*lines, *warnings, step]))


def _path(path: str | None) -> str:
    return safe(shown_path(Path(path or "")))
