"""Progress: what it says, and that a large fleet costs it nothing."""

import io
from collections.abc import Sequence
from contextlib import ExitStack

from rich.console import Console

from orchestrator.cli.live import LiveProgress
from orchestrator.cli.plain import PlainProgress
from orchestrator.cli.progress import Forgiving, progress
from orchestrator.cli.view import Board, clock
from orchestrator.fleet.target import Target
from orchestrator.render.console import plain
from orchestrator.rollout.outcomes import Outcome, State
from tests.render import samples


class Counting(io.StringIO):
    """A terminal that counts how often it is written to."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)

    def isatty(self) -> bool:
        return True


def fleet(number: int) -> list[Target]:
    return [samples.target(f"prod/orders/t{n:05}", shard=f"db{n % 40:02}") for n in range(number)]


def done(target: Target) -> Outcome:
    move = {"heads_before": (samples.FIRST.id,), "heads": (samples.SECOND.id,)}
    return samples.outcome(target.name, State.DONE, attempts=1, seconds=1.2, **move)


def failed(target: Target) -> Outcome:
    return samples.outcome(target.name, State.FAILED, attempts=1, failure=samples.HALF)


def live(stack: ExitStack, terminal: io.StringIO) -> LiveProgress:
    console = Console(file=terminal, force_terminal=True, width=80, height=30, markup=False)
    return LiveProgress(console, stack, clock=lambda: 0.0, auto_refresh=False)


def run(observer: LiveProgress | PlainProgress, targets: Sequence[Target]) -> None:
    for target in targets:
        observer.started(target, 1, None)
        observer.running(target, samples.SECOND.id)
        observer.finished(target, done(target))


def test_events_of_five_thousand_targets_draw_nothing_by_themselves() -> None:
    terminal = Counting()
    with ExitStack() as stack:
        observer = live(stack, terminal)
        observer.begin("upgrade", targets := fleet(5000))
        before = terminal.writes
        run(observer, targets)
        assert terminal.writes == before
        assert "5,000/5,000" in plain(observer.view(), 80)


def test_a_terminal_is_left_clean_whatever_ends_the_command() -> None:
    terminal = Counting()
    try:
        with ExitStack() as stack:
            live(stack, terminal).begin("upgrade", fleet(3))
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    text = terminal.getvalue()
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") >= 0


def test_the_view_shows_eight_servers_and_counts_the_others() -> None:
    with ExitStack() as stack:
        observer = live(stack, Counting())
        observer.begin("upgrade", targets := fleet(100))
        for target in targets[:40]:
            observer.started(target, 1, None)
        observer.running(targets[0], samples.SECOND.id)
        observer.finished(targets[1], failed(targets[1]))
        observer.retrying(targets[2], samples.DOWN, 2.0)
        lines = plain(observer.view(), 100).splitlines()
    assert "1/100" in lines[0]
    assert "1 failed" in lines[0]
    assert "1 to retry" in lines[0]
    assert lines[1].split() == [
        "mysql://db00.db.prod:3306",
        *["1", "running", "prod/orders/t00000", "→", "b81e0c5512aa"],
    ]
    assert lines[-1].strip() == "and 30 more"
    assert len(lines) == 10


def test_the_view_shows_a_line_for_each_place_of_a_cluster() -> None:
    with ExitStack() as stack:
        observer = live(stack, Counting())
        observer.begin("upgrade", targets := fleet(100))
        for number, target in enumerate(targets[:6]):
            observer.started(target, 1, ("eu", "us", None)[number % 3])
        observer.running(targets[0], samples.SECOND.id)
        observer.finished(targets[1], done(targets[1]))
        lines = plain(observer.view(), 100).splitlines()[1:]
        for target in (targets[0], targets[3]):
            observer.finished(target, done(target))
        later = plain(observer.view(), 100)
    assert [line.split() for line in lines] == [
        ["place", "eu", "2", "running", "prod/orders/t00000", "→", "b81e0c5512aa"],
        ["place", "us", "1", "running", "prod/orders/t00004"],
        ["mysql://db02.db.prod:3306", "1", "running", "prod/orders/t00002"],
        ["mysql://db05.db.prod:3306", "1", "running", "prod/orders/t00005"],
    ]
    assert "place eu" not in later


def test_failures_stay_above_the_view_but_never_flood_it() -> None:
    terminal = Counting()
    with ExitStack() as stack:
        observer = live(stack, terminal)
        observer.begin("upgrade", targets := fleet(500))
        for target in targets:
            observer.finished(target, failed(target))
    assert terminal.getvalue().count("half done") == 20
    assert terminal.getvalue().count("more failures follow") == 1


def test_rate_looks_at_the_last_seconds() -> None:
    board = Board("upgrade", fleet(1000), 0.0)
    for second in range(100):
        board.done = second * (1 if second < 50 else 5)
        board.rate(float(second))
    board.done += 5
    assert 4.5 < board.rate(100.0) < 5.5
    assert clock(43) == "0:43"
    assert clock(3725) == "1:02:05"


def test_lines_for_a_small_fleet() -> None:
    stream = io.StringIO()
    observer = PlainProgress(stream)
    observer.begin("upgrade", targets := fleet(3))
    observer.finished(targets[0], done(targets[0]))
    observer.retrying(targets[1], samples.DOWN, 2.0)
    observer.finished(targets[1], failed(targets[1]))
    observer.finished(targets[2], samples.outcome(targets[2].name, State.UNCHANGED, heads=("b8",)))
    observer.interrupted(1)
    assert stream.getvalue() == (
        "done        prod/orders/t00000  3f2a9c41d07b → b81e0c5512aa  1.2s\n"
        "retrying    prod/orders/t00001  in 2.0s: (2003) Can't connect to MySQL server on"
        " 'a.db.prod' (timed out)\n"
        "failed      prod/orders/t00001  b81e0c5512aa: (1061) Duplicate key name"
        " 'ix_items_sku'  0.0s\n"
        "unchanged   prod/orders/t00002  b8\n"
        "interrupted: nothing more starts, what runs is finished; again to stop it\n"
    )


def test_unchanged_targets_of_a_large_fleet_share_lines() -> None:
    stream = io.StringIO()
    observer = PlainProgress(stream)
    observer.begin("upgrade", targets := fleet(5000))
    for target in targets:
        observer.finished(target, samples.outcome(target.name, State.UNCHANGED))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 50
    assert lines[-1] == "unchanged   5,000 targets so far"


def test_reading_is_quiet_in_a_small_fleet_and_tells_tenths_of_a_large_one() -> None:
    for number, expected in ((50, 0), (5000, 10)):
        stream = io.StringIO()
        observer = PlainProgress(stream, clock=lambda: 0.0)
        observer.begin("status", targets := fleet(number))
        run(observer, targets)
        assert len(stream.getvalue().splitlines()) == expected


def test_lines_where_there_is_no_terminal() -> None:
    with progress(Console(file=io.StringIO())) as observer:
        assert isinstance(observer, PlainProgress)


def test_a_reader_that_leaves_does_not_end_the_run() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    observer = PlainProgress(Forgiving(Gone()))  # type: ignore[arg-type]
    observer.begin("upgrade", targets := fleet(2))
    run(observer, targets)
