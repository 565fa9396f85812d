import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL, make_url

from orchestrator.config.template import Secret
from orchestrator.fleet.address import AddressTemplate
from tests.fleet.examples import FOLDER, address, location

URLS = [
    "mysql+pymysql://app:pw@db1:3307/shop",
    "mysql+pymysql://app@db1/shop?charset=utf8mb4&charset=latin1",
    "mysql+pymysql://us%40er:p%40ss%2Fw%3Ard%25%23@db1/shop",
    "postgresql+psycopg://app:p:w@[::1]:5433/shop",
    "postgresql+psycopg:///shop?host=/var/run/postgresql",
    "postgresql://",
    "postgresql://db1",
    "postgresql://:5433/",
    "mariadb+pymysql://:pw@/shop",
    "postgresql+psycopg://db1/shop?application_name=a+b%26c&empty=",
]
VALUES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@pytest.mark.parametrize("url", URLS)
def test_a_url_without_placeholders_is_read_as_sqlalchemy_reads_it(url):
    ours, theirs = location(url), make_url(url)
    assert ours.driver == theirs.drivername
    assert (ours.username or "") == (theirs.username or "")
    assert (ours.password or "") == (theirs.password or "")
    assert (ours.host or "") == (theirs.host or "")
    assert ours.port == (theirs.port or None)
    assert (ours.database or "") == (theirs.database or "")
    assert dict(ours.query) == dict(theirs.query)


@given(VALUES, VALUES, VALUES)
def test_any_value_stays_in_its_place(username, password, value):
    """Whatever a label or a secret holds, it comes out of the rendered URL where it was put in."""
    url = "mysql+pymysql://{u}:${env:P}@db1:3307/shop?charset=utf8&x={v}"
    found = location(url, None, {"P": password}, u=username, v=value)
    rendered = URL.create(**found.components).render_as_string(hide_password=False)
    assert make_url(rendered) == URL.create(
        "mysql+pymysql", username, password, "db1", 3307, "shop", {"charset": "utf8", "x": value}
    )


@given(VALUES)
def test_a_secret_password_stays_in_its_place_behind_a_secret_start(password):
    url = "${env:BASE}:${env:P}@db1/{tenant}"
    found = location(url, None, {"BASE": "mysql+pymysql://app", "P": password}, tenant="acme")
    assert (found.username, found.password, found.host) == ("app", password, "db1")
    assert found.database == "acme"


def test_text_around_a_placeholder_is_decoded_and_its_value_is_not():
    url = "mysql+pymysql://a%40{x}%41:%25{x}%25@db1/%5F{x}?k=%26{x}+b"
    found = location(url, x="%41+")
    assert (found.username, found.password) == ("a@%41+A", "%%41+%")
    assert (found.database, found.query) == ("_%41+", {"k": "&%41+ b"})


def test_the_whole_url_may_be_a_secret():
    secrets = {"URL": "postgresql+psycopg://app:p%40ss@DB1/shop"}
    found = location("${env:URL}", "{tenant}", secrets, tenant="acme")
    assert found.password == "p@ss"
    assert found.schema == "acme"
    assert found.identity == "postgresql://db1:5432/shop#acme"
    assert address("${env:URL}").server == "${env:URL}"
    assert address("${env:URL}/x").redacted == "${env:URL}/x"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mysql+pymysql://app:hunter2@db1/shop", "mysql+pymysql://app:***@db1/shop"),
        ("mysql+pymysql://app:${env:PW}@db1/shop", "mysql+pymysql://app:${env:PW}@db1/shop"),
        ("mysql+pymysql://app:hunter2${env:PW}@db1/shop", "mysql+pymysql://app:***@db1/shop"),
        ("mysql+pymysql://app:x{tenant}@db1/{tenant}", "mysql+pymysql://app:***@db1/acme"),
        ("postgresql://db1/x?password=hunter2&a=b", "postgresql://db1/x?password=***&a=b"),
        ("postgresql://[fe80::1]:5433/shop", "postgresql://[fe80::1]:5433/shop"),
        ("sqlite:///var/{tenant}.db", "sqlite:///var/acme.db"),
        ("sqlite:////srv/{tenant}.db", "sqlite:////srv/acme.db"),
        ("${env:SCHEME}://app:hunter2@db1/shop", "${env:SCHEME}://app:***@db1/shop"),
        ("${env:USER}:hunter2@db1/shop", "${env:USER}:***@db1/shop"),
        ("${env:SCHEME}://app:a:b/c@db1/x", "${env:SCHEME}://app:***@db1/x"),
        ("${env:SCHEME}://app:${env:P}@db1/x", "${env:SCHEME}://app:${env:P}@db1/x"),
        ("${env:BASE}/x?sslpassword=hunter2", "${env:BASE}/x?sslpassword=***"),
    ],
)
def test_people_see_no_password(url, shown):
    filled = address(url, tenant="acme")
    assert filled.redacted == str(filled) == shown
    assert "hunter2" not in repr(location("mysql://a:hunter2@b/c?password=hunter2"))


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("mysql+pymysql://DB1/shop", "mysql://db1:3306"),
        ("mariadb+pymysql://db1/shop", "mariadb://db1:3306"),
        ("postgresql+psycopg://a:b@db1:6432/shop", "postgresql://db1:6432"),
        ("postgresql://[FE80::1]/shop", "postgresql://[fe80::1]:5432"),
        ("postgresql:///x?host=/var/run/postgresql", "postgresql:///var/run/postgresql:5432"),
        ("postgresql:///x?host=DB1&port=6432", "postgresql://db1:6432"),
        ("mysql:///x?unix_socket=/run/my.sock", "mysql:///run/my.sock"),
        ("mysql+pymysql://${env:Host}/shop", "mysql://${env:Host}:3306"),
        ("mysql+pymysql://{shard}.db:${env:PORT}/shop", "mysql://eu.db:${env:PORT}"),
        ("sqlite:///x.db", "sqlite"),
    ],
)
def test_a_server_is_named_without_driver_user_and_database(url, server):
    assert address(url, shard="eu").server == server


LOCAL = st.sampled_from(["", "localhost", "LOCALHOST", "127.0.0.1", "[::1]"])
PORT = st.sampled_from(["", ":3306"])
DRIVER = st.sampled_from(["mysql", "mysql+pymysql", "mariadb+pymysql"])


@given(DRIVER, LOCAL, PORT)
def test_this_machine_is_one_server_however_it_is_spelt(driver, host, port):
    url = f"{driver}://somebody@{host}{port}/shop"
    assert address(url).identity == location(url).identity == "mysql://localhost:3306/shop"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("postgresql://h/d", None), ("postgresql+psycopg://u:p@H:5432/d", "public"), True),
        (("postgresql://h/d", "a"), ("postgresql://h/d", "b"), False),
        (("postgresql://h/d%23a", "b"), ("postgresql://h/d", "a#b"), False),
        (("postgresql://d@h", None), ("postgresql://h/d", None), True),
        (("postgresql://h/d?options=-csearch_path%3Da", None), ("postgresql://h/d", None), False),
        (("mysql://h/d", None), ("mysql://h/D", None), False),
        (("mysql://h/d", None), ("mysql://h:3307/d", None), False),
        (("mysql://${env:A}/d", None), ("mysql://${env:a}/d", None), False),
        (("sqlite:///a/../x.db", None), ("sqlite:////srv/shop/x.db", None), True),
        (("sqlite:///file:x.db?uri=true&mode=rw", None), ("sqlite:///./x.db", None), True),
        (("sqlite:///file:/srv/shop/x%20y?uri=true", None), ("sqlite:///x y", None), True),
        (("sqlite:///file:/srv/shop/x%2520y?uri=true", None), ("sqlite:///x y", None), True),
        (("sqlite:///x.db", None), ("sqlite:///y.db", None), False),
    ],
)
def test_identities_are_equal_only_for_one_physical_place(one, other, same):
    addresses = address(*one), address(*other)
    assert (addresses[0].identity == addresses[1].identity) is same
    hosts = {"A": "db1", "a": "db2"}
    resolved = [a.resolve(lambda secret: hosts[secret.name]).identity for a in addresses]
    assert (resolved[0] == resolved[1]) is same


@pytest.mark.parametrize(
    ("url", "database"),
    [
        ("sqlite:///var/x.db", "/srv/shop/var/x.db"),
        ("sqlite:////tmp/x.db", "/tmp/x.db"),
        ("sqlite:///file:x.db?uri=true", "file:/srv/shop/x.db"),
        ("sqlite:///file:x.db", "/srv/shop/file:x.db"),
        ("sqlite:///:memory:", ":memory:"),
        ("sqlite://", None),
    ],
)
def test_paths_are_relative_to_the_file(url, database):
    assert location(url).database == database


def test_labels_and_secrets_are_known_without_filling():
    url = "mysql+pymysql://app:${env:PW_{tenant}}@{shard}/{environment}_{database}?a={tier}"
    template = AddressTemplate.parse(url, "{database}", FOLDER)
    assert template.tenant_labels == {"tenant", "shard", "tier"}
    labels = dict.fromkeys(("tenant", "shard", "tier", "environment", "database"), "x")
    assert template.fill(labels).secrets == (Secret("env", ("PW_", "x")),)
    assert AddressTemplate.parse("sqlite:///{database}.db", None, FOLDER).tenant_labels == set()
    with pytest.raises(KeyError, match="shard"):
        template.fill({"tenant": "x"})


@pytest.mark.parametrize(
    "url",
    [
        "hunter2",
        "mysql:hunter2",
        "mysql://a:b@c:hunter2/d",
        "{tenant}://hunter2",
        "mysql://h/d?{a}=hunter2",
    ],
)
def test_what_is_no_url_is_not_repeated(url):
    with pytest.raises(ValueError) as error:
        AddressTemplate.parse(url, None, FOLDER)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("value", ["hunter2", "mysql://a:b@c:hunter2/d"])
def test_a_secret_that_is_no_url_is_not_repeated(value):
    with pytest.raises(ValueError, match=r"\$\{env:URL\}") as error:
        location("${env:URL}", None, {"URL": value})
    assert "hunter2" not in str(error.value)
    with pytest.raises(ValueError) as error:
        location("mysql://h:${env:PORT}/d", None, {"PORT": "hunter2"})
    assert "hunter2" not in str(error.value)
    assert error.value.__cause__ is None
