import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fleet.address import AddressTemplate
from orchestrator.fleet.discovery import like, marked, outline, reader, tenants_in
from tests.fleet.examples import FOLDER

OWN = {"environment": "prod", "database": "orders"}
SECRETS = {"BASE": "mysql+pymysql://app:pw@db1", "PW": "p@ss"}


def outline_of(url, schema=None):
    template = AddressTemplate.parse(url, schema, FOLDER)
    return outline(template, OWN, lambda secret: SECRETS[secret.name])


def read(text, names, what="url"):
    found = outline_of(text)
    return tenants_in(names, [reader(found.location.database, what)])


@pytest.mark.parametrize(
    ("url", "names", "tenants"),
    [
        ("mysql://h/shop_{tenant}", ["shop_b", "shop_a", "shop_", "x"], ("a", "b")),
        ("mysql://h/{tenant}_{database}", ["a_orders", "a_catalog", "b_c_orders"], ("a", "b_c")),
        ("mysql://h/{name}", ["a", "b.c"], ("a", "b.c")),
        ("mysql://h/{tenant}_{environment}_{tenant}", ["a_prod_a", "a_prod_b"], ("a",)),
        ("${env:BASE}/{tenant}", ["a"], ("a",)),
        (
            "sqlite:///var/./{tenant}/x.db",
            ["/srv/shop/var/a/x.db", "/srv/shop/var/a/b/x.db"],
            ("a",),
        ),
        ("mysql://h/a.b_{tenant}", ["a.b_x", "aXb_y"], ("x",)),
    ],
)
def test_tenants_are_read_off_names(url, names, tenants):
    assert read(url, names) == tenants


@given(st.text(st.characters(codec="utf-8", exclude_characters="/\uf8fd\uf8fe"), min_size=1))
def test_what_an_address_is_filled_with_is_read_off_it(tenant):
    template = AddressTemplate.parse("mysql://h/{tenant}_{database}-{tenant}", None, FOLDER)
    labels = {**OWN, "tenant": tenant}
    name = template.fill(labels).resolve(lambda secret: "").database
    assert read("mysql://h/{tenant}_{database}-{tenant}", [name]) == (tenant,)


def test_the_most_literal_reader_wins():
    readers = [reader("\uf8fe_orders", "x"), reader("\uf8fe_old_orders", "x")]
    assert tenants_in(["acme_old_orders", "birch_orders"], readers) == ("acme", "birch")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mysql://h/{tier}_{tenant}", "a label other than {tenant} can't be read off the name"),
        ("mysql://h/{database}", "there is no {tenant} in the name"),
        ("mysql://h", "there is no {tenant} in the name"),
    ],
)
def test_names_that_do_not_tell_the_tenant(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        reader(outline_of(text).location.database, "the name")


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("mysql://app:${env:PW}@{database}.db:3306/{tenant}", True),
        ("mysql://{shard}.db/{tenant}", False),
        ("mysql://{tenant}@db/{tenant}", False),
        ("mysql://db:{port}/{tenant}", False),
        ("mysql://app:${env:PW_{tenant}}@db/{tenant}", False),
        ("mysql://db/{tenant}?a={tenant}", False),
        ("${env:BASE}/{tenant}", True),
    ],
)
def test_whether_all_tenants_are_on_one_server(url, same):
    found = outline_of(url)
    assert found.same_server is same
    assert marked(found.location.database)


def test_only_percent_stands_for_anything():
    pattern = like("shop_%.x")
    assert pattern.fullmatch("shop_a\n.x")
    assert not pattern.fullmatch("shopXa.x")
    assert not pattern.fullmatch("shop_aXx")
