"""Waves, gates, windows and what environments require of each other."""

# ruff: noqa: E501 - a message is compared as it is shown

from textwrap import dedent

import pytest

from orchestrator.config.load import load
from orchestrator.config.models import Config, Wave
from orchestrator.render.config import resolved
from tests.config.examples import ALL, PASSWORD

DEV = """\
environments.dev.url = "sqlite:///var/{tenant}.db"
environments.dev.tenants = [{ name = "acme", tier = "internal", size = 3 }, { name = "birch", beta = true }]
"""


@pytest.fixture
def rollout(tmp_path):
    """Load lines of ``[environments.dev.rollout]``."""

    def loaded(lines):
        file = tmp_path / "environments.toml"
        file.write_text(
            f'project.name = "x"\ndatabases.a.script_location = "m"\n{DEV}'
            f"[environments.dev.rollout]\n{dedent(lines)}"
        )
        return load(file).config.environments["dev"].rollout

    return loaded


def test_left_out_means_one_wave_without_failures_at_any_time(rollout):
    settings = rollout("")
    assert (settings.max_failures, settings.window) == (0, None)
    assert (settings.waves, settings.gate) == ((), None)


def test_a_wave_says_no_more_than_it_must(rollout):
    (wave,) = rollout('[[environments.dev.rollout.waves]]\nname = "all"').waves
    assert wave == Wave(name="all")
    assert (wave.where, wave.pick, wave.stratify, wave.order_by) == ({}, None, (), ())
    assert (wave.max_parallel, wave.max_per_server, wave.max_failures) == (None, None, None)


def test_labels_are_compared_as_text(rollout):
    text = 'waves = [{ name = "w", where = { size = 3, beta = [true, "x"], tier = "internal" } }]'
    assert rollout(text).waves[0].where == {
        "size": ("3",),
        "beta": ("true", "x"),
        "tier": ("internal",),
    }


def test_one_label_is_a_list_of_one(rollout):
    assert rollout('waves = [{ name = "w", order_by = "-size" }]').waves[0].order_by == ("-size",)


def test_an_expected_result_keeps_its_type(rollout):
    for written, value in (("0", 0), ("true", True), ("1", 1), ('"0"', "0"), ("1.0", 1.0)):
        query = rollout(f'gate = {{ query = {{ sql = "x", expect = {written} }} }}').gate.query
        assert query.expect == value
        assert type(query.expect) is type(value)


@pytest.mark.parametrize("written", ["3", '"1%"', '"0.5%"', '"100%"', '"0%"', '[3, "1%"]', "0"])
def test_budgets(written, rollout):
    budget = rollout(f"max_failures = {written}").max_failures
    assert str(budget).replace("(", "[").replace(")", "]").replace("'", '"') in {
        written,
        written.strip('"'),
    }


RIGHT = '[[environments.dev.rollout.waves]]\nname = "w"\n'


@pytest.mark.parametrize(
    ("lines", "place", "message", "hint"),
    [
        ('max_failures = "101%"', "5:16", "a percentage is at most 100%", None),
        ('max_failures = "100.1%"', "5:16", "a percentage is at most 100%", None),
        ("max_failures = -1", "5:16", "expected 0 or more", None),
        ("max_failures = true", "5:16", 'expected a count or a percentage: 3 or "1%"', None),
        ('max_failures = "1 %"', "5:16", 'expected a count or a percentage: 3 or "1%"', None),
        ('max_failures = "٣%"', "5:16", 'expected a count or a percentage: 3 or "1%"', None),
        (
            'max_failures = ["1%", "2%"]',
            "5:16",
            'a list has a count and a percentage, of which the larger counts: [3, "1%"]',
            None,
        ),
        (
            "max_failures = []",
            "5:16",
            'a list has a count and a percentage, of which the larger counts: [3, "1%"]',
            None,
        ),
        (
            'window = { from = "22:00", to = "22:00" }',
            "5:33",
            "a window that closes when it opens is never open",
            'for whole days write from = "00:00" and to = "24:00"',
        ),
        (
            'window = { from = "22:00", to = "23:00", days = [] }',
            "5:49",
            "a window without days never opens",
            "leave 'days' out",
        ),
        (
            'window = { from = "22:00", to = "23:00", days = ["tue", "tue"] }',
            "5:57",
            "'tue' is twice in days",
            None,
        ),
        (
            'window = { from = "22:00", to = "23:00", days = ["Tuesday"] }',
            "5:50",
            "a day is one of mon, tue, wed, thu, fri, sat, sun",
            None,
        ),
        (
            'window = { from = "24:00", to = "23:00" }',
            "5:19",
            'a time of day is text, from "00:00" to "23:59"',
            None,
        ),
        (
            'window = { from = 04:00:00, to = "05:00" }',
            "5:19",
            'a time of day is text, from "00:00" to "23:59"',
            None,
        ),
        ('window = { from = "22:00" }', "5:1", "'to' is missing", None),
        (
            'window = { from = "22:00", to = "23:00", tz = "Europe/Berln" }',
            "5:47",
            "unknown time zone 'Europe/Berln'",
            "did you mean 'Europe/Berlin'?",
        ),
        ('window = { from = "22:00", to = "23:00", tz = "Europe" }', "5:47", "unknown time", None),
        ('window = { from = "22:00", to = "23:00", tz = "/etc/x" }', "5:47", "unknown time", None),
        (
            "gate = {}",
            "5:8",
            "a gate that asks for nothing",
            'for example: gate = { soak = "15m", approval = true }',
        ),
        (
            "gate = { approval = false }",
            "5:8",
            "a gate that asks for nothing",
            'for example: gate = { soak = "15m", approval = true }',
        ),
        (
            "gate = { comand = {} }",
            "5:10",
            "unknown key 'comand'",
            "did you mean 'command'?",
        ),
        ("gate = { command = { run = [] } }", "5:28", "this must not be empty", None),
        (
            'gate = { command = { run = ["./x", "${env:TOKEN}"] } }',
            "5:36",
            "secrets are not filled in here",
            "let the command read it: it has the environment of orchestrator",
        ),
        (
            'gate = { query = { sql = "SELECT ${file:/x}", expect = 0 } }',
            "5:26",
            "secrets are not filled in here, only in url",
            None,
        ),
        ('gate = { query = { sql = "SELECT 1" } }', "5:10", "'expect' is missing", None),
        (
            'gate = { query = { sql = "SELECT 1", expect = [1] } }',
            "5:47",
            "a result is text, a number, true or false",
            None,
        ),
        (
            'gate = { query = { sql = "x", expect = 0, url = "sqlite:///{tenant}.db" } }',
            "5:49",
            "nothing fills {tenant} here",
            "there are: {environment}",
        ),
        (
            'gate = { query = { sql = "x", expect = 0, url = "nonsense" } }',
            "5:49",
            "this is not a database URL",
            None,
        ),
        (RIGHT.replace('"w"', '"a/b"'), "6:8", "'a/b' can't name a wave", None),
        (
            RIGHT.replace('"w"', '"rest"'),
            "6:8",
            "'rest' can't name a wave",
            "it is the last wave, of what no listed wave takes",
        ),
        (
            RIGHT + "pick = 1\n" + RIGHT,
            "9:8",
            "wave 'w' is there twice",
            None,
        ),
        (RIGHT + "pick = 0", "7:8", "expected more than 0", None),
        (RIGHT + 'pick = "0%"', "7:8", "expected more than 0", None),
        (RIGHT + 'pick = "200%"', "7:8", "a percentage is at most 100%", None),
        (RIGHT + "max_paralel = 3", "7:1", "unknown key 'max_paralel'", None),
        (
            RIGHT + 'where = { tir = "x" }',
            "7:11",
            "no tenant has a label 'tir'",
            "did you mean 'tier'?",
        ),
        (
            RIGHT + 'where = { tier = "intrnal" }',
            "7:18",
            "no tenant has tier = 'intrnal'",
            "did you mean 'internal'?",
        ),
        (
            RIGHT + "where = { size = [4, 5] }",
            "7:18",
            "no tenant has size = '4' or '5'",
            "there are: 3",
        ),
        (
            RIGHT + "where = { size = [] }",
            "7:18",
            "this must not be empty",
            None,
        ),
        (
            RIGHT + "where = { size = [{}] }",
            "7:18",
            "a label is text, a number, true or false",
            None,
        ),
        (
            RIGHT + 'pick = 1\nstratify = ["size", "bet"]',
            "8:21",
            "no tenant has a label 'bet'",
            "did you mean 'beta'?",
        ),
        (
            RIGHT + 'stratify = ["size"]',
            "7:12",
            "'stratify' is about what 'pick' takes",
            "add pick, for example: pick = 5",
        ),
        (
            RIGHT + 'order_by = ["size", "-siz"]',
            "7:21",
            "no tenant has a label 'siz'",
            "did you mean 'size'?",
        ),
        (
            RIGHT + RIGHT.replace('"w"', '"v"') + "pick = 1",
            "8:8",
            "nothing is left for wave 'v': wave 'w' takes every target",
            "give that wave a 'where' or a 'pick', or move it to the end",
        ),
        (
            "gate = { approval = true }\n" + RIGHT,
            "5:1",
            "nothing is left for this gate: wave 'w' takes every target",
            "give the gate to that wave",
        ),
    ],
)
def test_mistake(lines, place, message, hint, mistake):
    shown = mistake(f"{DEV}[environments.dev.rollout]\n{lines}").split("\n")
    # Three lines of a small file come before those of the environment.
    line, column = place.split(":")
    assert shown[0].startswith(f"environments.toml:{int(line) + 2}:{column}: {message}")
    assert hint is None or shown[1].strip() == hint
    assert not any(" mistakes in " in line for line in shown)


@pytest.mark.parametrize(
    ("lines", "message", "hint"),
    [
        (
            'requires = { environment = "stagin" }',
            "unknown environment 'stagin' in requires",
            "did you mean 'staging'?",
        ),
        (
            'requires = { environment = "zzz" }',
            "unknown environment 'zzz' in requires",
            "there are: staging, extra",
        ),
        ('requires = { environment = "dev" }', "environment 'dev' can't require itself", None),
        (
            'requires = { environment = "staging" }',
            "'dev' requires 'staging', which is upgraded later",
            "the order is: dev, staging",
        ),
        (
            'requires = { environment = "extra" }',
            "environments require each other: dev → extra → dev",
            None,
        ),
        ('requires = { environment = "staging", soak = 3 }', "a duration is a number and", None),
        ('requires = { soak = "1h" }', "'environment' is missing", None),
        ('requires = "staging"', "expected a table", None),
    ],
)
def test_requires(lines, message, hint, mistake):
    shown = mistake(
        'project.order = ["dev", "staging"]\n[environments.dev]\nurl = "${env:X}"\n'
        f'{lines}\n[environments.staging]\nurl = "${{env:Y}}"\n'
        '[environments.extra]\nurl = "${env:Z}"\nrequires = { environment = "dev" }\n'
    ).split("\n")
    assert shown[0].split(" ", 1)[1].startswith(message)
    # A cycle is shown where it closes.
    place = "environments.toml:12:" if "→" in message else "environments.toml:7:"
    assert shown[0].startswith(place)
    assert hint is None or shown[1].strip() == hint
    assert not any(" mistakes in " in line for line in shown)


def test_a_chain_of_requires_is_no_cycle(tmp_path):
    names = [f"e{n}" for n in range(2000)]
    text = 'project.name = "x"\ndatabases.a.script_location = "m"\n' + "".join(
        f'[environments.{name}]\nurl = "${{env:X}}"\n'
        + (f'requires = {{ environment = "{before}" }}\n' if before else "")
        for name, before in zip(names, [None, *names], strict=False)
    )
    (tmp_path / "environments.toml").write_text(text)
    assert load(tmp_path / "environments.toml").config.environments["e1999"].requires


def test_discovered_tenants_have_no_label_but_their_name(mistake):
    lines = '[environments.dev]\nurl = "sqlite:///{tenant}.db"\ntenants.files = "*.db"\n'
    wave = '[[environments.dev.rollout.waves]]\nname = "w"\nwhere = { %s }\n'
    shown = mistake(lines + wave % 'name = "acme", tier = "x"')
    assert "no tenant has a label 'tier'" in shown
    assert "there are: name" in shown


def test_labels_of_a_csv_file_are_not_known_yet(tmp_path):
    (tmp_path / "environments.toml").write_text(ALL[2])
    waves = load(tmp_path / "environments.toml").config.environments["by_csv"].rollout.waves
    assert waves[0].where == {"tier": ("internal", "1", "true"), "region": ("eu",)}


def test_a_mistake_in_a_gate_hides_no_other(mistake):
    shown = mistake(
        DEV + 'environments.dev.requires = { soak = "1h" }\n'
        'environments.prod = { url = "${env:X}", requires = { environment = "dve" } }\n'
        "[environments.dev.rollout]\n"
        'window = { from = "22:00" }\n'
        "gate = { query = { expect = 0 } }\n"
        "[[environments.dev.rollout.waves]]\n"
        'where = { tier = "internal" }\n'
        "[environments.dev.rollout.waves.gate]\n"
        "soak = 3\n"
    )
    assert [line.split(": ", 1)[1] for line in shown.split("\n") if ".toml:" in line] == [
        "'environment' is missing",
        "unknown environment 'dve' in requires",
        "'to' is missing",
        "'sql' is missing",
        "'name' is missing",
        'a duration is a number and a unit: "500ms", "5s", "15m", "24h" or "7d"',
    ]


@pytest.mark.parametrize("text", ALL)
def test_what_is_shown_can_be_read_again(text, tmp_path):
    (tmp_path / "environments.toml").write_text(text)
    config = load(tmp_path / "environments.toml").config
    again = Config.model_validate(resolved(config))
    assert again.environments.keys() == config.environments.keys()
    for name, environment in config.environments.items():
        assert again.environments[name].rollout == environment.rollout
        assert again.environments[name].requires == environment.requires


def test_the_password_of_a_gate_is_masked(rollout):
    settings = rollout(
        f'gate = {{ query = {{ sql = "x", expect = 0, url = "mysql://u:{PASSWORD}@h/x" }} }}'
    )
    config = Config.model_validate(
        {
            "project": {"name": "x"},
            "databases": {"a": {"script_location": "m"}},
            "environments": {"dev": {"url": "${env:X}", "rollout": settings}},
        }
    )
    shown = resolved(config)["environments"]["dev"]["rollout"]["gate"]["query"]["url"]
    assert shown == "mysql://u:***@h/x"
