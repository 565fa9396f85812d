import random
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.fleet.ordering import dependencies, ordered, reversed_, sorted_databases
from tests.effort import examples
from tests.fleet.examples import make_config, names, rows, targets_of

NAMES = ("a", "b", "c", "d", "e")


@st.composite
def fleets(draw):
    """A fleet of databases that are shared or not, in a random order of the file, and a part of
    its targets."""
    order = draw(st.permutations(NAMES))
    after = {
        name: draw(st.lists(st.sampled_from(order[:at]), unique=True, max_size=3)) if at else ()
        for at, name in enumerate(order)
    }
    shared = {name: draw(st.booleans()) for name in NAMES}
    config = make_config(
        {name: after[name] for name in NAMES},
        order=["dev"],
        prod={"url": "mysql://h/p_{tenant}_{database}", "tenants": ["t1"]},
        dev={
            "url": "mysql://h/{tenant}_{database}",
            "tenants": ["t3", "t1", "t2"],
            "databases": {n: {"url": "mysql://h/{database}"} for n in NAMES if shared[n]},
        },
    )
    everything = ordered(targets_of(config, prod=rows("t1"), dev=rows("t3", "t1", "t2")), config)
    chosen = draw(st.sets(st.sampled_from(names(everything))))
    return config, everything, [t for t in everything if t.name in chosen]


def needs(config, everything, target):
    """The plain reading of ``after``: what a target needs, whether it is selected or not."""
    for other in everything:
        if other.environment == target.environment and (
            other.database in config.databases[target.database].after
            and (other.tenant is None or target.tenant is None or other.tenant == target.tenant)
        ):
            yield other.name
            yield from needs(config, everything, other)


def closure(deps, name):
    return set(deps[name]).union(*(closure(deps, other) for other in deps[name]))


@given(fleets())
def test_nothing_comes_before_what_it_depends_on(fleet):
    config, everything, _ = fleet
    position = {name: at for at, name in enumerate(names(everything))}
    for target in everything:
        assert all(position[n] < position[target.name] for n in needs(config, everything, target))


@settings(max_examples=examples(300))
@given(fleets())
def test_a_target_waits_for_exactly_what_it_needs(fleet):
    config, everything, chosen = fleet
    deps = dependencies(chosen, config)
    assert list(deps) == names(chosen)
    for target in chosen:
        expected = set(needs(config, everything, target)).intersection(deps)
        assert closure(deps, target.name) == expected
        assert len(set(deps[target.name])) == len(deps[target.name])


@settings(max_examples=30)
@given(fleets(), st.randoms())
def test_the_order_is_the_same_whatever_order_databases_came_in(fleet, rand):
    config, everything, _ = fleet
    assert ordered(everything, config) == everything
    mixed = sorted(everything, key=lambda t: t.database)
    rand.shuffle(mixed)
    mixed.sort(key=lambda t: ("t3", "t1", "t2", None).index(t.tenant))
    assert ordered(mixed, config) == everything


@given(fleets())
def test_a_downgrade_is_the_mirror_of_an_upgrade(fleet):
    config, _, chosen = fleet
    deps = dependencies(chosen, config)
    back, mirrored = reversed_(chosen, deps)
    assert list(back) == chosen[::-1]
    assert list(mirrored) == names(back)
    pairs = {(name, other) for name in deps for other in deps[name]}
    assert {(other, name) for name in mirrored for other in mirrored[name]} == pairs
    assert all(len(set(found)) == len(found) for found in mirrored.values())


@given(fleets())
def test_databases_are_sorted_and_otherwise_in_the_file_s_order(fleet):
    config, _, _ = fleet
    found = sorted_databases(config)
    assert set(found) == set(NAMES)
    for at, name in enumerate(found):
        before = set(found[:at])
        assert before >= set(config.databases[name].after)
        free = [n for n in NAMES if n not in before and before >= set(config.databases[n].after)]
        assert name == free[0]


def test_the_order_that_people_expect():
    config = make_config(
        {"orders": ("catalog",), "catalog": (), "central": (), "report": ("orders",)},
        order=["staging", "prod"],
        dev={"url": "sqlite:///d/{database}"},
        prod={
            "url": "sqlite:///p/{tenant}/{database}",
            "databases": {n: {"url": "sqlite:///p/{database}"} for n in ("central", "report")},
            "tenants": ["birch", "acme"],
        },
        staging={"url": "sqlite:///s/{database}"},
    )
    targets = targets_of(config, dev=[], prod=rows("birch", "acme"), staging=[])
    assert names(ordered(targets, config)) == [
        "staging/catalog",
        "staging/orders",
        "staging/central",
        "staging/report",
        "prod/central",
        "prod/catalog/birch",
        "prod/orders/birch",
        "prod/catalog/acme",
        "prod/orders/acme",
        "prod/report",
        "dev/catalog",
        "dev/orders",
        "dev/central",
        "dev/report",
    ]
    deps = dependencies(targets, config)
    assert deps["prod/report"] == ("prod/orders/birch", "prod/orders/acme")
    assert deps["prod/orders/acme"] == ("prod/catalog/acme",)
    assert deps["prod/central"] == ()


def test_shared_targets_wait_for_each_other_when_no_tenant_between_them_is_selected():
    config = make_config(
        {"first": (), "middle": ("first",), "last": ("middle",)},
        dev={
            "url": "sqlite:///{tenant}/{database}",
            "databases": {n: {"url": "sqlite:///{database}"} for n in ("first", "last")},
        },
    )
    targets = [t for t in targets_of(config, dev=rows("acme")) if t.tenant is None]
    assert dependencies(targets, config)["dev/last"] == ("dev/first",)


def test_a_cycle_does_not_hang():
    config = make_config({"a": ("b",), "b": ("a",), "c": ()}, dev={"url": "sqlite:///{database}"})
    assert sorted_databases(config) == ("c", "a", "b")


def test_ten_thousand_tenants_share_what_they_wait_for():
    config = make_config(
        {"zero": (), "first": (), "middle": ("zero", "first"), "last": ("middle",)},
        dev={
            "url": "sqlite:///{tenant}/{database}",
            "databases": {n: {"url": "sqlite:///{database}"} for n in ("zero", "first", "last")},
        },
    )
    tenants = rows(*(f"t{i}" for i in range(10_000)))
    random.Random(1).shuffle(tenants)
    targets = ordered(targets_of(config, dev=tenants), config)
    deps = dependencies(targets, config)
    for found in (deps, reversed_(targets, deps)[1]):
        tuples = {id(names): names for names in found.values()}
        assert sum(map(sys.getsizeof, tuples.values())) < 200_000
    assert len(deps["dev/last"]) == 10_000


def test_what_is_looked_through_is_shared_as_well():
    """Without the shared database in the middle, every tenant waits for every tenant."""
    config = make_config(
        {"a": (), "b": ("a",), "c": ("b",)},
        dev={
            "url": "sqlite:///{tenant}/{database}",
            "databases": {"b": {"url": "sqlite:///{database}"}},
        },
    )
    tenants = rows(*(f"t{i}" for i in range(5_000)))
    targets = [t for t in targets_of(config, dev=tenants) if t.database != "b"]
    deps = dependencies(ordered(targets, config), config)
    assert len({id(deps[f"dev/c/t{i}"]) for i in range(5_000)}) == 1
    _, mirrored = reversed_(targets, deps)
    assert len({id(mirrored[f"dev/a/t{i}"]) for i in range(5_000)}) == 1
    assert len(mirrored["dev/a/t0"]) == 5_000
