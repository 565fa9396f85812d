import re
import tracemalloc
from pathlib import PurePosixPath

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import URL, make_url

from orchestrator.config.problems import Problems
from orchestrator.fleet.expand import expand, target
from tests.effort import examples
from tests.fleet.examples import (
    FOLDER,
    location,
    make_config,
    names,
    problems_of,
    rows,
    targets_of,
)

SHARDED = "mysql://u:${env:P}@{shard}/{tenant}_{database}"
DISCOVERED = {"query": "SELECT name", "url": "sqlite:///control.db"}


def dev(url, tenants=DISCOVERED, **more):
    return make_config(dev={"url": url, "tenants": tenants, **more})


def test_each_tenant_has_each_database():
    config = dev("sqlite:///{tenant}/{database}.db")
    targets = targets_of(config, dev=rows("acme", "birch", tier="free"))
    assert names(targets) == [
        "dev/catalog/acme",
        "dev/catalog/birch",
        "dev/orders/acme",
        "dev/orders/birch",
    ]
    assert str(targets[3].address) == "sqlite:///birch/orders.db"
    assert targets[3].labels == {"name": "birch", "tier": "free"}
    assert targets[3].tenant == "birch"


def test_a_url_without_a_placeholder_of_a_tenant_is_one_shared_target():
    config = dev(
        "mysql://{shard}/{tenant}_{database}",
        databases={"catalog": {"url": "mysql://db/{environment}_{database}"}},
    )
    targets = targets_of(config, dev=rows("acme", "birch", shard="s1"))
    assert names(targets) == ["dev/catalog", "dev/orders/acme", "dev/orders/birch"]
    assert str(targets[0].address) == "mysql://db/dev_catalog"
    assert (targets[0].tenant, targets[0].labels) == (None, {})


def test_overrides_come_before_the_environment():
    config = dev(
        "postgresql://db/{database}",
        schema="{tenant}",
        databases={"catalog": {"schema": "cat_{tenant}"}, "orders": {"schema": ""}},
    )
    catalog, orders = targets_of(config, dev=rows("acme"))
    assert str(catalog.address.schema) == "cat_acme"
    assert orders.name == "dev/orders"
    assert not orders.address.schema


def test_only_the_environments_that_were_read_are_expanded():
    config = make_config(dev={"url": "sqlite:///{tenant}.db"}, prod={"url": "nonsense"})
    assert "nonsense" not in str(problems_of(config, dev=rows("acme")))


def test_a_worker_makes_the_same_target_from_names():
    config = dev("sqlite:///{tenant}/{database}.db", databases={"catalog": {"url": "sqlite:///c"}})
    for found in targets_of(config, dev=rows("acme", "birch", tier="free")):
        again = target(config, FOLDER, "dev", found.database, found.labels)
        assert again == found
    with pytest.raises(Problems):
        target(config, FOLDER, "dev", "orders", {"name": "../x"})


def test_every_problem_is_reported_at_its_place():
    config = make_config(
        dev={"url": "sqlite:///{tenent}/{database}", "tenants": ["acme"]},
        prod={
            "url": "mysql://{shard}.db/{tenant}_{database}",
            "tenants": [{"name": "acme", "shard": "a/b"}, {"name": "birch", "shard": "s1"}],
            "databases": {"orders": {"url": "mysql:nothing"}},
        },
    )
    prod = [{"name": "acme", "shard": "a/b"}, {"name": "birch", "shard": "s1"}]
    assert problems_of(config, dev=rows("acme"), prod=prod) == [
        "environments.dev.url: no label fills {tenent} for tenants: acme (did you mean 'tenant'?)",
        "environments.prod.tenants.0.shard: label 'shard': '/' can't be in a host: 'a/b'",
        (
            "environments.prod.databases.orders.url: not a database URL; write"
            " driver://user:password@host:port/database, as in"
            " postgresql+psycopg://app:${env:PASSWORD}@db1/shop"
        ),
    ]


def test_a_mistake_made_for_thousands_is_one_problem():
    config = dev("sqlite:///{shard}/{tenant}/{database}")
    tenants = rows(*(f"t{i}" for i in range(5000)))
    assert problems_of(config, dev=tenants) == [
        (
            "environments.dev.url: no label fills {shard} for tenants:"
            " t0, t1, t2, t3, t4 and 4,995 more"
            " (labels there are: database, environment, name, tenant)"
        )
    ]


def test_an_environment_without_tenants_fills_no_placeholder():
    assert problems_of(dev("sqlite:///{tenant}/{database}", []), dev=[]) == [
        (
            "environments.dev.url: no label fills {tenant}: the environment has no tenants"
            ' (list them: tenants = ["acme", "birch"])'
        )
    ]


@pytest.mark.parametrize(
    ("url", "labels", "message"),
    [
        ("sqlite:///{tenant}", {"name": "../x"}, "it has a /"),
        ("sqlite:///{tenant}", {"name": ".."}, "it means a folder"),
        ("sqlite:///{tenant}", {"name": "a\0b"}, "it has a control character"),
        ("sqlite:///{tenant}", {"name": ":memory:"}, "in memory"),
        ("sqlite:///file:{tenant}?uri=true", {"name": ":memory:"}, "in memory"),
        ("sqlite:///file:{x}?uri=true", {"x": "a?mode=memory"}, "'?' can't be in a file: URI"),
        ("sqlite:///file:{x}?uri=true", {"x": "%2e%2e"}, "'%' can't be in a file: URI"),
        ("sqlite:///v/{x}/db", {"x": ".."}, "'..' can't be in the path of a file"),
        ("sqlite:///v/{x}{y}/db", {"x": ".", "y": "."}, "'.' can't be in the path of a file"),
        ("sqlite:///v/{x}", {"x": "a\\b"}, "can't be in the path of a file"),
        ("sqlite:///v/{x}", {"x": ""}, "an empty value can't be in the path of a file"),
        ("mysql://{x}/d", {"x": "evil/db?"}, "'/' can't be in a host"),
        ("mysql://{x}/d", {"x": "a@b"}, "'@' can't be in a host"),
        ("mysql://h:{x}/d", {"x": "33o6"}, "'o' can't be in a port"),
        ("mysql://h/{x}", {"x": "a`b"}, "'`' can't be in the name of a database"),
        ("mysql://h/{x}", {"x": "a'b"}, "can't be in the name of a database"),
        ("mysql://h/{x}", {"x": "a\nb"}, "can't be in the name of a database"),
        ("mysql://h/{x}", {"x": "a" * 65}, "longer than 64 characters"),
        ("mariadb+pymysql://h/{x}", {"x": "é" * 65}, "longer than 64 characters"),
        ("mysql://h?x={x}", {"x": "a"}, "the URL names no database"),
        ("postgresql://h/{x}", {"x": "é" * 32}, "longer than 63 bytes"),
        ("postgresql://h/d|é{x}", {"x": "a" * 62}, "longer than 63 bytes"),
        ("postgresql://h/d|{x}", {"x": 'a"b'}, "can't be in the name of a schema"),
        ("mysql://h/d|{x}", {"x": "a"}, "mysql has no schemas"),
        ("mysql://h/${env:DB_{x}}", {"x": "a}b"}, "'}' can't be in the name of a variable"),
        ("mysql://h/${file:run/{x}}", {"x": "../shadow"}, "'/' can't be in the path of a secret"),
        ("mysql://h/${cmd:vault {x}}", {"x": "a; rm b"}, "';' can't be in a command"),
        ("mysql://h/${cmd:vault {x}}", {"x": "--all"}, "'-' can't be in a command"),
        ("${env:BASE}{x}", {"x": "@evil"}, "'@' can't be in a URL"),
        ("${env:BASE}/{x}", {"x": "a/b"}, "'/' can't be in a URL"),
        ("mysql://h/{database}x{x}", {"x": "a", "database": "b"}, "set by orchestrator"),
    ],
)
def test_values_that_would_leave_their_place_are_refused(url, labels, message):
    url, _, schema = url.partition("|")
    config = make_config({"catalog": ()}, dev={"url": url, "tenants": DISCOVERED, "schema": schema})
    problems = problems_of(config, dev=[{"name": "acme"} | labels])
    assert message in "\n".join(problems)


def test_names_are_as_long_as_the_servers_take():
    for url, name in (("mysql://h/{tenant}", "a" * 64), ("postgresql://h/{tenant}", "a" * 63)):
        config = make_config({"catalog": ()}, dev={"url": url, "tenants": DISCOVERED})
        assert problems_of(config, dev=rows(name)) == []


def test_two_tenants_of_one_name_are_refused():
    config = dev("sqlite:///{tenant}/{database}")
    assert problems_of(config, dev=rows("acme", "birch", "acme"))[0] == (
        "environments.dev.tenants: tenants of one name: 'acme'"
    )


@pytest.mark.parametrize(
    ("environments", "problem"),
    [
        (
            {"dev": {"url": "sqlite:///{tenant}"}},
            (
                "environments.dev.url: targets of their own share one database:"
                " dev/catalog/acme and dev/orders/acme (sqlite:///acme)"
                " (put {database} into the url; or, where each has a version table of its own, say"
                " so: version_table = … in [databases.…])"
            ),
        ),
        (
            {
                "dev": {"url": "mysql://localhost/{tenant}{database}"},
                "prod": {"url": "mariadb+pymysql://u:hunter2@127.0.0.1:3306/{tenant}{database}"},
            },
            (
                "environments.prod.url: targets of their own share one database:"
                " dev/catalog/acme and prod/catalog/acme"
                " (mariadb+pymysql://u:***@127.0.0.1:3306/acmecatalog),"
                " dev/orders/acme and prod/orders/acme"
                " (mariadb+pymysql://u:***@127.0.0.1:3306/acmeorders)"
                " (put {environment} into the url, or give each environment a server)"
            ),
        ),
        (
            {"dev": {"url": "postgresql://h/{database}", "schema": "{size}"}},
            (
                "environments.dev.url: targets of their own share one schema:"
                " dev/catalog/acme and dev/catalog/birch (postgresql://h/catalog, schema s),"
                " dev/orders/acme and dev/orders/birch (postgresql://h/orders, schema s)"
                " (put {tenant} into the url or schema, or another label that no two tenants share)"
            ),
        ),
    ],
)
def test_two_targets_on_one_place_are_refused(environments, problem):
    config = make_config(**environments)
    tenants = rows("acme", "birch", size="s") if "size" in str(environments) else rows("acme")
    assert problems_of(config, **dict.fromkeys(environments, tenants)) == [problem]


PLACES = [
    "mysql+pymysql://{x}:{x}@h/d?a={x}",
    "mysql+pymysql://{x}/d",
    "mysql+pymysql://h:{x}/d",
    "mysql+pymysql://h/a_{x}",
    "mysql+pymysql://h/{x}",
]
FILTERS = [HealthCheck.filter_too_much, HealthCheck.too_slow]
WILD = st.one_of(
    st.text("ab1.-_", min_size=1, max_size=5),
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.text("./\\'\"`?#@:%;-a1 \0\n", max_size=5),
)


@given(st.sampled_from(PLACES), WILD)
def test_no_accepted_value_changes_another_part_of_the_url(url, value):
    config = make_config({"d": ()}, dev={"url": url, "tenants": DISCOVERED})
    assume(not problems_of(config, dev=[{"name": "acme", "x": value}]))
    found = URL.create(**location(url, x=value).components)
    again = make_url(found.render_as_string(hide_password=False))
    plain = make_url(url.replace("{x}", "1"))
    for part in ("drivername", "username", "password", "host", "port", "database"):
        expected = getattr(plain, part)
        if "{x}" in str(getattr(make_url(url.replace(":{x}/", ":77/")), part)):
            expected = str(expected).replace("1", value)
        elif part == "port" and "h:{x}" in url:
            expected = int(value)
        assert (getattr(again, part) or "") == (expected or ""), part


@settings(suppress_health_check=FILTERS)
@given(WILD, WILD)
def test_no_accepted_value_leaves_its_folder(x, y):
    url = "sqlite:///var/{x}/a{y}.db"
    config = make_config({"d": ()}, dev={"url": url, "tenants": DISCOVERED})
    assume(not problems_of(config, dev=[{"name": "acme", "x": x, "y": y}]))
    path = PurePosixPath(location(url, x=x, y=y).database)
    assert path.parts == ("/", "srv", "shop", "var", x, f"a{y}.db")
    assert "\0" not in str(path)


@settings(suppress_health_check=FILTERS, max_examples=examples(50))
@given(st.lists(WILD, min_size=2, max_size=3))
def test_accepted_targets_have_names_of_three_parts(tenants):
    config = make_config({"d": ()}, dev={"url": "mysql://u:{tenant}@h/{i}", "tenants": DISCOVERED})
    labels = [{"name": name, "i": str(i)} for i, name in enumerate(tenants)]
    assume(not problems_of(config, dev=labels))
    found = names(targets_of(config, dev=labels))
    assert all(re.fullmatch(r"dev/d/[^/\x00-\x1f]+", name) for name in found)
    assert len(set(found)) == len(tenants)


def test_targets_are_small():
    config = make_config({"d": ()}, dev={"url": SHARDED, "tenants": DISCOVERED})
    tenants = rows(*(f"tenant{i}" for i in range(3000)), shard="s1")
    tracemalloc.start()
    targets = expand(config, FOLDER, {"dev": tenants})
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / len(targets) < 1500
