"""The text of ``init``."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.render.words import safe

if TYPE_CHECKING:
    from orchestrator.actions.init import InitResult


def report(made: "InitResult", folder: Path) -> Text:
    """Return what was written, what was kept, and what to do next."""
    text = Text()
    for path in made.written:
        text.append("wrote  ", style="green").append(f"{safe(str(path))}\n")
    for path in made.kept:
        text.append("kept   ", style="yellow").append(f"{safe(str(path))}\n")
    text.append("\nNext:\n", style="bold")
    steps = [] if folder == Path() else [f"cd {folder}"]
    steps += ["orchestrator targets   # what there is", "orchestrator upgrade   # migrate it"]
    return text.append("\n".join(f"  {safe(step)}" for step in steps))
