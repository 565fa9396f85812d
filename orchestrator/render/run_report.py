"""The text of ``show``: what happened in a run."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from orchestrator.ledger.records import AttemptRecord, RunRecord
from orchestrator.render.failure import details
from orchestrator.render.groups import block, grouped, spaced
from orchestrator.render.run_end import coloured, standing
from orchestrator.render.runs import counts
from orchestrator.render.states import style, word
from orchestrator.render.table import Columns
from orchestrator.render.text import NAMES_SHOWN, count, elapsed, names, safe, shortened
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.rollout.times import moment
from orchestrator.runs.report import RunReport, Trouble

_BLOCKS = 50
_STATEMENT = 60


def report(of: RunReport, *, debug: bool = False) -> Group:
    """Return what happened in a run, and last how to go on with it."""
    return spaced(
        _head(of.run, of.replayed),
        *_waves(of),
        *_decisions(of),
        *_made(of),
        *_slowest(of),
        *_open(of),
        *_troubles(of, debug=debug),
        _standing(of),
    )


def _standing(of: RunReport) -> RenderableType:
    run = of.run
    return standing(run.id, run.state, run.reason or "", of.driver)


def about_to_abort(run: RunRecord) -> Group:
    """Return what is about to be aborted."""
    title = Text.assemble((f"Abort run {run.id}", "bold"), ", which is ", coloured(run.state))
    return Group(title, Text.assemble("  ", counts(run.tally)))


def _head(run: RunRecord, replayed: int) -> Group:
    what = f"{run.verb} to {run.revision}"
    if run.parent is not None:
        what = f"rollback of run {run.parent}"
    title = Text.assemble((f"run {run.id}", "bold"), f": {safe(what)}, ", coloured(run.state))
    rows = [["by", run.by], ["began", moment(run.started_at or run.created_at)]]
    if run.ended_at is not None:
        took = elapsed((run.ended_at - (run.started_at or run.created_at)) / 1000)
        rows.append(["ended", f"{moment(run.ended_at)}, after {took}"])
    if run.stopped_by:
        rows.append(["stopped", f"by {run.stopped_by}"])
    if replayed:
        rows.append(["replayed", count(replayed, "revision")])
    table = [[Text(name, style="dim"), Text(safe(text))] for name, text in rows]
    table.append([Text("targets", style="dim"), counts(run.tally)])
    return Group(title, Columns(["", ""], table, headed=False))


def _waves(of: RunReport) -> Iterator[Columns]:
    rows = []
    ended_at = of.run.ended_at or of.now
    for wave in of.waves:
        took = "-"
        if wave.started_at is not None:
            took = elapsed(((wave.ended_at or ended_at) - wave.started_at) / 1000)
        failed = Text(f"{wave.failed:,} of {wave.budget:,}", style="red" if wave.failed else "dim")
        rows.append(
            [
                Text(safe(wave.name)),
                Text(wave.state.value),
                Text(f"{wave.total:,}"),
                failed,
                Text(took),
            ]
        )
    if rows:
        yield Columns(["wave", "state", "targets", "failed", "took"], rows)


def _decisions(of: RunReport) -> Iterator[Group]:
    waves = {wave.position: wave.name for wave in of.waves}
    rows: list[tuple[int, str, str]] = []
    for gate in (one for one in of.gates if one.state != "overridden"):
        detail = f" ({gate.detail})" if gate.detail else ""
        tries = f", tried {gate.tries} times" if gate.tries > 1 else ""
        where = waves.get(gate.wave, "")
        rows.append((gate.at, "gate", f"{where}: {gate.kind} {gate.state}{tries}{detail}"))
    for one in of.approvals:
        note = f": {one.note}" if one.note else ""
        rows.append((one.at, "approved", f"{waves.get(one.wave, '')}, by {one.by}{note}"))
    for over in of.overrides:
        where = waves.get(over.wave, "")
        rows.append((over.at, "overridden", f"{where}: {over.kind}, by {over.by}: {over.reason}"))
    if rows:
        table = [
            [Text(moment(at), style="dim"), Text(what), Text(safe(text))]
            for at, what, text in sorted(rows)
        ]
        yield Group(Columns(["", "", ""], table, headed=False))


def _slowest(of: RunReport) -> Iterator[Group]:
    rows = [
        [Text(elapsed((one.milliseconds or 0) / 1000)), Text(safe(one.target))]
        for one in of.slowest
        if one.milliseconds is not None
    ]
    if rows:
        yield block(Text("slowest", style="dim"), Columns(["", ""], rows, headed=False))


def _open(of: RunReport) -> Iterator[Group]:
    if not of.open:
        return
    rows = [
        [Text(safe(one.target)), Text(f"since {moment(one.started_at)}"), Text(_changing(one))]
        for one in of.open[:NAMES_SHOWN]
    ]
    if hidden := len(of.open) - len(rows):
        rows.append([Text(f"and {hidden:,} more (-o json lists all)"), Text(), Text()])
    attempts = count(len(of.open), "attempt")
    title = Text(f"{attempts} of which nobody has seen the end", style="yellow")
    if of.driver is not None:
        title = Text(f"{attempts} under way", style="dim")
    yield block(title, Columns(["", "", ""], rows, headed=False))


def _made(of: RunReport) -> Iterator[Group]:
    """Yield which databases and schemas were created, dropped or kept."""
    for what in ("created", "dropped", "kept", "differs"):
        made = [one for one in of.remarks if one.what == what]
        if not made:
            continue
        rows = [[Text(safe(one.target)), Text(safe(one.reason))] for one in made[:NAMES_SHOWN]]
        if hidden := len(made) - len(rows):
            rows.append([Text(f"and {hidden:,} more (-o json lists all)"), Text()])
        title = Text.assemble((what, "bold"), f": {count(len(made), 'target')}")
        yield block(title, Columns(["", ""], rows, headed=False))


def _troubles(of: RunReport, *, debug: bool) -> Iterator[Group]:
    reasons = {one.target: one for one in of.remarks if one.what == "skipped"}
    skipped = [one.target.name for one in of.troubles if one.target.state is State.SKIPPED]
    if skipped:
        rows = [
            [Text(safe(name)), Text(safe(f"by {reasons[name].by}: {reasons[name].reason}"))]
            if name in reasons
            else [Text(safe(name)), Text()]
            for name in skipped[:NAMES_SHOWN]
        ]
        if hidden := len(skipped) - len(rows):
            rows.append([Text(f"and {hidden:,} more (-o json lists all)"), Text()])
        title = Text.assemble(
            ("skipped", style(State.SKIPPED)), f": {count(len(skipped), 'target')}"
        )
        yield block(title, Columns(["", ""], rows, headed=False))
    others = [one for one in of.troubles if one.target.state is not State.SKIPPED]
    groups = grouped(others, _sameness)
    for group in groups[:_BLOCKS]:
        yield _trouble(group, debug=debug)
    if hidden := sum(map(len, groups[_BLOCKS:])):
        text = f"and {count(hidden, 'more failed target')} (-o json lists all)"
        yield Group(Text(text, style="red"))


def _sameness(one: Trouble) -> object:
    attempt = one.attempt
    if attempt is None:
        return one.target.state, None, ()
    return one.target.state, attempt.failure, attempt.committing


def _trouble(group: Sequence[Trouble], *, debug: bool) -> Group:
    first = group[0]
    state = first.target.state or State.FAILED
    who = first.target.name if len(group) == 1 else count(len(group), "target")
    title = Text.assemble((word(state), style(state)), ": ", (safe(who), "bold"))
    body: list[RenderableType] = []
    if len(group) > 1:
        body.append(Text(names(one.target.name for one in group), style="dim"))
    if first.attempt is not None:
        if state is State.IN_DOUBT and first.attempt.committing:
            body.append(Text(_changing(first.attempt)))
        failure = first.attempt.failure
        body.append(details(Outcome(first.target.name, state, failure=failure), debug=debug))
    return block(title, *body)


def _changing(attempt: AttemptRecord) -> str:
    if not attempt.committing:
        return ""
    last = attempt.committing[-1]
    if attempt.failure is not None and attempt.failure.revision not in {None, last.revision}:
        return ""
    first = shortened(last.statement, lines=1, width=_STATEMENT).partition("\n")[0]
    return safe(f"in revision {last.revision}") + (f": {first}" if first else "")
