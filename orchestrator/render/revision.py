"""The text of ``revision``."""

from pathlib import Path

from rich.text import Text

from orchestrator.actions.results import NewRevision
from orchestrator.config.report import shown_path
from orchestrator.render.words import safe


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
    path = safe(shown_path(Path(written.path)))
    return Text(f"Wrote {path}: revision {safe(written.id)} of {database}\n{step}")
