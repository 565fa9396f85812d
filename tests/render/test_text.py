"""What commands print, compared as a whole with the files in ``expected/``."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import RenderableType

from orchestrator.actions.results import NewRevision, SqlFiles
from orchestrator.render import check, drift, history, plan, revision, sql, status, targets, upgrade
from orchestrator.render.console import plain
from orchestrator.rollout.outcomes import Failure, State
from tests.render import samples

EXPECTED = Path(__file__).parent / "expected"
WRITTEN = NewRevision("orders", "m/b81e.py", "b81e", empty=False)
CASES: dict[str, Callable[[], RenderableType]] = {
    "status": lambda: status.report(samples.status()),
    "status_large": lambda: status.report(samples.large_status()),
    "status_classes": lambda: status.report(samples.status_with_classes()),
    "drift": lambda: drift.report(samples.drift()),
    "drift_none": lambda: drift.report(samples.no_drift()),
    "check": lambda: check.report(samples.check()),
    "upgrade": lambda: upgrade.report(samples.upgrade(), "heads"),
    "upgrade_dry_run": lambda: upgrade.report(samples.dry_run(), "heads"),
    "upgrade_nothing": lambda: upgrade.report(samples.nothing_to_do(), "heads"),
    "targets": lambda: targets.table(samples.fleet()),
    "history": lambda: history.report(samples.history()),
    "history_branches": lambda: history.report(samples.branched_history()),
    "plan": lambda: plan.about_to("Upgrade to heads", samples.upgrade().targets, ["prod"]),
    "revision": lambda: revision.report(WRITTEN),
    "revision_nothing": lambda: revision.report(NewRevision("orders", None, "b81e", empty=False)),
    "merge": lambda: revision.merged(
        replace(WRITTEN, revisions=samples.branched_history().revisions[2:3])
    ),
    "revision_warning": lambda: revision.report(
        replace(WRITTEN, warnings=("post_write_hooks: ruff check … ended with 1\nfound [red]1",))
    ),
    "sql": lambda: sql.report(
        SqlFiles(samples.dry_run(), {"dev/orders/acme": "out/dev/orders/acme.sql"}), Path("out")
    ),
}


def write() -> None:
    """Write what is printed now, to be read before it is committed."""
    EXPECTED.mkdir(exist_ok=True)
    for name, made in CASES.items():
        (EXPECTED / f"{name}.txt").write_text(plain(made(), 80))


@pytest.mark.parametrize("name", CASES)
def test_report(name: str) -> None:
    assert plain(CASES[name](), 80) == (EXPECTED / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", CASES)
def test_a_pipe_gets_no_line_cut_or_wrapped(name: str) -> None:
    text = plain(CASES[name]())
    for line in plain(CASES[name](), 80).splitlines():
        assert not line.endswith("…")
    assert "hunter2" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_a_pipe_keeps_every_name_whole() -> None:
    long = "prod/orders/" + "x" * 300
    text = plain(status.report(samples.result("status", [samples.outcome(long, State.EMPTY)])))
    assert long in text


def test_what_data_says_is_no_markup_and_drives_no_terminal() -> None:
    failure = Failure("[bold]no[/bold] :smile: \x1b[31m\x07", statement="SELECT '[red]'")
    failed = samples.outcome("prod/orders/[red]fir", State.FAILED, failure=failure)
    text = plain(upgrade.report(samples.result("upgrade", [failed]), "heads"))
    assert "[bold]no[/bold] :smile: \\x1b[31m\\x07" in text
    assert "SELECT '[red]'" in text
    assert "prod/orders/[red]fir" in text


def test_a_traceback_is_shown_for_debugging_only() -> None:
    failure = Failure("broken", traceback="Traceback (most recent call last): ...")
    result = samples.result(
        "upgrade", [samples.outcome("prod/orders/acme", State.FAILED, failure=failure)]
    )
    assert "Traceback" not in plain(upgrade.report(result, "heads"))
    assert "Traceback" in plain(upgrade.report(result, "heads", debug=True))


def test_a_thousand_different_failures_are_not_all_told() -> None:
    failed = [
        samples.outcome(f"prod/orders/t{n}", State.FAILED, failure=Failure(f"cause {n}"))
        for n in range(1000)
    ]
    text = plain(upgrade.report(samples.result("upgrade", failed), "heads"))
    assert text.count("failed: prod/") == 50
    assert "and 950 more failed targets (-o json lists all)" in text


def test_a_long_statement_is_cut_visibly() -> None:
    failure = replace(samples.HALF, statement="\n".join(f"line {n}" for n in range(40)))
    failed = samples.outcome("prod/orders/acme", State.FAILED, failure=failure)
    text = plain(upgrade.report(samples.result("upgrade", [failed]), "heads"))
    assert "line 11" in text
    assert "line 12" not in text
    assert "… 28 more lines" in text
