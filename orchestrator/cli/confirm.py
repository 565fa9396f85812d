"""Asking before something is changed."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from orchestrator.fleet.target import Target


def confirm(
    question: str, targets: "Sequence[Target]", protected: Sequence[str] | None = None
) -> None:
    """Say what is about to happen and ask. Returns where the answer is yes.

    Raises ``Refused`` for any other answer, and without asking where nobody is there to answer.
    """
    from orchestrator.render.plan import about_to

    assert_wanted(about_to(question, targets, protected or ()))


def assert_wanted(what: "RenderableType") -> None:
    """Show what is about to happen, and ask. Raises as ``confirm`` does."""
    from orchestrator.cli.show import note
    from orchestrator.errors import Refused

    note(what)
    if not sys.stdin.isatty():
        raise Refused("not confirmed: there is no terminal to ask on; pass --yes to go ahead")
    if not _answer():
        raise Refused("not confirmed: nothing was changed")


def _answer() -> bool:
    sys.stderr.write("Go ahead? [y/N] ")
    sys.stderr.flush()
    line = ""
    try:
        line = sys.stdin.readline()
    finally:
        if not line.endswith("\n"):  # Ctrl-C and Ctrl-D leave the cursor behind the question
            sys.stderr.write("\n")
            sys.stderr.flush()
    return line.strip().lower() in {"y", "yes"}
