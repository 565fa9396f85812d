"""JUnit, SARIF and annotations of GitHub: valid by their own schemas, and read back by others."""

import io
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given, settings
from junitparser import JUnitXml
from sarif_kit.validate import validation_errors
from sarif_pydantic import Sarif

from orchestrator.actions.places import Place, Places
from orchestrator.dispatch.results import Result, RunEnd
from orchestrator.render import findings, github, junit, sarif
from orchestrator.render.findings import Finding, Level
from orchestrator.render.text import sound
from orchestrator.rollout.events import RunState
from orchestrator.rollout.outcomes import Difference, Failure, Outcome, State
from tests.effort import examples
from tests.render import samples
from tests.render.hostile import PIECES, PLACES, drift_results, results

WITH_PLACES = Places(
    Place("environments.toml", 1),
    {"prod": Place("environments.toml", 20)},
    {"orders": Place("environments.toml", 8)},
    {("catalog", samples.SECOND.id): Place("m/catalog/b81e.py", 14)},
    {("orders", "items", "note"): Place("m/models.py", 7)},
)
# Of junit-10.xsd of Jenkins' xUnit plugin, which pytest writes for as well: what an element may
# have, and what must be there.
ATTRIBUTES: dict[str, tuple[set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors", "disabled"}),
    "testsuite": (
        {"name", "tests"},
        {"failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id"},
    ),
    "testcase": ({"name"}, {"assertions", "time", "classname", "status"}),
    "failure": (set(), {"type", "message"}),
    "error": (set(), {"type", "message"}),
    "skipped": (set(), {"type", "message"}),
    "system-out": (set(), set()),
}
CHILDREN = {
    "testsuites": ["testsuite"],
    "testsuite": ["testcase"],
    "testcase": ["skipped", "error", "failure", "system-out"],
}


def assert_valid_junit(text: str) -> Element:
    """Assert what the schema says of elements, their order and their attributes."""
    root = fromstring(text)
    assert root.tag == "testsuites"
    for element in root.iter():
        required, optional = ATTRIBUTES[element.tag]
        assert required <= set(element.keys()) <= required | optional
        order = [CHILDREN.get(element.tag, []).index(child.tag) for child in element]
        assert order == sorted(order)
        for name in ("tests", "failures", "errors", "skipped", "time"):
            assert re.fullmatch(r"\d+(\.\d+)?", element.get(name, "0"))
    return root


def assert_valid_sarif(text: str) -> Sarif:
    assert text.isascii()
    value = json.loads(text)
    assert validation_errors(value) == []
    return Sarif.model_validate(value)


COMMAND = re.compile(
    r"::(?P<level>error|warning) file=(?P<file>[^,:]*),line=(?P<line>\d+)"
    r",title=(?P<title>[^,:]*)::(?P<message>.*)"
)


def read(text: str) -> list[dict[str, str]]:
    """Read annotations as GitHub's runner does: line by line, and then what is escaped."""
    lines = io.StringIO(text, newline=None).read().splitlines() if text else []
    found = [COMMAND.fullmatch(line) for line in text.split("\n")[:-1]]
    assert len(lines) >= len(found)
    assert None not in found, text
    return [{key: unquote(value) for key, value in one.groupdict().items()} for one in found if one]


RESULTS: dict[str, Callable[[], Result]] = {
    "check": samples.check,
    "upgrade": samples.upgrade,
    "dry_run": samples.dry_run,
    "nothing": samples.nothing_to_do,
    "status": samples.status,
    "large": samples.large_status,
}


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_is_valid_in_every_form(name: str) -> None:
    result = RESULTS[name]()
    found = findings.of_result(result, WITH_PLACES)
    assert_valid_junit(junit.result(result))
    assert_valid_sarif(sarif.log(found, exit_code=result.exit_code))
    read(github.annotations(found))


def test_a_test_for_each_target_a_suite_for_each_database() -> None:
    result = samples.upgrade()
    suites = list(JUnitXml.fromstring(junit.result(result).encode()))
    assert [suite.name for suite in suites] == ["orders", "catalog"]
    cases = [case.name for suite in suites for case in suite]
    assert sorted(cases) == sorted(target.name for target in result.targets)
    for suite in suites:
        tags = Counter(case.result[0].__class__.__name__ for case in suite if case.result)
        assert suite.tests == len(list(suite))
        assert suite.failures == tags["Failure"]
        assert suite.errors == tags["Error"]
        assert suite.skipped == tags["Skipped"]


def test_a_failure_has_its_message_and_the_next_step() -> None:
    cases = {
        case.name: case
        for suite in JUnitXml.fromstring(junit.result(samples.upgrade()).encode())
        for case in suite
    }
    (half,) = cases["prod/catalog/acme"].result
    assert half.message == "(1061) Duplicate key name 'ix_items_sku'"
    assert "committed, and stays: ALTER TABLE items ADD COLUMN note VARCHAR(50)" in half.text
    assert half.text.splitlines()[-1].startswith("next: undo what was executed")
    assert cases["dev/orders/acme"].result == []
    assert cases["prod/orders/acme"].is_skipped
    assert cases["prod/orders/acme"].result[0].message == "waits for prod/catalog/acme"


def test_what_differs_is_a_failure_and_what_could_not_be_looked_at_an_error() -> None:
    kinds = {
        State.DIFFERS: "failure",
        State.BEHIND: "failure",
        **dict.fromkeys([State.IN_SYNC, State.CURRENT, State.DONE, State.UNCHANGED], None),
        State.PLANNED: None,
        **dict.fromkeys([State.BLOCKED, State.NOT_STARTED, State.SKIPPED], "skipped"),
    }
    for state in State:
        result = samples.result("check", [samples.outcome("prod/orders/acme", state)])
        (case,) = fromstring(junit.result(result)).iter("testcase")
        tags = [child.tag for child in case]
        kind = kinds.get(state, "error")
        assert tags == ([] if kind is None else [kind]), state


@pytest.mark.parametrize("state", RunState)
def test_a_run_that_stops_at_a_gate_is_told_though_no_target_failed(state: RunState) -> None:
    end = RunEnd(12, state, "prod/canary: the query did not pass")
    done = samples.outcome("dev/orders/acme", State.DONE)
    left = samples.outcome("prod/orders/acme", State.NOT_STARTED)
    result = samples.result("upgrade", [done, left], run=end)
    suites = {suite.name: list(suite) for suite in JUnitXml.fromstring(junit.result(result))}
    (case,) = suites["run"]
    found = findings.of_result(result, WITH_PLACES)
    if state is RunState.DONE:
        assert case.result == []
        assert found == []
        return
    ended_badly = state in {RunState.FAILED, RunState.ABORTED}
    assert case.is_error is ended_badly
    assert case.is_skipped is not ended_badly
    assert [(one.rule, one.level) for one in found] == [
        (f"upgrade/run_{state.value}", Level.ERROR if ended_badly else Level.WARNING)
    ]
    assert found[0].message == "prod/canary: the query did not pass\nnext: orchestrator show 12"
    assert found[0].place == WITH_PLACES.environments["prod"]


def test_a_run_is_not_told_twice_of_targets_that_failed() -> None:
    failed = samples.outcome("prod/orders/acme", State.FAILED, failure=samples.DOWN)
    end = RunEnd(12, RunState.FAILED, "1 target of prod failed; none may")
    result = samples.result("upgrade", [failed], run=end)
    assert [one.rule for one in findings.of_result(result, WITH_PLACES)] == ["upgrade/failed"]


def test_findings_are_at_the_revision_the_model_or_the_file() -> None:
    behind = samples.outcome("prod/catalog/acme", State.BEHIND, revisions=(samples.SECOND,))
    result = samples.check()
    targets = (*result.targets, samples.target(behind.target))
    result = replace(result, targets=targets, outcomes=(*result.outcomes, behind))
    found = findings.of_result(result, WITH_PLACES)
    assert [(one.rule, one.place.path, one.place.line) for one in found] == [
        ("check/differs", "m/models.py", 7),
        ("check/differs", "m/models.py", 7),
        ("check/behind", "environments.toml", 20),
        ("check/behind", "m/catalog/b81e.py", 14),
    ]
    failed = findings.of_result(samples.upgrade(), WITH_PLACES)
    places = {one.title.partition(":")[0]: one.place for one in failed}
    assert places["prod/catalog/acme"] == Place("m/catalog/b81e.py", 14)


def test_targets_that_are_alike_are_one_finding() -> None:
    found = findings.of_result(samples.large_status(), WITH_PLACES)
    assert len(found) == 1
    assert len(found[0].targets) == 1000
    assert found[0].title.endswith("tenant0004 and 995 more: behind")
    assert len(github.annotations(found)) < 1000


def test_a_finding_is_known_again_whoever_has_it() -> None:
    def fingerprints(outcomes: list[Outcome]) -> list[str]:
        found = findings.of_result(samples.result("check", outcomes), WITH_PLACES)
        log = assert_valid_sarif(sarif.log(found, exit_code=4))
        return [one.partial_fingerprints["primaryLocationLineHash"] for one in log.runs[0].results]

    def differing(name: str, *differences: Difference) -> Outcome:
        return samples.outcome(name, State.DIFFERS, differences=differences)

    one = [differing("prod/orders/acme", samples.MISSING)]
    more = [*one, differing("prod/orders/birch", samples.MISSING)]
    assert fingerprints(one) == fingerprints(more)
    other = [*one, differing("prod/orders/birch", samples.TYPE, samples.MISSING)]
    assert len(set(fingerprints(other))) == 2  # at one line of one file

    def failed(tenant: str) -> Outcome:
        why = Failure(f"Table '{tenant}_orders.nope' doesn't exist", "fix it", samples.SECOND.id)
        return samples.outcome(f"prod/orders/{tenant}", State.FAILED, failure=why)

    assert fingerprints([failed("acme")]) == fingerprints([failed("birch")])


@pytest.mark.parametrize(
    ("code", "looked"), [(0, True), (4, True), (3, False), (5, False), (6, False), (130, False)]
)
def test_a_log_says_whether_everything_was_looked_at(code: int, looked: bool) -> None:
    text = sarif.log([], exit_code=code)
    (invocation,) = assert_valid_sarif(text).runs[0].invocations or []
    assert invocation.execution_successful is looked
    assert json.loads(text)["runs"][0]["invocations"][0]["exitCode"] == code


def finding(number: int, level: Level = Level.ERROR) -> Finding:
    return Finding("check/failed", level, f"target {number}", "no", Place("a.py", 3), ("x",))


@pytest.mark.parametrize("number", [0, 1, 10, 11, 12, 500])
def test_github_gets_ten_of_a_level_at_most_and_is_told_of_the_others(number: int) -> None:
    few = [finding(n, Level.WARNING) for n in range(3)]
    found = read(github.annotations([*(finding(n) for n in range(number)), *few]))
    errors = [one for one in found if one["level"] == "error"]
    assert len(errors) == min(number, 10)
    assert len(found) - len(errors) == 3
    if number > 10:
        assert errors[-1]["title"] == f"and {number - 9:,} more errors"
        assert "target 9" in errors[-1]["message"]
        assert [one["title"] for one in errors[:9]] == [f"target {n}" for n in range(9)]


@pytest.mark.parametrize("piece", PIECES, ids=ascii)
def test_an_annotation_is_read_as_it_was_meant(piece: str) -> None:
    one = Finding("r", Level.ERROR, f"a{piece}b", f"{piece}b", Place(f"m{piece}.py", 3))
    text = github.annotations([one])
    assert text.encode().count(b"\n") == 1
    (found,) = read(text)
    assert found["title"] == sound(one.title)
    assert found["message"] == sound(one.message)
    assert found["file"] == sound(one.place.path)


@pytest.mark.parametrize("verb", ["check", "upgrade"])
def test_whatever_texts_say_every_form_is_valid(verb: str) -> None:
    @given(results(verb))
    @settings(max_examples=examples(200), deadline=None)
    def valid(result: Result) -> None:
        found = findings.of_result(result, PLACES)
        text = junit.result(result)
        assert text.isascii()
        assert_valid_junit(text)
        suites = JUnitXml.fromstring(text.encode())
        cases = [case.name for suite in suites for case in suite]
        assert len(cases) == len(result.targets) + (result.run is not None)
        log = assert_valid_sarif(sarif.log(found, exit_code=result.exit_code))
        assert len(log.runs[0].results) == len(found)
        annotations = github.annotations(found)
        annotations.encode()  # no half of a character
        assert "\r" not in annotations
        assert len(read(annotations)) <= 20
        named = {name for one in found for name in one.targets}
        bad = {State.FAILED, State.DIFFERS, State.BEHIND, State.UNREACHABLE, State.IN_DOUBT}
        assert {o.target for o in result.outcomes if o.state in bad} <= named

    valid()


@given(drift_results())
@settings(max_examples=examples(200), deadline=None)
def test_whatever_schemas_say_every_form_of_drift_is_valid(result: Any) -> None:
    found = findings.of_drift(result, PLACES)
    assert_valid_junit(junit.drift(result))
    assert_valid_sarif(sarif.log(found, exit_code=result.exit_code))
    read(github.annotations(found))


def test_drift_fails_who_differs_and_passes_nobody_it_did_not_compare() -> None:
    drift = samples.drift()

    def tags(result: Any) -> dict[str, list[str]]:
        cases = fromstring(junit.drift(result)).iter("testcase")
        return {case.get("name", "").rpartition("/")[2]: [e.tag for e in case] for case in cases}

    expected: dict[str, list[str]] = {"acme": [], "birch": [], "elm": ["error"]}
    assert tags(drift) == {**expected, "cedar": ["failure"], "dune": ["failure"]}
    stopped = replace(drift, siblings=(), interrupted=True)
    assert tags(stopped) == {
        **{tenant: ["skipped"] for tenant in ("acme", "birch", "cedar", "dune")},
        "elm": ["error"],
    }
    target = drift.targets[0]
    blind = (target, samples.outcome(target.name, State.CURRENT))
    assert tags(replace(drift, unreadable=(blind,)))["acme"] == ["error"]


def test_a_target_that_was_not_begun_is_no_finding_of_drift() -> None:
    drift = samples.drift()
    left = (drift.targets[0], samples.outcome(drift.targets[0].name, State.NOT_STARTED))
    assert findings.of_drift(replace(drift, siblings=(), unreadable=(left,)), PLACES) == []


def test_the_output_of_a_migration_is_that_of_its_test() -> None:
    done = samples.outcome("prod/orders/acme", State.DONE, output="copied 3 rows\x00\n")
    (case,) = fromstring(junit.result(samples.result("upgrade", [done]))).iter("testcase")
    assert case.findtext("system-out") == "copied 3 rows\\x00\n"


def test_bytes_that_are_no_utf_8_are_shown_in_a_path() -> None:
    path = b"m/caf\xe9.py".decode("utf-8", "surrogateescape")
    one = replace(finding(1), place=Place(path, 2))
    value = json.loads(sarif.log([one], exit_code=3))
    (result,) = value["runs"][0]["results"]
    artifact = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": "m/caf%E9.py", "uriBaseId": "%SRCROOT%"}
    github.annotations([one]).encode()


def test_an_error_in_place_of_an_answer_is_a_test_that_could_not_be_done() -> None:
    text = junit.error("environments.toml:3:1: unknown key\n  did you mean 'url'?")
    assert_valid_junit(text)
    (case,) = fromstring(text).iter("error")
    assert case.get("message") == "environments.toml:3:1: unknown key"
