"""The text of ``history``."""

from collections.abc import Iterator
from itertools import pairwise

from rich.console import Group
from rich.text import Text

from orchestrator.actions.histories import History
from orchestrator.render.groups import block, spaced
from orchestrator.render.states import style, word
from orchestrator.render.table import Columns
from orchestrator.render.text import count, safe
from orchestrator.rollout.outcomes import Outcome, Revision

_SHOWN = 20


def report(history: History) -> Group:
    """Return the revisions, newest first, and how many targets stand at each."""
    rows = [
        [
            Text(safe(r.id), style="bold" if r.is_head else ""),
            *_standing(history, r.id),
            _message(r, below),
        ]
        for r, below in pairwise((*history.revisions, None))
        if r is not None
    ]
    rows.append([Text("empty", style="dim"), *_standing(history, ""), Text()])
    header = ["revision", *map(safe, history.environments), "message"]
    return spaced(Columns(header, rows), *_unreadable(history))


def _standing(history: History, revision: str) -> list[Text]:
    counts = history.standing.get(revision, {})
    return [
        Text(f"{counts[name]:,}") if counts.get(name) else Text("-", style="dim")
        for name in history.environments
    ]


def _message(revision: Revision, below: Revision | None) -> Text:
    """What it does, and where it is in the history, as far as the row below does not tell."""
    notes = [*(["head"] if revision.is_head else []), *revision.branch_labels]
    if len(revision.down) > 1:
        notes.append(f"merges {', '.join(revision.down)}")
    elif below is not None and revision.down != (below.id,):
        notes.append(f"after {revision.down[0]}" if revision.down else "base")
    if revision.depends_on:
        notes.append(f"needs {', '.join(revision.depends_on)}")
    told = f" ({safe(', '.join(notes))})" if notes else ""
    return Text.assemble(safe(revision.message), (told, "green"))


def _unreadable(history: History) -> Iterator[Group]:
    lines = [_line(outcome) for outcome in history.unreadable[:_SHOWN]]
    if (hidden := len(history.unreadable) - _SHOWN) > 0:
        lines.append(Text(f"and {hidden:,} more (-o json lists all)"))
    if lines:
        title = f"Not counted: {count(len(history.unreadable), 'target')}"
        yield block(Text(title, style="bold"), *lines)


def _line(outcome: Outcome) -> Text:
    cause = outcome.failure.message if outcome.failure else ", ".join(outcome.heads)
    return Text.assemble(
        f"{safe(outcome.target)}  ",
        (word(outcome.state), style(outcome.state)),
        f"  {safe(cause)}",
    )
