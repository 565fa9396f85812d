"""Which wave takes which target, and in which order they run."""

import random
import time
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.config.models import Wave
from orchestrator.fleet.ordering import dependencies, ordered, reversed_
from orchestrator.rollout.waves import Candidate, assign, ordered_wave, uncovered
from tests.effort import examples
from tests.fleet.examples import make_config, rows, targets_of

SEED = "0" * 64


def tenant(name, database="orders", needs=(), schema_class="A", **labels):
    return Candidate(
        f"prod/{database}/{name}", database, name, {"name": name, **labels}, schema_class, needs
    )


def shared(database, needs=(), schema_class="S"):
    return Candidate(f"prod/{database}", database, None, {}, schema_class, needs)


def places(candidates, *waves, seed=SEED):
    found = assign(candidates, waves, seed)
    return {c.name.removeprefix("prod/"): at for c, at in zip(candidates, found, strict=True)}


def picked(candidates, wave, seed=SEED):
    found = assign(candidates, [wave], seed)
    return {c.tenant or c.name for c, at in zip(candidates, found, strict=True) if at == 0}


def many(count, **labels):
    return [
        tenant(f"t{n}", **{label: values[n % len(values)] for label, values in labels.items()})
        for n in range(count)
    ]


def test_the_first_wave_that_matches_takes_a_target():
    fleet = [tenant("a", tier="free"), tenant("b", tier="gold"), tenant("c"), shared("audit")]
    waves = [
        Wave(name="one", where={"tier": "gold"}),
        Wave(name="two", where={"tier": ["gold", "free"]}),
    ]
    assert places(fleet, *waves) == {"orders/a": 1, "orders/b": 0, "orders/c": 2, "audit": 2}


def test_a_wave_without_conditions_takes_everything():
    fleet = [tenant("a"), shared("audit")]
    assert places(fleet, Wave(name="all"), Wave(name="never")) == {"orders/a": 0, "audit": 0}


def test_without_waves_all_is_the_last_one():
    assert places([tenant("a")]) == {"orders/a": 0}


def test_what_a_target_needs_comes_with_it():
    fleet = [
        shared("base"),
        shared("catalog", needs=("prod/base",)),
        tenant("a", needs=("prod/catalog",), tier="free"),
        tenant("b", needs=("prod/catalog",), tier="gold"),
        shared("reports", needs=("prod/orders/a", "prod/orders/b", "prod/elsewhere")),
    ]
    assert places(fleet, Wave(name="w", where={"tier": "free"})) == {
        "base": 0,
        "catalog": 0,
        "orders/a": 0,
        "orders/b": 1,
        "reports": 1,
    }


def test_a_tenant_is_picked_with_all_its_databases():
    fleet = [tenant(f"t{n}", database) for n in range(40) for database in ("orders", "users")]
    at = places(fleet, Wave(name="w", pick=5))
    assert all(at[f"orders/t{n}"] == at[f"users/t{n}"] for n in range(40))
    assert list(at.values()).count(0) == 10


def test_what_needs_all_tenants_is_never_picked_nor_what_comes_with_them():
    fleet = [
        shared("catalog"),
        *(tenant(f"t{n}", needs=("prod/catalog",)) for n in range(10)),
        shared("reports", needs=tuple(f"prod/orders/t{n}" for n in range(10))),
        shared("sums", needs=("prod/reports",)),
        shared("alone"),
    ]
    for seed in map(str, range(50)):
        found = places(fleet, Wave(name="w", pick=1), seed=seed)
        assert found["reports"] == found["sums"] == 1
        alone = found["alone"] == 0
        assert found["catalog"] == (1 if alone else 0)
        assert Counter(found.values())[0] == (1 if alone else 2)
    # Of 11 that count: the catalog, the reports and the sums do not.
    assert len(picked(fleet, Wave(name="w", pick="9%")) - {"prod/catalog"}) == 1
    assert len(picked(fleet, Wave(name="w", pick="10%")) - {"prod/catalog"}) == 2


def test_a_percentage_is_of_those_that_match_and_are_left():
    fleet = many(100, tier=["free", "gold"])
    waves = [
        Wave(name="a", pick=10, where={"tier": "gold"}),
        Wave(name="b", pick="10%", where={"tier": "gold"}),
        Wave(name="c", pick="1%"),
    ]
    found = Counter(assign(fleet, waves, SEED))
    assert found == {0: 10, 1: 4, 2: 1, 3: 85}


def test_another_seed_picks_others():
    fleet = many(1000)
    wave = Wave(name="w", pick=20)
    assert picked(fleet, wave) == picked(fleet, wave)
    assert picked(fleet, wave, "1") != picked(fleet, wave)


def test_a_rare_class_is_picked_first():
    fleet = [tenant(f"t{n}") for n in range(500)]
    fleet[123] = tenant("t123", schema_class="B")
    fleet[321] = tenant("t321", schema_class=None)
    for seed in map(str, range(20)):
        found = picked(fleet, Wave(name="w", pick=2), seed)
        assert "t123" in found
        assert len(found) == 2


def test_one_tenant_that_stands_for_much_is_better_than_many():
    fleet = [
        *many(50, tier=["free", "gold"]),
        tenant("rich", schema_class="B", tier="gold", shard="db9"),
    ]
    wave = Wave(name="w", pick=2, stratify=["tier", "shard"])
    for seed in map(str, range(20)):
        found = picked(fleet, wave, seed)
        assert "rich" in found
        # The other one has what the first has not: class A, tier free.
        (other,) = found - {"rich"}
        assert int(other[1:]) % 2 == 0
        assert uncovered(fleet, assign(fleet, [wave], seed), 0, [wave]) == []


def test_what_could_not_be_covered_is_said():
    fleet = [tenant("a", schema_class="A", shard="1"), tenant("b", schema_class="B", shard="2")]
    wave = Wave(name="w", pick=1, stratify=["shard"])
    found = assign(fleet, [wave], SEED)
    left = ("A", "1") if found[1] == 0 else ("B", "2")
    missed = {f"schema class {left[0]} of orders", f"shard={left[1]}"}
    assert set(uncovered(fleet, found, 0, [wave])) == missed


def test_the_class_of_a_shared_target_is_covered_by_who_needs_it():
    fleet = [shared("catalog"), *(tenant(f"t{n}", needs=("prod/catalog",)) for n in range(5))]
    waves = [Wave(name="w", pick=1), Wave(name="v", pick=1)]
    found = assign(fleet, waves, SEED)
    assert found[0] == 0
    assert uncovered(fleet, found, 0, waves) == uncovered(fleet, found, 1, waves) == []


def test_only_what_a_wave_is_about_must_be_covered():
    fleet = [tenant("a", tier="free"), tenant("b", tier="gold", schema_class="B")]
    waves = [Wave(name="w", where={"tier": "free"}, pick=1), Wave(name="v", where={"tier": "gold"})]
    found = assign(fleet, waves, SEED)
    assert uncovered(fleet, found, 0, waves) == uncovered(fleet, found, 1, waves) == []


DATABASES = ("a", "b", "c", "d")


@st.composite
def fleets(draw):
    """Targets of a real configuration, in the order of an upgrade or of a downgrade."""
    order = draw(st.permutations(DATABASES))
    after = {
        name: draw(st.lists(st.sampled_from(order[:at]), unique=True)) if at else ()
        for at, name in enumerate(order)
    }
    tenants = [f"t{n}" for n in range(draw(st.integers(1, 6)))]
    config = make_config(
        {name: after[name] for name in DATABASES},
        dev={
            "url": "mysql://h/{tenant}_{database}",
            "tenants": tenants,
            "databases": {
                name: {"url": "mysql://h/{database}"} for name in DATABASES if draw(st.booleans())
            },
        },
    )
    targets = ordered(targets_of(config, dev=rows(*tenants)), config)
    targets = [target for target in targets if draw(st.integers(0, 9))]
    needs = dependencies(targets, config)
    if draw(st.booleans()):
        targets, needs = reversed_(targets, needs)
    labels = {
        name: {"name": name, **draw(st.dictionaries(st.sampled_from("xy"), st.sampled_from("12")))}
        for name in tenants
    }
    classes = st.sampled_from([None, "A", "B"])
    return [
        Candidate(
            t.name,
            t.database,
            t.tenant,
            labels.get(t.tenant, {}),
            draw(classes),
            needs[t.name],
        )
        for t in targets
    ]


VALUE = st.sampled_from("12")
WAVES = st.lists(
    st.builds(
        lambda where, pick, stratify: Wave(name="w", where=where, pick=pick, stratify=stratify),
        st.dictionaries(st.sampled_from("xy"), VALUE, max_size=1),
        st.none() | st.integers(1, 4) | st.sampled_from(["1%", "50%"]),
        st.lists(st.sampled_from("xy"), unique=True),
    ),
    max_size=3,
)


@settings(max_examples=examples(300))
@given(fleets(), WAVES)
def test_nothing_is_in_a_later_wave_than_what_needs_it(fleet, waves):
    found = dict(zip((c.name for c in fleet), assign(fleet, waves, SEED), strict=True))
    for candidate in fleet:
        assert all(found[need] <= found[candidate.name] for need in candidate.needs)


@settings(max_examples=examples(300))
@given(fleets(), WAVES)
def test_nothing_is_earlier_than_it_matches_but_for_what_needs_it(fleet, waves):
    found = dict(zip((c.name for c in fleet), assign(fleet, waves, SEED), strict=True))
    for candidate in fleet:
        at = found[candidate.name]
        fits = [all(candidate.labels.get(k) in v for k, v in wave.where.items()) for wave in waves]
        needed = any(candidate.name in c.needs and found[c.name] == at for c in fleet)
        assert needed or at == len(waves) or fits[at]
        sure = [n for n, wave in enumerate(waves) if fits[n] and wave.pick is None]
        assert at <= min(sure, default=len(waves))


@settings(max_examples=examples(300))
@given(fleets(), WAVES, st.randoms())
def test_the_order_in_which_targets_come_says_nothing(fleet, waves, rand):
    mixed = rand.sample(fleet, len(fleet))
    assert dict(zip((c.name for c in fleet), assign(fleet, waves, SEED), strict=True)) == dict(
        zip((c.name for c in mixed), assign(mixed, waves, SEED), strict=True)
    )


@settings(max_examples=examples(200))
@given(fleets(), st.integers(1, 5))
def test_as_many_are_picked_as_there_should_be(fleet, count):
    alone = [
        replace(c, needs=[name for name in c.needs if name.endswith(f"/{c.tenant}")])
        for c in fleet
        if c.tenant is not None
    ]
    found = picked(alone, Wave(name="w", pick=count))
    assert len(found) == min(count, len({c.tenant for c in alone}))


@settings(max_examples=examples(200))
@given(st.lists(st.tuples(VALUE, VALUE, st.sampled_from("ABC")), min_size=1, max_size=12))
def test_a_pick_that_is_large_enough_covers_everything(kinds):
    fleet = [
        tenant(f"t{n}", schema_class=class_, x=x, y=y) for n, (x, y, class_) in enumerate(kinds)
    ]
    values = {(n, kind[n]) for kind in kinds for n in range(3)}
    wave = Wave(name="w", pick=len(values), stratify=["x", "y"])
    found = assign(fleet, [wave], SEED)
    picks = [kind for kind, at in zip(kinds, found, strict=True) if at == 0]
    assert {(n, kind[n]) for kind in picks for n in range(3)} == values
    assert uncovered(fleet, found, 0, [wave]) == []


@given(st.integers(1, 30), st.integers(1, 30), st.text(max_size=3))
def test_one_tenant_more_changes_at_most_one_pick(count, pick, seed):
    wave = Wave(name="w", pick=pick)
    before, after = picked(many(count), wave, seed), picked(many(count + 1), wave, seed)
    assert len(before - after) <= 1
    assert after - before <= {f"t{count}"}


@pytest.mark.parametrize(
    ("order_by", "names"),
    [
        ((), "abcdef"),
        ("size", "bdacfe"),
        ("-size", "facbde"),
        (["tier", "-size"], "fcbead"),
        (["-tier", "size"], "dabcfe"),
    ],
)
def test_order_by(order_by, names):
    fleet = [
        tenant("a", size="10", tier="2"),
        tenant("b", size="9", tier="1"),
        tenant("c", size="10.0", tier="1"),
        tenant("d", size="9.0", tier="2"),
        tenant("e", tier="1"),
        tenant("f", size="huge", tier="1"),
    ]
    found = ordered_wave(fleet, Wave(name="w", order_by=order_by))
    assert "".join(name[-1] for name in found) == names


@settings(max_examples=examples(300))
@given(fleets(), st.lists(st.sampled_from(["x", "-x", "y", "-y", "name"]), max_size=2))
def test_nothing_runs_before_what_it_needs(fleet, order_by):
    found = ordered_wave(fleet, Wave(name="w", order_by=order_by))
    assert sorted(found) == sorted(c.name for c in fleet)
    position = {name: at for at, name in enumerate(found)}
    for candidate in fleet:
        assert all(position[need] < position[candidate.name] for need in candidate.needs)
    if not order_by:
        assert found == [c.name for c in fleet]


def test_a_long_chain_is_no_recursion():
    fleet = [shared(f"d{n}", needs=(f"prod/d{n - 1}",)) for n in range(5000)]
    assert ordered_wave(fleet[::-1], Wave(name="w")) == [c.name for c in fleet]
    assert set(assign(fleet, [Wave(name="w", pick=1)], SEED)) == {0}


def test_thousands_that_wait_for_thousands_take_seconds():
    first = [tenant(f"t{n}", "users", tier=str(n % 7), shard=str(n % 50)) for n in range(50_000)]
    middle = shared("hub", needs=tuple(c.name for c in first))
    needs = tuple(c.name for c in first)
    second = [
        tenant(f"t{n}", "orders", needs, tier=str(n % 7), shard=str(n % 50)) for n in range(50_000)
    ]
    fleet = [*first, middle, *second]
    random.Random(1).shuffle(fleet)
    waves = [
        Wave(name="canary", pick="1%", stratify=["tier", "shard"], order_by=["-tier", "name"]),
        Wave(name="free", where={"tier": ["1", "2"]}, order_by="shard"),
    ]
    start = time.perf_counter()
    found = assign(fleet, waves, SEED)
    assert uncovered(fleet, found, 0, waves) == []
    assert len(ordered_wave(fleet, waves[0])) == len(fleet)
    assert time.perf_counter() - start < 20


def test_a_label_with_a_value_of_its_own_for_everyone_is_no_trouble():
    fleet = [tenant(f"t{n}", needs=(), shard=str(n)) for n in range(50_000)]
    wave = Wave(name="w", pick=1000, stratify=["shard", "name"])
    start = time.perf_counter()
    found = assign(fleet, [wave], SEED)
    assert found.count(0) == 1000
    assert len(uncovered(fleet, found, 0, [wave])) == 2 * 49_000
    assert time.perf_counter() - start < 20


def test_who_needs_another_shared_target_stands_for_its_class_too():
    fleet = [
        shared("catalog"),
        shared("base", schema_class="T"),
        shared("hub", needs=("prod/base",), schema_class=None),  # not read
        *(tenant(f"t{n}", needs=("prod/catalog",)) for n in range(50)),
        tenant("odd", needs=("prod/hub",)),
    ]
    for seed in map(str, range(10)):
        assert {"odd", "prod/hub", "prod/base"} <= picked(fleet, Wave(name="w", pick=2), seed)


def test_what_only_the_last_need_can_be_picked():
    fleet = [shared("rates"), tenant("a"), shared("reports", ("prod/rates", "prod/orders/a"))]
    assert picked(fleet, Wave(name="w", pick=5)) == {"prod/rates", "a"}
