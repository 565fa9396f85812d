"""Whole messages, as users see them."""

# ruff: noqa: E501 - a message is compared as it is shown

from textwrap import dedent

from orchestrator.config.load import load
from orchestrator.config.problems import Problem
from tests.config.examples import PASSWORD


def test_every_mistake_is_shown_at_its_place_in_the_order_of_the_file(mistakes):
    assert mistakes("""
        [project]
        name = "shop"
        order = ["dev", "prd"]

        [databases.orders]
        script_locaton = "migrations/orders"
        metadata = "migrations"

        [environments.dev]
        url = 3
        tenants = ["acme", { nam = "birch" }]
        max_parallel = 3

        [environments.dev.rollout]
        retries = true
        lock_timeout = "5 s"

        [environments.prod]
        url = "sqlite:///var/{tenat}.db"
        tenants = ["acme"]
        """) == dedent("""\
        environments.toml:3:17: unknown environment 'prd' in order
               3 | order = ["dev", "prd"]
                 |                 ^^^^^
              did you mean 'prod'?
        environments.toml:6:1: unknown key 'script_locaton'
               6 | script_locaton = "migrations/orders"
                 | ^^^^^^^^^^^^^^
              did you mean 'script_location'?
        environments.toml:7:12: this is not in the right form
               7 | metadata = "migrations"
                 |            ^^^^^^^^^^^^
              for example: metadata = "migrations.orders.models:Base"
        environments.toml:10:7: expected text in quotes
              10 | url = 3
                 |       ^
              for example: url = "postgresql+psycopg://app:${env:DB_PASSWORD}@db.example.com/{tenant}"
        environments.toml:11:20: 'name' is missing
              11 | tenants = ["acme", { nam = "birch" }]
                 |                    ^^^^^^^^^^^^^^^^^
              for example: name = "acme"
        environments.toml:12:1: unknown key 'max_parallel'
              12 | max_parallel = 3
                 | ^^^^^^^^^^^^
              it belongs into [environments.dev.rollout]
        environments.toml:15:11: expected a whole number
              15 | retries = true
                 |           ^^^^
        environments.toml:16:16: a duration is a number and a unit: "500ms", "5s", "15m", "24h" or "7d"
              16 | lock_timeout = "5 s"
                 |                ^^^^^
        environments.toml:19:7: nothing fills {tenat}: tenant 'acme' has no label 'tenat'
              19 | url = "sqlite:///var/{tenat}.db"
                 |       ^^^^^^^^^^^^^^^^^^^^^^^^^^
              did you mean 'tenant'?
        9 mistakes in environments.toml""")


def test_a_missing_table_is_shown_at_the_top(mistakes):
    assert mistakes("""
        [databases.orders]
        script_location = "m"

        [environments.dev]
        """) == dedent("""\
        environments.toml:1:1: 'project' is missing
               1 | [databases.orders]
                 | ^
              add a table [project] with name = "shop"
        environments.toml:4:15: 'url' is missing
               4 | [environments.dev]
                 |               ^^^
              for example: url = "postgresql+psycopg://app:${env:DB_PASSWORD}@db.example.com/{tenant}"
        2 mistakes in environments.toml""")


def test_a_password_is_never_shown_and_the_caret_stays_under_its_value(mistakes):
    assert mistakes(f"""
        project.name = "shop"
        databases.orders.script_location = "m"
        environments.dev = {{ url = "mysql://u:{PASSWORD}@h/{{x}}", tenants = ["a"], token = "{PASSWORD}", y = 1 }}
        """) == dedent("""\
        environments.toml:3:28: nothing fills {x}: tenant 'a' has no label 'x'
               3 | environments.dev = { url = "mysql://u:***@h/{x}", tenants = ["a"], token = "***", y = 1 }
                 |                            ^^^^^^^^^^^^^^^^^^^^^
              there are: {database}, {environment}, {name}, {tenant}
        environments.toml:3:79: unknown key 'token'
               3 | environments.dev = { url = "mysql://u:***@h/{x}", tenants = ["a"], token = "***", y = 1 }
                 |                                                                    ^^^^^
              known keys: url, schema, tenants, x, place, protected, create, create_owner, create_charset, create_collation, requires, databases, rollout
        environments.toml:3:105: unknown key 'y'
               3 | environments.dev = { url = "mysql://u:***@h/{x}", tenants = ["a"], token = "***", y = 1 }
                 |                                                                                   ^
              known keys: url, schema, tenants, x, place, protected, create, create_owner, create_charset, create_collation, requires, databases, rollout
        3 mistakes in environments.toml""")


def test_a_long_line_is_cut_around_the_caret(mistakes):
    names = ", ".join(f'"tenant-{n}"' for n in range(40))
    assert mistakes(f"""
        project.name = "shop"
        databases.orders.script_location = "m"
        environments.dev = {{ url = "sqlite:///x/{{tenant}}.db", tenants = [{names}, 7, {names[:-1]}x"] }}
        """) == dedent("""\
        environments.toml:3:576: a tenant is a name, or a table of labels: { name = "acme", tier = "free" }
               3 | …"tenant-37", "tenant-38", "tenant-39", 7, "tenant-0", "tenant-1", "tenant-2", "tenant-3", "tenant-4…
                 |                                         ^""")


def test_wide_and_combined_characters_do_not_move_the_caret(mistakes):
    message = mistakes("""
        project.name = "shop"
        databases.orders.script_location = "m"
        environments."日本" = { url = "${env:É}", x = 1 }
        """)
    assert message.split("\n")[:3] == [
        "environments.toml:3:14: '日本' can't name an environment",
        '       3 | environments."日本" = { url = "${env:É}", x = 1 }',
        "         |              ^^^^^^",
    ]


def test_what_could_draw_on_a_terminal_is_not_shown(mistakes):
    message = mistakes(
        'project.name = "a"\nproject."\\u001b[2J" = "\x7f"\n'.replace("\x7f", "é\u202e")
    )
    assert "\x1b" not in message
    assert "\u202e" not in message


def test_problems_found_elsewhere_are_placed_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below").mkdir()
    file = tmp_path / "below" / "environments.toml"
    file.write_text(
        '[project]\nname = "x"\n[databases.a]\nscript_location = "m"\n'
        '[environments.dev]\nurl = "sqlite:///x.db"\n'
    )
    problem = Problem(
        ("environments", "dev", "url"), "two targets share this database", "use {tenant}"
    )
    assert str(load(file).error([problem])) == dedent("""\
        below/environments.toml:6:7: two targets share this database
               6 | url = "sqlite:///x.db"
                 |       ^^^^^^^^^^^^^^^^
              use {tenant}""")
