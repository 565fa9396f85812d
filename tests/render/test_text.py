"""What commands print, compared as a whole with the files in ``expected/``."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import RenderableType

from orchestrator.actions.authoring import NewRevision
from orchestrator.actions.sqlfiles import SqlFiles
from orchestrator.render import (
    check,
    drift,
    history,
    plan,
    revision,
    rollback,
    run_report,
    runs,
    sql,
    status,
    targets,
    upgrade,
)
from orchestrator.render.console import plain
from orchestrator.render.text import safe
from orchestrator.rollout.events import RunState, WaveState
from orchestrator.rollout.outcomes import Failure, State
from tests.render import run_samples, samples

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
    "plan": lambda: plan.report(run_samples.planned()),
    "plan_nothing": lambda: plan.report(run_samples.nothing_planned()),
    "plan_sealed": lambda: plan.report(run_samples.nothing_planned(), Path("[red].json")),
    "about_to_upgrade": lambda: plan.about_to_upgrade(run_samples.plan(), ["prod"]),
    "runs": lambda: runs.table(run_samples.runs()),
    "runs_none": lambda: runs.table([]),
    "show": lambda: run_report.report(run_samples.run_report()),
    "about_to_abort": lambda: run_report.about_to_abort(run_samples.run()),
    "rollback": lambda: rollback.report(run_samples.rollback()),
    "about_to": lambda: plan.about_to("Upgrade to heads", samples.upgrade().targets, ["prod"]),
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


def test_four_hundred_failures_of_one_cause_are_one_block() -> None:
    failed = [
        replace(
            samples.outcome(
                f"prod/orders/tenant{n}",
                State.FAILED,
                failure=Failure(
                    f'table "tenant{n}.items" does not exist\nLINE {n}: …',
                    "fix revision b2, then run it again",
                    revision="b2",
                    statement=f"ALTER TABLE tenant{n}.items ADD COLUMN n INTEGER",
                    traceback=f"frame {n}",
                ),
            ),
            output=f"2026-01-01 00:00:{n} started",
        )
        for n in range(400)
    ]

    text = plain(upgrade.report(samples.result("upgrade", failed), "heads"))

    assert text.count("failed: ") == 1
    assert "failed: 400 targets" in text
    assert text.count("started") == 1
    assert len(text.splitlines()) < 30


def test_a_long_statement_is_cut_visibly() -> None:
    failure = replace(samples.HALF, statement="\n".join(f"line {n}" for n in range(40)))
    failed = samples.outcome("prod/orders/acme", State.FAILED, failure=failure)
    text = plain(upgrade.report(samples.result("upgrade", [failed]), "heads"))
    assert "line 11" in text
    assert "line 12" not in text
    assert "… 28 more lines" in text


SOON = run_samples.START
ENDS: dict[str, tuple[RunState, str, int | None]] = {
    "run 12: aborted": (RunState.ABORTED, "", None),
    "run 12: paused, interrupted; go on with: orchestrator resume 12": (
        RunState.PAUSED,
        "interrupted",
        None,
    ),
    "run 12: waiting, prod/[red] soaks; go on with: orchestrator resume 12": (
        RunState.WAITING,
        "prod/[red] soaks",
        SOON,
    ),
    "run 12: waiting, prod waits for approval; "
    "go on with: orchestrator approve 12 && orchestrator resume 12": (
        RunState.WAITING,
        "prod waits for approval",
        None,
    ),
}


@pytest.mark.parametrize("line", ENDS)
def test_the_last_line_tells_how_to_go_on_with_a_run(line: str) -> None:
    result = run_samples.ended(*ENDS[line])
    assert plain(upgrade.report(result, "heads")).splitlines()[-1] == line
    idle = replace(samples.nothing_to_do(), run=result.run)
    assert plain(upgrade.report(idle, "heads")).splitlines()[-1] == line


def test_a_run_that_is_done_tells_how_to_try_again_what_failed() -> None:
    result = run_samples.ended(RunState.DONE)
    failed = sum(outcome.state in {State.FAILED, State.LOCKED} for outcome in result.outcomes)
    assert failed > 1
    assert plain(upgrade.report(result, "heads")).splitlines()[-1] == (
        f"run 12: done, but for {failed} targets; try again: orchestrator retry 12"
    )
    idle = replace(samples.nothing_to_do(), run=result.run)
    assert plain(upgrade.report(idle, "heads")).splitlines()[-1] == "run 12: done"


def test_a_run_that_failed_tells_how_to_mend_it() -> None:
    result = run_samples.ended(RunState.FAILED, "3 targets of prod/canary failed; none may")
    assert plain(upgrade.report(result, "heads"), 80).splitlines()[-4:] == [
        "run 12: failed, 3 targets of prod/canary failed; none may",
        "    try again:         orchestrator retry 12",
        "    go without:        orchestrator skip 12 TARGET --reason …",
        "    a fixed revision:  orchestrator upgrade, as a new run",
    ]


def test_tenants_that_came_and_went_are_listed() -> None:
    new = tuple(f"prod/orders/n{n}" for n in range(1000))
    result = run_samples.ended(RunState.DONE, appeared=new, vanished=("prod/orders/[red]",))
    *_, appeared, vanished, _ = plain(upgrade.report(result, "heads")).splitlines()
    assert appeared.startswith("1,000 targets appeared since the plan was sealed, left alone: ")
    assert appeared.endswith("prod/orders/n19 and 980 more (-o json lists all)")
    assert vanished == "1 target vanished since the plan was sealed: prod/orders/[red]"


@pytest.mark.parametrize(("age", "held"), [(1_000, True), (15_001, False)])
def test_a_run_is_held_by_whoever_gave_a_sign_of_life(age: int, held: bool) -> None:
    of = run_samples.run_report()
    alive = replace(of.run, holder="kim@build", heartbeat_at=of.now - age)
    last = plain(run_report.report(replace(of, run=alive))).splitlines()[-1]
    assert ("held by kim@build" in last) == held
    assert ("orchestrator resume 12" in last) != held


def test_a_plan_of_many_ways_and_revisions_fits_a_screen() -> None:
    text = plain(plan.report(run_samples.large_plan()), 80)
    assert len(text.splitlines()) < 100
    assert "and 950 more targets (-o json lists all)" in text
    assert "and 969 more (-o json lists all)" in text
    assert "0777  many  irreversible" in text
    assert "1,000 to upgrade, about 1m 30s" in text


def test_a_question_about_many_irreversible_revisions_fits_a_screen() -> None:
    of = run_samples.large_plan().plan.revisions["orders"]
    many = {"orders": {id_: replace(one, reversible=False) for id_, one in of.items()}}
    text = plain(plan.about_to_upgrade(run_samples.plan(revisions=many), []))
    assert len(text.splitlines()) < 30
    assert "and 980 more that can't be reversed" in text


def test_what_a_living_holder_does_is_under_way() -> None:
    of = run_samples.run_report()
    dead = replace(of.run, holder="kim@build (process 7)", heartbeat_at=of.now - 16_000)
    assert "of which nobody has seen the end" in plain(run_report.report(replace(of, run=dead)))
    alive = replace(dead, heartbeat_at=of.now - 1_000)
    text = plain(run_report.report(replace(of, run=alive)))
    assert "1 attempt under way" in text
    assert "nobody has seen" not in text


def test_a_wave_takes_no_longer_than_its_run() -> None:
    of = run_samples.run_report()
    begun = replace(of.waves[0], state=WaveState.RUNNING, ended_at=None)
    ended = replace(of.run, state=RunState.ABORTED, ended_at=(begun.started_at or 0) + 5_000)
    text = plain(run_report.report(replace(of, run=ended, waves=[begun])))
    assert re.search(r"^dev .* 5\.0s$", text, re.MULTILINE)


def test_a_story_of_a_thousand_troubles_fits_a_few_screens() -> None:
    of = run_samples.run_report()
    many = [
        run_samples.Trouble(
            run_samples.record(f"t{n}", state),
            run_samples.attempt(f"t{n}", state, failure=Failure(f"cause {n}")),
        )
        for n in range(1000)
        for state in (State.FAILED, State.SKIPPED)
    ]
    opened = [run_samples.attempt(f"t{n}", None) for n in range(1000)]
    text = plain(run_report.report(replace(of, troubles=many, open=opened)), 80)
    assert text.count("failed: prod/") == 50
    assert "and 950 more failed targets" in text
    assert text.count("and 980 more (-o json lists all)") == 2
    assert len(text.splitlines()) < 300


def test_a_rollback_names_only_what_it_would_revert() -> None:
    of = run_samples.rollback()
    assert "can't be reversed" in plain(rollback.about_to(of))
    first = tuple(replace(t, revisions=(samples.FIRST.id,)) for t in of.plan.targets)
    text = plain(rollback.about_to(replace(of, plan=replace(of.plan, targets=first))))
    assert "can't be reversed" not in text


def test_counts_of_one_revision_on_two_dialects_say_which() -> None:
    result = samples.status_with_classes()
    first, *others = result.outcomes
    elsewhere = replace(first, server_version="PostgreSQL 15.4")
    text = plain(status.report(replace(result, outcomes=(elsewhere, *others))))

    line = next(line for line in text.splitlines() if "PostgreSQL" in line)
    assert " on PostgreSQL" in line
    assert " on MariaDB" in line


def test_what_would_show_another_text_than_is_there_is_made_visible() -> None:
    assert safe("a\x1b[2Jb\x9b\r\nc\td") == "a\\x1b[2Jb\\x9b\nc\td"
    assert safe("kim\u202edenied\u202c \u2066x\u2069\u2028y") == (
        "kim\\u202edenied\\u202c \\u2066x\\u2069\\u2028y"
    )
    assert safe("שלום\u200f é 日本") == "שלום\u200f é 日本"
