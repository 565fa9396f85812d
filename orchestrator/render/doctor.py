"""The text of ``doctor``."""

from collections.abc import Sequence
from itertools import groupby

from rich.console import Group
from rich.table import Table
from rich.text import Text

from orchestrator.actions.doctor.checks import Check, Diagnosis, Verdict
from orchestrator.render.groups import block, spaced
from orchestrator.render.text import count, elapsed, safe

_COLUMN = 11
_MARKS = {Verdict.OK: ("✓", "green"), Verdict.NOTE: ("•", "yellow"), Verdict.FAULT: ("✗", "red")}


def report(result: Diagnosis) -> Group:
    """Return a line for each check, under what it is about; what to do below it."""
    blocks = [
        block(Text(safe(about), style="bold"), _table(list(of)))
        for about, of in groupby(_ordered(result), key=lambda check: check.about)
    ]
    return spaced(*blocks, _total(result))


def _table(checks: Sequence[Check]) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, min_width=_COLUMN)
    grid.add_column(overflow="fold")
    for check in checks:
        mark, style = _MARKS[check.verdict]
        grid.add_row(Text(mark, style=style), Text(check.what), Text(safe(check.text)))
        if check.next_step and check.verdict is not Verdict.OK:
            step = " ".join(safe(check.next_step).split())
            grid.add_row("", "", Text.assemble(("next: ", "bold"), step))
    return grid


def _ordered(result: Diagnosis) -> list[Check]:
    """Return all that is about one thing together, in order of appearance."""
    order = list(dict.fromkeys(check.about for check in result.checks))
    return sorted(result.checks, key=lambda check: order.index(check.about))


def _total(result: Diagnosis) -> Text:
    faults = sum(check.verdict is Verdict.FAULT for check in result.checks)
    tail = f" ({elapsed(result.seconds)}{', interrupted' if result.interrupted else ''})"
    said = (count(faults, "fault"), "red") if faults else ("no fault", "green")
    return Text.assemble(f"{count(len(result.checks), 'check')}: ", said, (tail, "dim"))
