"""Results as JUnit XML: a test for each target, a suite for each database."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from orchestrator.actions.drifting import DriftResult
from orchestrator.dispatch.results import Result, RunEnd
from orchestrator.fleet.target import Target
from orchestrator.render.drift import line
from orchestrator.render.findings import run_text
from orchestrator.render.groups import Pair, grouped
from orchestrator.render.states import word
from orchestrator.render.text import count, safe, sound
from orchestrator.rollout.events import RunState
from orchestrator.rollout.outcomes import SUCCEEDED, Failure, Outcome, State

_PASSED = SUCCEEDED | {State.CURRENT, State.IN_SYNC}
_FAILED = frozenset({State.DIFFERS, State.BEHIND})
"""What was looked for and is not so; everything else that is not well is an error."""
_SKIPPED = frozenset({State.BLOCKED, State.NOT_STARTED, State.SKIPPED})


@dataclass(frozen=True, slots=True)
class _Case:
    """What became of one target, or of a run, in JUnit's words."""

    suite: str
    name: str
    classname: str
    tag: str = ""
    """``failure``, ``error`` or ``skipped``; empty where it passed."""
    kind: str = ""
    message: str = ""
    text: str = ""
    seconds: float = 0.0
    output: str = ""


def result(of: Result) -> str:
    """Return what ``check`` or ``upgrade`` found or did.

    A difference, or pending revisions, are a ``failure``; what could not be looked at or done is an
    ``error``; what was not begun is ``skipped``. A run is a test of its own: it may fail at a gate.
    """
    pairs = zip(of.targets, of.outcomes, strict=True)
    run = [] if of.run is None else [_run(of.run)]
    return _document(of.verb, [*(_case(pair) for pair in pairs), *run], of.seconds)


def error(message: str) -> str:
    """Return what stands in place of an answer where a command could not give one."""
    name = "orchestrator"
    case = _Case(name, name, name, "error", "error", message.partition("\n")[0], message)
    return _document("", [case], 0.0)


def drift(of: DriftResult) -> str:
    """Return which targets differ from their siblings: each is a ``failure``.

    Interrupted, nothing was compared.
    """
    found = {target.name: _unread((target, outcome)) for target, outcome in of.unreadable}
    for siblings in of.siblings:
        for deviation in siblings.deviations:
            lines = [line(one) for one in deviation.differences]
            text = "\n".join(lines) if deviation.failure is None else deviation.failure
            message = count(len(lines), "difference") if lines else text
            for target in deviation.of.members:
                found[target.name] = _of(target, "failure", "differs", message, text)
    otherwise = ("skipped", "interrupted", "interrupted") if of.interrupted else ()
    cases = [found.get(target.name) or _of(target, *otherwise) for target in of.targets]
    return _document("drift", cases, of.seconds)


def _case(pair: Pair) -> _Case:
    target, outcome = pair
    state = outcome.state
    more = {"seconds": outcome.seconds, "output": outcome.output}
    if state in _PASSED:
        return _of(target, **more)
    tag = "failure" if state in _FAILED else "skipped" if state in _SKIPPED else "error"
    lines = list(_lines(outcome))
    message = lines[0] if lines else word(state)
    return _of(target, tag, state.value, message, "\n".join(lines), **more)


def _unread(pair: Pair) -> _Case:
    """Return an error whatever is known of a target's heads: its schema is not."""
    case = _case(pair)
    return (
        case if case.tag else _of(pair[0], "error", pair[1].state.value, "its schema is not known")
    )


def _run(run: RunEnd) -> _Case:
    name = f"run {run.id}"
    if run.state is RunState.DONE:
        return _Case("run", name, "run")
    tag = "error" if run.state in {RunState.FAILED, RunState.ABORTED} else "skipped"
    message = run.reason or run.state.value
    return _Case("run", name, "run", tag, run.state.value, message, run_text(run))


def _of(target: Target, *what: Any, **more: Any) -> _Case:
    classname = f"{target.environment}.{target.database}"
    return _Case(target.database, target.name, classname, *what, **more)


def _lines(outcome: Outcome) -> Iterator[str]:
    if outcome.differences:
        yield count(len(outcome.differences), "difference")
        yield from (difference.text for difference in outcome.differences)
    elif outcome.state in _FAILED:
        yield f"{count(len(outcome.revisions), 'revision')} pending"
        yield from (f"{revision.id} {revision.message}" for revision in outcome.revisions)
    if outcome.blocked_by is not None:
        yield f"waits for {outcome.blocked_by}"
    if outcome.failure is not None:
        yield from _told(outcome.failure)


def _told(failure: Failure) -> Iterator[str]:
    yield failure.message
    if failure.revision is not None:
        yield f"revision: {failure.revision}"
    if failure.statement is not None:
        yield f"statement: {failure.statement}"
    yield from (f"committed, and stays: {statement}" for statement in failure.executed)
    if failure.next_step is not None:
        yield f"next: {failure.next_step}"


def _document(verb: str, cases: Sequence[_Case], seconds: float) -> str:
    root = Element("testsuites", {"name": f"orchestrator {verb}".rstrip()})
    root.attrib |= _counts(cases, seconds)
    for own in grouped(cases, lambda case: (case.classname == "run", case.suite)):
        suite = SubElement(root, "testsuite", {"name": _text(own[0].suite)})
        suite.attrib |= _counts(own, sum(case.seconds for case in own))
        suite.set("skipped", str(sum(case.tag == "skipped" for case in own)))
        for case in own:
            _add(suite, case)
    indent(root)
    # ASCII is right whatever the terminal's encoding is: other characters are written as numbers.
    text = tostring(root, encoding="us-ascii", xml_declaration=False).decode("ascii")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _counts(cases: Sequence[_Case], seconds: float) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(case.tag == "failure" for case in cases)),
        "errors": str(sum(case.tag == "error" for case in cases)),
        "time": f"{seconds:.3f}",
    }


def _add(suite: Element, case: _Case) -> None:
    test = SubElement(
        suite,
        "testcase",
        name=_text(case.name),
        classname=_text(case.classname),
        time=f"{case.seconds:.3f}",
    )
    if case.tag == "skipped":
        SubElement(test, "skipped", message=_text(case.message))
    elif case.tag:
        wrong = SubElement(test, case.tag, type=case.kind, message=_text(case.message))
        wrong.text = _text(case.text)
    if case.output:
        SubElement(test, "system-out").text = _text(case.output)


def _text(text: str) -> str:
    """Return text that XML can hold."""
    return sound(safe(text))
