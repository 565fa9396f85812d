"""The text of ``rollback``."""

from collections.abc import Iterator

from rich.console import Group
from rich.text import Text

from orchestrator.render.groups import block, spaced
from orchestrator.render.plan import moves
from orchestrator.render.table import Columns
from orchestrator.render.text import count, names, safe
from orchestrator.runs.rollback import Rollback


def report(of: Rollback) -> Group:
    """Return what a rollback would do."""
    return spaced(_body(of), Text("Dry run: nothing was changed."))


def about_to(of: Rollback) -> Group:
    """Return what a rollback is about to do, before it asks."""
    return _body(of)


def _body(of: Rollback) -> Group:
    title = f"Roll back run {of.plan.parent}: {count(len(of.targets), 'target')}"
    return spaced(
        *_irreversible(of), *_moved(of), block(Text(title, style="bold"), *moves(of.plan))
    )


def _irreversible(of: Rollback) -> Iterator[Group]:
    reverted = {(t.database, id_) for t in of.plan.targets for id_ in t.revisions}
    found = [(d, r) for d, r in of.irreversible if (d, r.id) in reverted]
    if not found:
        return
    rows = [[Text(safe(d)), Text(safe(r.id)), Text(safe(r.message))] for d, r in found]
    text = f"{count(len(rows), 'revision')} can't be reversed: no downgrade that does anything"
    yield block(Text(text, style="red"), Columns(["", "", ""], rows, headed=False))


def _moved(of: Rollback) -> Iterator[Group]:
    if of.moved:
        text = f"{count(len(of.moved), 'target')} moved since, left alone"
        yield block(Text(text, style="yellow"), Text(names(of.moved), style="dim"))
