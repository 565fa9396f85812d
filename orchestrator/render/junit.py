"""Results as JUnit XML: a test for each target, a suite for each database."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from orchestrator.actions.drifting import DriftResult
from orchestrator.dispatch.results import Result
from orchestrator.fleet.target import Target
from orchestrator.render.drift import line
from orchestrator.render.groups import Pair
from orchestrator.render.states import word
from orchestrator.render.text import count, safe
from orchestrator.rollout.outcomes import SUCCEEDED, Failure, Outcome, State

_PASSED = SUCCEEDED | {State.CURRENT, State.IN_SYNC}
_FAILED = frozenset({State.DIFFERS, State.BEHIND})
"""What was looked for and is not so; everything else that is not well is an error."""
_SKIPPED = frozenset({State.BLOCKED, State.NOT_STARTED, State.SKIPPED})
# XML 1.0 has no way to write them; unlike controls, `safe` leaves them alone.
_NOT_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class _Case:
    """What became of one target, in JUnit's words."""

    target: Target
    tag: str = ""
    """``failure``, ``error`` or ``skipped``; empty where it passed."""
    kind: str = ""
    message: str = ""
    text: str = ""
    seconds: float = 0.0
    output: str = ""


def result(of: Result) -> str:
    """Return what ``check``, ``status``, ``upgrade``, … found or did.

    A difference, or pending revisions, are a ``failure``; what could not be looked at or done is an
    ``error``; what was not begun is ``skipped``.
    """
    pairs = zip(of.targets, of.outcomes, strict=True)
    return _document(of.verb, [_case(pair) for pair in pairs], of.seconds)


def drift(of: DriftResult) -> str:
    """Return which targets differ from their siblings: each is a ``failure``."""
    unread = {target.name: _case((target, outcome)) for target, outcome in of.unreadable}
    found = dict(unread)
    for siblings in of.siblings:
        for deviation in siblings.deviations:
            lines = [line(one) for one in deviation.differences]
            text = "\n".join(lines) if deviation.failure is None else deviation.failure
            message = count(len(lines), "difference") if lines else text
            for target in deviation.of.members:
                found[target.name] = _Case(target, "failure", "differs", message, text)
    cases = [found.get(target.name, _Case(target)) for target in of.targets]
    return _document("drift", cases, of.seconds)


def _case(pair: Pair) -> _Case:
    target, outcome = pair
    state = outcome.state
    case = _Case(target, seconds=outcome.seconds, output=outcome.output)
    if state in _PASSED:
        return case
    tag = "failure" if state in _FAILED else "skipped" if state in _SKIPPED else "error"
    lines = list(_lines(outcome))
    message = lines[0] if lines else word(state)
    return _Case(
        target, tag, state.value, message, "\n".join(lines), outcome.seconds, outcome.output
    )


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
    root = Element("testsuites", {"name": f"orchestrator {verb}"})
    root.attrib |= _counts(cases, seconds)
    for database, own in _by_database(cases).items():
        suite = SubElement(root, "testsuite", {"name": _text(database)})
        suite.attrib |= _counts(own, sum(case.seconds for case in own))
        suite.set("skipped", str(sum(case.tag == "skipped" for case in own)))
        for case in own:
            _add(suite, case)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _by_database(cases: Iterable[_Case]) -> dict[str, list[_Case]]:
    found: dict[str, list[_Case]] = {}
    for case in cases:
        found.setdefault(case.target.database, []).append(case)
    return found


def _counts(cases: Sequence[_Case], seconds: float) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(case.tag == "failure" for case in cases)),
        "errors": str(sum(case.tag == "error" for case in cases)),
        "time": f"{seconds:.3f}",
    }


def _add(suite: Element, case: _Case) -> None:
    target = case.target
    test = SubElement(
        suite,
        "testcase",
        name=_text(target.name),
        classname=_text(f"{target.environment}.{target.database}"),
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
    return _NOT_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", safe(text))
