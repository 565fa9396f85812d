"""The arguments and options that several commands share."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import complete
from orchestrator.cli.invocation import Output, PageOutput, ReportOutput

if TYPE_CHECKING:
    from orchestrator.actions.project import Project
    from orchestrator.actions.selection import Selection


OutputOption = Annotated[
    Output,
    typer.Option(
        "--output",
        "-o",
        help="Write text or JSON to stdout.",
    ),
]
PageOption = Annotated[
    PageOutput,
    typer.Option(
        "--output",
        "-o",
        help="Write text, JSON, or Markdown for a comment to stdout.",
    ),
]
ReportOption = Annotated[
    ReportOutput,
    typer.Option(
        "--output",
        "-o",
        help="Write text, JSON, Markdown for a comment, or what CI systems read to stdout.",
    ),
]
Reports = Annotated[
    list[str] | None,
    typer.Option(
        "--report",
        metavar="FORM=FILE",
        show_default=False,
        help="Write it to a file as well, in a form that -o has. May be repeated.",
    ),
]
Selectors = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SELECTOR",
        autocompletion=complete.selectors,
        show_default=False,
        help="Which targets: prod, prod/orders, prod/*/acme. Left out: all.",
    ),
]
RequiredSelectors = Annotated[
    list[str],
    typer.Argument(
        metavar="SELECTOR",
        autocompletion=complete.selectors,
        show_default=False,
        help="Which targets: prod, prod/orders, prod/*/acme.",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="LABEL=VALUE",
        show_default=False,
        help="Only targets with this label. May be repeated: all must hold.",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="SELECTOR",
        autocompletion=complete.selectors,
        show_default=False,
        help="Leave these targets out. May be repeated.",
    ),
]
DatabaseName = Annotated[
    str,
    typer.Argument(
        metavar="DATABASE",
        autocompletion=complete.databases,
        show_default=False,
        help="A database's name in environments.toml.",
    ),
]
Message = Annotated[str, typer.Option("--message", "-m", help="What the revision does.")]
BranchLabel = Annotated[
    str | None,
    typer.Option("--branch-label", metavar="LABEL", show_default=False, help="Name its branch."),
]
RevId = Annotated[
    str | None,
    typer.Option(
        "--rev-id", metavar="ID", show_default=False, help="Its id. Left out: a new random one."
    ),
]
XArguments = Annotated[
    list[str] | None,
    typer.Option(
        "-x",
        metavar="KEY=VALUE",
        show_default=False,
        help="For context.get_x_argument(), as alembic -x. May be repeated.",
    ),
]
Destination = Annotated[
    str | None,
    typer.Option(
        "--revision",
        show_default="heads",
        help="Where to: any Alembic revision expression.",
    ),
]
PlanFile = Annotated[
    Path | None,
    typer.Option(
        "--plan",
        metavar="FILE",
        show_default=False,
        help='Do exactly what "orchestrator plan --out FILE" wrote, or refuse.',
    ),
]
SqlFolder = Annotated[
    Path | None,
    typer.Option(
        "--sql", metavar="DIR", show_default=False, help="Write SQL files; change nothing."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Wait = Annotated[
    bool | None,
    typer.Option(
        "--wait/--no-wait",
        show_default=False,
        help="Wait for gates and windows, or exit with 6. Left out: wait on a terminal.",
    ),
]
WaitForLock = Annotated[
    str | None,
    typer.Option(
        "--wait-for-lock",
        metavar="10m",
        show_default=False,
        help="Wait so long for whoever is at work on a target. Left out: as the file says.",
    ),
]
Override = Annotated[
    str | None,
    typer.Option(
        "--override",
        metavar="REASON",
        show_default=False,
        help="Pass the gate that is closed. Recorded, with your name.",
    ),
]
Events = Annotated[
    Path | None,
    typer.Option(
        "--events",
        metavar="FILE",
        show_default=False,
        help="Append what happens, as lines of JSON.",
    ),
]
Metrics = Annotated[
    Path | None,
    typer.Option(
        "--metrics",
        metavar="FILE",
        show_default=False,
        help="Write metrics at the end, for the textfile collector of Prometheus.",
    ),
]
RunId = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        autocompletion=complete.runs,
        show_default=False,
        help="The number of a run, or last. Left out: last.",
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by", metavar="WHO", show_default=False, help="Who decides. Left out: user@host."
    ),
]


def run_id(project: "Project", text: str) -> int:
    """Return the number of the run that ``text`` names. Raises ``UsageError`` for no number."""
    from orchestrator.errors import UsageError

    if text == "last":
        newest = project.runs.list(limit=1)
        if not newest:
            raise UsageError("there is no run yet")
        return newest[0].id
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS:
        raise UsageError(f"a run is a number, or last; got '{text}'; see orchestrator runs")
    return int(text)


def run_and_targets(run: str, targets: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return run and targets where the run may have been left out: a target's name has a ``/``."""
    return ("last", (run, *targets)) if "/" in run else (run, tuple(targets))


_DIGITS = 15
"""More than any ledger counts to, and less than what a database takes for a number."""


def selection(
    selectors: list[str] | None, where: list[str] | None, exclude: list[str] | None
) -> "Selection":
    """Return what the options select. Raises ``UsageError`` for a bad ``--where``."""
    from orchestrator.actions.selection import Selection

    return Selection(tuple(selectors or ()), _labels(where or ()), tuple(exclude or ()))


def _labels(pairs: "list[str] | tuple[()]") -> dict[str, str]:
    from orchestrator.errors import UsageError

    labels: dict[str, str] = {}
    for pair in pairs:
        label, equals, value = pair.partition("=")
        if not label or not equals:
            raise UsageError(f"--where wants LABEL=VALUE, for example tier=free; got '{pair}'")
        if labels.setdefault(label, value) != value:
            raise UsageError(f"--where gives '{label}' two values; no target can have both")
    return labels
