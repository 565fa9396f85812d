"""Valid files, as users write them."""

DESIGN = r"""
#:schema ./environments.schema.json

[project]
name   = "shop"
order  = ["dev", "staging", "prod"]            # the promotion path
ledger = "sqlite:///.orchestrator/ledger.db"   # any SQLAlchemy URL

[databases.catalog]
script_location = "migrations/catalog"         # Alembic's own words keep their own names
metadata        = "migrations.catalog.models:metadata"

[databases.orders]
script_location = "migrations/orders"
metadata        = "migrations.orders.models:Base"
after           = ["catalog"]                  # within one tenant: orders only once catalog is done

[environments.dev]
url     = "sqlite:///var/dev/{tenant}/{database}.db"
tenants = ["acme", "birch"]

[environments.staging]
url     = "postgresql+psycopg://app:${env:STAGING_PASSWORD}@db.staging/{tenant}_{database}"
tenants = [{ name = "acme", tier = "internal" }, { name = "birch", tier = "free" }]

[environments.prod]
url       = "mysql+pymysql://app:${file:/run/secrets/db}@{shard}.db.prod/{tenant}_{database}"
protected = true                               # asks first, or needs --yes
requires  = { environment = "staging", soak = "24h" }

[environments.prod.tenants]                    # discovered; each column is a label
query = "SELECT name, tier, shard FROM tenants WHERE active ORDER BY id"
url   = "${env:CONTROL_DB_URL}"

[environments.prod.databases.orders]           # per-database overrides
max_per_server = 2

[environments.prod.rollout]
max_parallel   = 64
max_per_server = 4
lock_timeout   = "5s"

[[environments.prod.rollout.waves]]
name  = "canary"
where = { tier = "internal" }

[[environments.prod.rollout.waves]]
name         = "everyone"
max_failures = "1%"
gate         = { soak = "15m", approval = true }
"""

PASSWORD = "hunter2-s3cret"

LITERAL = f'''
project = {{ name = "größe" }}   # a password in the file, inline tables, dotted and quoted keys
databases."app".script_location = "m"
databases.'audit.v2'.script_location = "n"

[environments.dev.databases."audit.v2"]
url = "postgresql+psycopg://ä:{PASSWORD}@db/{{tenant}}"   # ask bob@example.com
schema = '{{tier}}_{{tenant}}'

[environments.dev]
url = "mysql+pymysql://app:{PASSWORD}@db:3306/{{tenant}}?charset=utf8mb4"

[[environments.dev.tenants]]
name = "acmé"
tier = 1

[[environments.dev.tenants]]
name = "b"
tier = 2
password = "{PASSWORD}"

[environments.prod]
url = "${{cmd:vault read -field=url 'kv/{{tenant}}'}}"
tenants = {{ command = ["./tenants", "--json"] }}
rollout = {{ retries = 0, retry_delay = "1.5s", statement_timeout = "15m" }}
'''

DISCOVERED = """
[project]
name = "many"
[databases.a]
script_location = "a"
scratch = "mysql+pymysql://root@localhost/scratch"
[databases.b]
script_location = "b"
after = ["a"]
[databases.c]
script_location = "c"
after = ["a", "b"]
version_table = "versions"
[environments.by_database]
url = "mysql+pymysql://root@db/shop_{tenant}"
tenants = { databases = "shop_%" }
[environments.by_schema]
url = "postgresql+psycopg://app@db/shop"
schema = "tenant_{tenant}"
tenants = { schemas = "tenant_%" }
[environments.by_file]
url = "sqlite:///var/{tenant}.db"
tenants = { files = "var/*.db" }
[environments.by_file.rollout]
max_failures = [3, "0.5%"]
window = { from = "22:00", to = "04:00" }
gate = { command = { run = ["./smoke.sh", "${HOME}"] } }
[[environments.by_file.rollout.waves]]
name = "few"
pick = 5
order_by = "-name"
[environments.by_file.rollout.waves.gate.query]
sql = "SELECT count(*) FROM orders WHERE total IS NULL"
expect = 0
url = "mysql+pymysql://app:${env:PASSWORD}@metrics/{environment}"
[environments.by_csv]
url = "sqlite:///var/{region}/{tenant}.db"
tenants = { csv = "tenants.csv" }
requires = { environment = "by_file" }
[environments.by_csv.rollout.window]
days = ["tue", "wed"]
from = "00:00"
to = "24:00"
tz = "Europe/Berlin"
[[environments.by_csv.rollout.waves]]
name = "canary"
where = { tier = ["internal", 1, true], region = "eu" }
pick = "1%"
stratify = ["tier", "shard"]
order_by = ["tier", "-size"]
max_parallel = 4
max_per_server = 1
max_failures = 0
[environments.shared]
url = "sqlite:////srv/{environment}/{database}.db"
"""

ALL = (DESIGN, LITERAL, DISCOVERED)
