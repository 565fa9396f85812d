"""The text of ``init``."""

import shlex
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.render.text import safe

if TYPE_CHECKING:
    from orchestrator.actions.adopt.adoption import Adoption
    from orchestrator.actions.adopt.notes import Note
    from orchestrator.actions.init import InitResult

_WIDTH = 80
_COLUMN = 30


def report(made: "InitResult", folder: Path) -> Text:
    """Return what was written, kept, found and left out, and what to do next."""
    text = Text()
    for path in made.written:
        text.append("wrote  ", style="green").append(f"{safe(str(path))}\n")
    for path in made.kept:
        text.append("kept   ", style="yellow").append(f"{safe(str(path))}\n")
    if made.adoption:
        _section(text, "Found", made.adoption.found)
        _section(text, "Left out", made.adoption.left_out)
    text.append("\nNext:\n", style="bold")
    steps = [] if folder == Path() else [f"cd {shlex.quote(str(folder))}"]
    steps += _after_adoption(made.adoption) if made.adoption else _AFTER
    return text.append("\n".join(f"  {safe(step)}" for step in steps))


_AFTER = ["orchestrator targets   # what there is", "orchestrator upgrade   # migrate it"]


def _after_adoption(adoption: "Adoption") -> Iterator[str]:
    for export in adoption.exports:
        yield f"export {export.variable}=…   # {export.source}"
    yield "orchestrator status dev"


def _section(text: Text, title: str, notes: "Sequence[Note]") -> None:
    if not notes:
        return
    text.append(f"\n{title}:\n", style="bold")
    column = min(max(len(note.what) for note in notes), _COLUMN)
    for note in notes:
        text.append("".join(f"  {line}\n" for line in _lines(note, column)))


def _lines(note: "Note", column: int) -> Iterator[str]:
    """Yield a note in two columns. A value of one word, such as a URL, is never broken."""
    what = safe(note.what)
    lines = textwrap.wrap(
        safe(note.text), _WIDTH - column - 4, break_long_words=False, break_on_hyphens=False
    )
    if len(what) > column:
        yield what
        what = ""
    for line in lines or [""]:
        yield f"{what:<{column}}  {line}".rstrip()
        what = ""
