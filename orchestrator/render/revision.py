"""The text of ``revision``."""

from rich.text import Text

from orchestrator.actions.results import NewRevision
from orchestrator.render.words import safe


def report(written: NewRevision, *, asked: bool) -> Text:
    """Return where the file is; ``asked`` says that an empty one was asked for."""
    line = f"Wrote {safe(written.path)} (revision {safe(written.id)} of {safe(written.database)})"
    if asked:
        return Text(f"{line}\nWrite its upgrade() and downgrade().")
    if written.empty:
        return Text(
            f"{line}\nThe models have no changes: the revision is empty. Fill it or delete it."
        )
    return Text(f"{line}\nRead it before you run it: autogenerate does not see everything.")
