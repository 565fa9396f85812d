from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.fleet.address import AddressTemplate
from orchestrator.fleet.selectors import Selector, environments_needed, select
from orchestrator.fleet.target import Target
from tests.fleet.examples import FOLDER, make_config, names

NOWHERE = AddressTemplate.parse("sqlite:///x", None, FOLDER).fill({})


def a_target(environment, database, tenant=None, **labels):
    known = {} if tenant is None else {"name": tenant, **labels}
    return Target(environment, database, tenant, known, NOWHERE)


FLEET = [
    a_target("dev", "catalog"),
    a_target("dev", "orders", "acme", tier="free"),
    a_target("prod", "catalog"),
    a_target("prod", "orders", "acme", tier="internal", region="eu"),
    a_target("prod", "orders", "birch", tier="free"),
    a_target("prod", "orders", "a[1]", tier="free"),
]


def chosen(*selectors, where=(), exclude=()):
    parsed = [Selector.parse(text) for text in selectors]
    return names(select(FLEET, parsed, dict(where), [Selector.parse(text) for text in exclude]))


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        ([], names(FLEET)),
        (["dev"], ["dev/catalog", "dev/orders/acme"]),
        (["prod/orders"], ["prod/orders/acme", "prod/orders/birch", "prod/orders/a[1]"]),
        (["prod/catalog"], ["prod/catalog"]),
        (["prod/catalog/*"], ["prod/catalog"]),
        (["prod/*/acme"], ["prod/orders/acme"]),
        (["*/*/acme"], ["dev/orders/acme", "prod/orders/acme"]),
        (["prod/*/*"], names(FLEET[2:])),
        (["p*/o*/?[ci]*"], ["prod/orders/acme", "prod/orders/birch"]),
        (["prod/orders/a[1]"], ["prod/orders/a[1]"]),
        (["prod/orders/birch", "dev/catalog"], ["dev/catalog", "prod/orders/birch"]),
        (["prod/orders/birch", "prod"], names(FLEET[2:])),
    ],
)
def test_selectors(selectors, expected):
    assert chosen(*selectors) == expected


def test_labels_and_exclusions():
    assert chosen("prod", where={"tier": "free"}.items()) == [
        "prod/orders/birch",
        "prod/orders/a[1]",
    ]
    assert chosen(where={"tier": "internal", "region": "eu"}.items()) == ["prod/orders/acme"]
    assert chosen(exclude=["prod", "*/catalog"]) == ["dev/orders/acme"]
    assert chosen("dev", exclude=["nothing"]) == chosen("dev")


TEXT = st.text("ab*?[]!-", min_size=1, max_size=4)
PLAIN = st.text("ab[", min_size=1, max_size=3)
TARGETS = st.lists(
    st.builds(
        a_target,
        PLAIN,
        PLAIN,
        st.none() | PLAIN,
        tier=st.sampled_from("xy"),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda t: t.name,
)
SELECTORS = st.lists(st.lists(TEXT | PLAIN, min_size=1, max_size=3).map("/".join), max_size=3)


def naive(target, selector):
    parts = selector.split("/")
    parts += ["*"] * (3 - len(parts))
    values = (target.environment, target.database, target.tenant or "")
    return all(v == p or fnmatchcase(v, p) for v, p in zip(values, parts, strict=True))


@given(TARGETS, SELECTORS, SELECTORS, st.none() | st.sampled_from("xyz"))
def test_selection_is_what_a_naive_reading_gives(targets, selectors, exclude, tier):
    expected = [
        t
        for t in targets
        if (not selectors or any(naive(t, s) for s in selectors))
        and not any(naive(t, s) for s in exclude)
        and (tier is None or t.labels.get("tier") == tier)
    ]
    useless = [s for s in selectors if not any(naive(t, s) for t in targets)]
    where = {} if tier is None else {"tier": tier}
    parsed = [[Selector.parse(text) for text in texts] for texts in (selectors, exclude)]
    if useless or not expected:
        with pytest.raises(UsageError):
            select(targets, parsed[0], where, parsed[1])
    else:
        assert list(select(targets, parsed[0], where, parsed[1])) == expected


CONFIG = make_config(
    order=["staging", "prod"],
    dev={"url": "sqlite:///d"},
    prod={"url": "sqlite:///p"},
    staging={"url": "sqlite:///s"},
)


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        ([], ("staging", "prod")),
        (["dev"], ("dev",)),
        (["dev/orders", "prod/*/acme"], ("prod", "dev")),
        (["*"], ("staging", "prod", "dev")),
        (["*d*/catalog"], ("prod", "dev")),
    ],
)
def test_only_environments_that_matter_are_read(selectors, expected):
    assert environments_needed([Selector.parse(s) for s in selectors], CONFIG) == expected


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        (
            "pord",
            (
                "there is no environment 'pord'\n  did you mean 'prod'?"
                "\n  there are: dev, prod, staging"
            ),
        ),
        ("x*", "no environment matches 'x*'\n  there are: dev, prod, staging"),
        (
            "prod/order",
            (
                "there is no database 'order' (in 'prod/order')\n  did you mean 'orders'?"
                "\n  there are: catalog, orders"
            ),
        ),
    ],
)
def test_an_unknown_name_is_reported_before_any_tenant_is_read(selector, message):
    with pytest.raises(UsageError) as error:
        environments_needed([Selector.parse(selector)], CONFIG)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"selectors": ["prod/orders/brich"]},
            (
                "there is no tenant 'brich' (in 'prod/orders/brich')\n  did you mean 'birch'?"
                "\n  there are: acme, birch, a[1]"
            ),
        ),
        (
            {"selectors": ["prod/catalog/acme"]},
            "there is no tenant 'acme' (in 'prod/catalog/acme')\n  there are none",
        ),
        (
            {"where": {"teir": "free"}},
            "no target has a label 'teir'\n  did you mean 'tier'?\n  there are: name, tier, region",
        ),
        (
            {"where": {"tier": "paid"}},
            "no target has tier=paid\n  there are: free, internal",
        ),
        (
            {"selectors": ["prod/orders"], "where": {"tier": "internal", "name": "birch"}},
            "no target has name=birch\n  there are: acme",
        ),
        (
            {"selectors": ["dev"], "exclude": ["dev/*", "x"]},
            "no target is left without 'dev/*', 'x'",
        ),
    ],
)
def test_what_matches_nothing_is_an_error_that_lists_what_there_is(arguments, message):
    with pytest.raises(UsageError) as error:
        chosen(
            *arguments.get("selectors", ()),
            where=arguments.get("where", {}).items(),
            exclude=arguments.get("exclude", ()),
        )
    assert str(error.value) == message


def test_of_a_thousand_tenants_ten_are_listed():
    fleet = [a_target("prod", "orders", f"t{i}") for i in range(1000)]
    with pytest.raises(UsageError, match=r"there are: t0, .*, t9 and 990 more$"):
        select(fleet, [Selector.parse("prod/orders/zzz")], {}, [])


@pytest.mark.parametrize("text", ["", "/", "prod/", "prod//acme", "a/b/c/d"])
def test_what_is_no_selector(text):
    with pytest.raises(UsageError, match="is not a selector; write ENVIRONMENT"):
        Selector.parse(text)
