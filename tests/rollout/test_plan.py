"""A sealed plan comes back as it was, or is refused."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.config.models import Rollout
from orchestrator.rollout import plan as module
from orchestrator.rollout.plan import (
    BadPlan,
    Plan,
    PlannedRevision,
    PlannedTarget,
    PlannedWave,
    of_json,
    unsealed,
)
from orchestrator.rollout.plan_changes import appeared, changes, differences, vanished
from tests.effort import examples

TEXT = st.text(st.characters(), max_size=8) | st.sampled_from(['"', "\0", "\ud800", "é\u2028", ""])
HEADS = st.lists(TEXT, max_size=2).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda of: st.lists(of, max_size=3) | st.dictionaries(TEXT, of, max_size=3),
    max_leaves=6,
)
REVISION = st.builds(PlannedRevision, TEXT, TEXT, TEXT, st.sampled_from([True, False, None]))
TARGET = st.builds(
    PlannedTarget, *[TEXT] * 5, st.just(0), st.none() | HEADS, st.none() | HEADS, TEXT, HEADS
)
PLANS = st.builds(
    Plan,
    **dict.fromkeys(("project", "verb", "revision", "program", "alembic", "arguments"), TEXT),
    selection=st.dictionaries(TEXT, JSON, max_size=3),
    revisions=st.dictionaries(TEXT, st.dictionaries(TEXT, REVISION, max_size=2), max_size=2),
    rollouts=st.dictionaries(TEXT, st.dictionaries(TEXT, JSON, max_size=2), max_size=2),
    waves=st.just((PlannedWave("w", "prod", 1, 2, 3, None, ("requires",), ("soak",)),)),
    targets=st.lists(TARGET, max_size=3, unique_by=lambda t: t.name).map(tuple),
    parent=st.none() | st.integers(1, 9),
    notes=HEADS,
)


def target(name: str = "prod/orders/acme", **settings: object) -> PlannedTarget:
    base = PlannedTarget(
        name, "prod", "orders", "mysql://db", "mysql://db/a", 0, ("r1",), ("r2",), "c1", ("r2",)
    )
    return replace(base, **settings)  # type: ignore[arg-type] # of PlannedTarget


PLAN = Plan(
    project="shop",
    verb="upgrade",
    revision="heads",
    selection={"selectors": ["prod"]},
    program="1.0",
    alembic="1.20",
    arguments="",
    revisions={"orders": {"r2": PlannedRevision("r2", "add", "abc", True)}},
    rollouts={"prod": {"max_parallel": 4, "waves": []}},
    waves=(PlannedWave("prod/w", "prod", 1, 2, 3, 4, ("requires",), ("soak", "query")),),
    targets=(target(), target("prod/orders/birch", heads=None, goal=None, schema_class=None)),
    parent=3,
    notes=("a note",),
)
SEALED = "".join(PLAN.sealed())


@settings(max_examples=examples(300), deadline=None)
@given(PLANS)
def test_it_comes_back_as_it_was(plan: Plan) -> None:
    text = "".join(plan.sealed())
    assert unsealed(text) == plan
    assert unsealed(text).digest == plan.digest
    assert "".join(unsealed(text).sealed()) == text
    # As the ledger keeps it: the targets apart.
    targets = json.loads(text)["targets"]
    assert of_json(json.loads(plan.header), targets) == plan


def _turned(value: object) -> object:
    if isinstance(value, dict):
        return {key: _turned(of) for key, of in reversed(value.items())}
    return [_turned(of) for of in value] if isinstance(value, list) else value


@settings(max_examples=examples(100), deadline=None)
@given(PLANS)
def test_its_digest_does_not_ask_for_the_order_of_keys(plan: Plan) -> None:
    turned = _turned(json.loads("".join(plan.sealed())))
    assert unsealed(json.dumps(turned)).digest == plan.digest


def _places(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    return [at, *(place for key, of in inner for place in _places(of, (*at, key)))]


def _changed(value: object, at: tuple[str | int, ...], to: object) -> object:
    if not at:
        return to
    copy = dict(value) if isinstance(value, dict) else list(value)  # type: ignore[call-overload] # JSON
    copy[at[0]] = _changed(copy[at[0]], at[1:], to)
    return copy


PLACES = _places(json.loads(SEALED))[1:]
OTHERS = [None, True, 7, 1.5, "other", "", [], {}, ["x"], {"x": 1}, [[]], [None], {"x": None}]


@pytest.mark.parametrize("at", PLACES, ids=str)
def test_whatever_was_changed_is_refused(at: tuple[str | int, ...]) -> None:
    with pytest.raises(BadPlan, match=r"digest does not fit|of format other"):
        unsealed(json.dumps(_changed(json.loads(SEALED), at, "other")))


def resealed(value: object) -> str:
    """What somebody writes who knows how the digest is made."""
    if isinstance(value, dict):
        value = {key: of for key, of in value.items() if key != "digest"}
        value["digest"] = module._digest(value)
    return json.dumps(value)


FREE = ("selection", "rollouts")


@pytest.mark.parametrize("at", [p for p in PLACES if p[0] not in FREE], ids=str)
def test_another_shape_is_refused_even_with_a_digest_that_fits(at: tuple[str | int, ...]) -> None:
    whole = json.loads(SEALED)
    for other in OTHERS:
        try:
            plan = unsealed(resealed(_changed(whole, at, other)))
        except BadPlan:
            continue
        assert module.fits(plan, Plan)
        assert json.loads("".join(plan.sealed()))["digest"] == plan.digest


@pytest.mark.parametrize(
    ("at", "to"),
    [
        (("targets", 0, "wave"), 1),
        (("targets", 0, "wave"), -1),
        (("targets", 0, "wave"), True),
        (("targets", 0, "name"), "prod/orders/birch"),
        (("targets", 0, "heads"), "r1"),
        (("targets", 0, "heads"), [1]),
        (("targets", 0, "place"), None),
        (("waves", 0, "gate"), ["nonsense"]),
        (("waves", 0, "gate"), "soak"),
        (("waves", 0, "budget"), "1"),
        (("project",), 5),
        (("notes",), [5]),
        (("parent",), "3"),
        (("revisions",), []),
    ],
)
def test_what_makes_no_sense_is_refused(at: tuple[str | int, ...], to: object) -> None:
    with pytest.raises(BadPlan):
        unsealed(resealed(_changed(json.loads(SEALED), at, to)))


@pytest.mark.parametrize("place", [(), ("targets", 0), ("waves", 0), ("revisions", "orders", "r2")])
def test_keys_that_are_missing_or_too_many_are_refused(place: tuple[str | int, ...]) -> None:
    inner: object = json.loads(SEALED)
    for key in place:
        inner = inner[key]  # type: ignore[index] # JSON
    assert isinstance(inner, dict)
    for key in {*inner} - {"digest"}:
        less = {name: of for name, of in inner.items() if name != key}
        with pytest.raises(BadPlan):
            unsealed(resealed(_changed(json.loads(SEALED), place, less)))
    with pytest.raises(BadPlan):
        unsealed(resealed(_changed(json.loads(SEALED), place, {**inner, "more": 1})))


def test_cut_off_anywhere_it_is_refused() -> None:
    for end in range(len(SEALED.rstrip())):
        with pytest.raises(BadPlan):
            unsealed(SEALED[:end])


@pytest.mark.parametrize(
    "text",
    ["", "no JSON", "null", "[]", "5", "{}", '{"digest": ""}', "[" * 100_000, '{"a":' * 100_000],
    ids=lambda text: text[:12],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadPlan):
        unsealed(text)


@settings(max_examples=examples(300), deadline=None)
@given(JSON, st.sampled_from(PLACES))
def test_no_json_is_more_than_refused(value: object, at: tuple[str | int, ...]) -> None:
    for text in (json.dumps(value), resealed(_changed(json.loads(SEALED), at, value))):
        try:
            unsealed(text)
        except BadPlan:
            continue


def test_a_newer_format_is_named() -> None:
    with pytest.raises(BadPlan, match="format 2, and this program reads 1"):
        unsealed(resealed({**json.loads(SEALED), "format": 2}))


@pytest.mark.parametrize(
    ("now", "line"),
    [
        ({"project": "x"}, "the project is x; the plan says shop"),
        ({"verb": "stamp"}, "the command is stamp; the plan says upgrade"),
        ({"revision": "r9"}, "the destination is r9; the plan says heads"),
        ({"program": "2"}, "the version of this program is 2; the plan says 1.0"),
        ({"alembic": "2"}, "the version of Alembic is 2; the plan says 1.20"),
        ({"arguments": "d"}, "the arguments of -x are not those of the plan"),
        ({"rollouts": {"prod": {"max_parallel": 5, "waves": []}}}, "max_parallel of prod's"),
        ({"rollouts": {"prod": {"max_parallel": 4}}}, "waves of prod's rollout was changed"),
        ({"revisions": {}}, "revision r2 of orders is not to be run any more"),
        (
            {"revisions": {"orders": {"r2": PlannedRevision("r2", "add", "xyz", True)}}},
            "the file of revision r2 of orders was edited",
        ),
        (
            {"revisions": {**PLAN.revisions, "users": {}}},
            "users has revisions to run that are not in the plan",
        ),
        (
            {"revisions": {"orders": {**PLAN.revisions["orders"], "r3": None}}},
            "revision r3 of orders is not in the plan",
        ),
        ({"targets": (target(place="p"),)}, "acme is at p; the plan says mysql://db/a"),
        ({"targets": (target(heads=()),)}, "acme stands at no revision; the plan says r1"),
        ({"targets": (target(heads=None),)}, "acme stands at what can't be read; the plan says r1"),
        ({"targets": (target(goal=("r3",)),)}, "would take another way than the plan says"),
        ({"targets": (target(revisions=()),)}, "would take another way than the plan says"),
        ({"targets": (target(schema_class="c2"),)}, "the schema of prod/orders/acme is another"),
    ],
)
def test_each_kind_of_difference_has_its_line(now: dict[str, object], line: str) -> None:
    (found,) = differences(PLAN, replace(PLAN, **now))  # type: ignore[arg-type] # of Plan
    assert line in found


def test_what_may_change_under_a_run_is_no_other_course() -> None:
    limits = {"prod": {"max_parallel": 5, "waves": []}}
    assert changes(PLAN, replace(PLAN, program="2", alembic="2", rollouts=limits)) == []
    assert changes(PLAN, replace(PLAN, rollouts={"prod": {"max_parallel": 4, "waves": [1]}}))


def test_every_setting_of_a_rollout_may_change_under_a_run_or_may_not() -> None:
    settings = Rollout().model_dump(by_alias=True)
    before, after = ({key: {"prod": {key: n}} for key in settings} for n in (1, 2))
    kept = {
        key
        for key in settings
        if changes(replace(PLAN, rollouts=before[key]), replace(PLAN, rollouts=after[key]))
    }
    assert kept == {"gate", "max_failures", "waves", "window"}, "decide it for what is new here"


def test_targets_that_came_or_went_are_named_and_are_no_difference() -> None:
    now = replace(PLAN, targets=(PLAN.targets[0], target("prod/orders/new")))
    assert appeared(PLAN, [t.name for t in now.targets]) == ("prod/orders/new",)
    assert vanished(PLAN, [t.name for t in now.targets]) == ("prod/orders/birch",)
    assert differences(PLAN, now) == []
