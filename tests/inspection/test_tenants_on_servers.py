import pytest
from sqlalchemy import make_url

from orchestrator.config.problems import Problems
from orchestrator.config.secrets import Secrets
from orchestrator.errors import TargetsFailed
from orchestrator.inspection.tenants.read import read_tenants
from tests.fleet.examples import make_config
from tests.servers import PASSWORD, unique


def read(folder, tenants, url, databases=("orders",), **more):
    config = make_config(
        dict.fromkeys(databases, ()), prod={"url": url, "tenants": tenants, **more}
    )
    return list(read_tenants("prod", config, folder, Secrets(folder, {"PW": PASSWORD})))


def names(tenants):
    return [tenant["name"] for tenant in tenants]


def template(server, database):
    """A URL as people write it: a secret for the password, placeholders in the database."""
    url = make_url(server.url())
    secret = f"{url.drivername}://{url.username}:${{env:PW}}@{url.host}:{url.port}/"
    own = server.password == PASSWORD
    return (secret if own else server.url("x").removesuffix("x")) + database


@pytest.fixture(scope="module", params=["mariadb", "mysql", "postgres"])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def shop(server):
    """Databases of two tenants; the underscore after ``shop`` must not stand for anything."""
    base = unique("shop")
    made = [f"{base}_{name}" for name in ("b_orders", "a_orders", "a_old_orders", "c_catalog")]
    with server.databases(*made, f"{base}X_d_orders"):
        yield base


def test_databases(server, shop, tmp_path):
    url = template(server, f"{shop}_{{tenant}}_{{database}}")
    tenants = {"databases": f"{shop}_%"}
    assert names(read(tmp_path, tenants, url)) == ["a", "a_old", "b"]
    some = {"databases": f"{shop}_a%"}
    assert names(read(tmp_path, some, url)) == ["a", "a_old"]
    found = read(tmp_path, tenants, url, databases=("orders", "old_orders", "catalog"))
    assert names(found) == ["a", "b", "c"]


def test_system_databases_are_nobody_s(server, shop, tmp_path):
    found = names(read(tmp_path, {"databases": "%"}, template(server, "{tenant}")))
    assert f"{shop}_a_orders" in found
    assert not {"mysql", "information_schema", "postgres", "template1"}.intersection(found)


def test_databases_of_a_named_server(server, shop, tmp_path):
    tenants = {"databases": f"{shop}_%", "url": template(server, server.home)}
    url = f"{server.dialect}+{server.driver}://{{shard}}.db:{{port}}/{shop}_{{tenant}}_orders"
    assert names(read(tmp_path, tenants, url)) == ["a", "a_old", "b"]


def test_no_database_found(server, tmp_path):
    with pytest.raises(Problems, match="no database is like 'nothing_%' and fits the url"):
        read(tmp_path, {"databases": "nothing_%"}, template(server, "nothing_{tenant}"))


def test_a_query_with_percent_signs_and_colons(server, shop, tmp_path):
    columns = "'acme' AS name, 5 AS shard, 1=1 AS vip, NULL AS tier, '12:30' AS x"
    sql = f"SELECT {columns} WHERE 'a%' LIKE 'a%'"
    found = read(tmp_path, {"query": sql, "url": template(server, server.home)}, "sqlite:///{name}")
    vip = "1" if server.dialect == "mysql" else "true"
    assert found == [{"name": "acme", "shard": "5", "vip": vip, "x": "12:30"}]


def test_the_database_s_own_words(server, shop, tmp_path):
    tenants = {"query": "SELECT name FROM nowhere", "url": template(server, f"{shop}_a_orders")}
    with pytest.raises(TargetsFailed, match=r"nowhere.* (doesn't|does not) exist"):
        read(tmp_path, tenants, "sqlite:///{name}")


def test_a_wrong_password_is_reported_and_not_shown(server, tmp_path):
    wrong = make_url(server.url(server.home)).set(password="hunter2")
    tenants = {"query": "SELECT 1", "url": wrong.render_as_string(hide_password=False)}
    with pytest.raises(TargetsFailed, match=r"denied|authentication failed") as error:
        read(tmp_path, tenants, "sqlite:///{name}")
    assert "hunter2" not in str(error.value)


def test_schemas(postgres, tmp_path):
    database = unique("schemas")
    with postgres.databases(database):
        wanted = ["tenant_b", "tenant_a", "tenantXc", "other"]
        postgres.execute_all([f'CREATE SCHEMA "{name}"' for name in wanted], database)
        url = template(postgres, database)
        schema = {"schema": "tenant_{tenant}"}
        assert names(read(tmp_path, {"schemas": "tenant_%"}, url, **schema)) == ["a", "b"]
        assert names(read(tmp_path, {"schemas": "%"}, url, schema="{tenant}")) == sorted(
            ["public", *wanted]
        )
        elsewhere = {"schemas": "tenant_%", "url": url}
        moving = "postgresql+psycopg://{shard}/x"
        assert names(read(tmp_path, elsewhere, moving, **schema)) == ["a", "b"]


def test_schemas_of_each_database(postgres, tmp_path):
    base = unique("schemas")
    with postgres.databases(f"{base}_orders", f"{base}_catalog"):
        postgres.execute("CREATE SCHEMA a", f"{base}_orders")
        postgres.execute("CREATE SCHEMA b", f"{base}_catalog")
        url = template(postgres, f"{base}_{{database}}")
        tenants = {"schemas": "%"}
        found = read(tmp_path, tenants, url, ("orders", "catalog"), schema="{tenant}")
        assert names(found) == ["a", "b", "public"]
