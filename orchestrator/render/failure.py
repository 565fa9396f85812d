"""Targets that failed, each told in one block."""

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.fleet.target import Target
from orchestrator.render.groups import Pair, block, grouped, target_names
from orchestrator.render.states import style, word
from orchestrator.render.text import count, safe, shortened
from orchestrator.rollout.outcomes import Failure, Outcome, State

FAILED = (
    State.LOCKED,
    State.IN_DOUBT,
    State.FAILED,
    State.UNREACHABLE,
    State.UNKNOWN_REVISION,
    State.INCONSISTENT,
)
_BLOCKS = 50
_STATEMENTS = 20


def failures(pairs: Sequence[Pair], *, debug: bool = False) -> Iterator[Group]:
    """Yield a block for each target that failed; targets that failed alike share one."""
    failed = [pair for pair in pairs if pair[1].state in FAILED]
    groups = grouped(failed, alike)
    for group in groups[:_BLOCKS]:
        target, outcome = group[0]
        if len(group) > 1 and outcome.failure is not None:
            outcome = replace(outcome, failure=_for_any(target, outcome.failure))
        body = [] if len(group) == 1 else [target_names(group)]
        yield block(_title(group), *body, details(outcome, debug=debug, shared=len(group) > 1))
    if hidden := sum(map(len, groups[_BLOCKS:])):
        text = f"and {count(hidden, 'more failed target')} (-o json lists all)"
        yield Group(Text(text, style="red"))


def alike(pair: Pair) -> Hashable:
    """Return what is equal for targets that failed in the same way."""
    target, outcome = pair
    failure = outcome.failure
    if failure is not None and failure.exhausted and not failure.half_applied:
        # The server is the cause; which statement met it is chance.
        return outcome.state, target.server, failure.next_step
    if failure is not None:
        failure = _impersonal(target, _for_any(target, failure))
        return outcome.state, failure
    return outcome.state, outcome.output


def message_for_any(target: Target, failure: Failure) -> str:
    """Return a failure's message as it is for all targets that failed alike."""
    return _impersonal(target, failure).message


def _impersonal(target: Target, failure: Failure) -> Failure:
    """Return a failure without the names of the one database or schema that it is about.

    Servers put them into messages, which would make each of a fleet's failures one of its own.
    """
    address = target.address
    own = {str(address.database), str(address.schema), str(address.username), target.tenant or ""}
    words = sorted((re.escape(word) for word in own if len(word) > 1), key=len, reverse=True)
    words = words or [r"(?!)"]
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)")
    return replace(
        failure,
        message=pattern.sub("…", _cause(failure)),
        statement=failure.statement and pattern.sub("…", failure.statement),
        executed=tuple(pattern.sub("…", statement) for statement in failure.executed),
        traceback=None,
    )


def _cause(failure: Failure) -> str:
    """What follows the first line of a server's message is of the data that it met."""
    return failure.message.partition("\n")[0] if failure.statement else failure.message


def _for_any(target: Target, failure: Failure) -> Failure:
    """Say in its next step what is to be done with each target that failed alike."""
    step = failure.next_step
    return replace(failure, next_step=step and step.replace(target.name, "TARGET"))


def _title(group: Sequence[Pair]) -> Text:
    target, outcome = group[0]
    who = target.name if len(group) == 1 else count(len(group), "target")
    return Text.assemble((word(outcome.state), style(outcome.state)), ": ", (safe(who), "bold"))


def details(outcome: Outcome, *, debug: bool = False, shared: bool = False) -> RenderableType:
    """Return revision, statement, cause, what is half applied and the next step, as they apply.

    ``shared``: with others that failed alike; the output is told to be this one's.
    """
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for name, text in _rows(outcome, outcome.failure, debug=debug, shared=shared):
        grid.add_row(Text(name), Text(text))
    return grid


def _rows(
    outcome: Outcome, failure: Failure | None, *, debug: bool, shared: bool
) -> Iterator[tuple[str, str]]:
    if failure is None:
        return
    if failure.revision:
        yield "revision", safe(failure.revision)
    if failure.statement:
        yield "statement", shortened(failure.statement)
    yield "error", shortened(failure.message)
    if failure.half_applied:
        yield "half done", _half_applied(failure)
    if outcome.output.strip():
        whose = f"of {safe(outcome.target)}:\n" if shared else ""
        yield "output", whose + shortened(outcome.output)
    if failure.next_step:
        yield "next", safe(failure.next_step)
    if debug and failure.traceback:
        yield "traceback", safe(failure.traceback).rstrip()


def _half_applied(failure: Failure) -> str:
    revision = f"revision {safe(failure.revision)}" if failure.revision else "the revision"
    ran = [f"  {shortened(statement, lines=4)}" for statement in failure.executed[:_STATEMENTS]]
    if (hidden := len(failure.executed) - _STATEMENTS) > 0:
        ran.append(f"  and {hidden:,} more (-o json lists all)")
    if not ran:
        return f"{revision} may be applied in part: what it committed can't be rolled back"
    return "\n".join(
        [
            f"These statements of {revision}",
            "were committed and stay:",
            *(statement.replace("\n", "\n  ") for statement in ran),
        ]
    )
