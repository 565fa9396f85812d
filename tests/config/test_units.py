"""Durations, names, suggestions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.names import label_problem, name_problem, tenant_name_problem
from orchestrator.config.problems import did_you_mean
from orchestrator.config.units import duration, seconds


@given(st.integers(0, 365 * 86400 * 1000))
def test_a_duration_survives_being_written(milliseconds):
    assert seconds(duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize(
    "value", ["5", "5 s", "-1s", "s", 5, True, None, "5S", "\u0665s", "5s\n", "1e3s"]
)
def test_not_a_duration(value):
    with pytest.raises(ValueError, match="a duration is a number and a unit"):
        seconds(value)


@pytest.mark.parametrize("value", ["366d", "9" * 400 + "d"])
def test_too_long_a_duration(value):
    with pytest.raises(ValueError, match="at most a year"):
        seconds(value)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "it is empty"),
        ("..", "it means a folder"),
        (" a", "it starts or ends with white space"),
        ("-rf", "it starts with '-', like an option"),
        ("a\0", "it has a control character, U+0000"),
        ("a\nb", "it has a control character, U+000A"),
        ("a\u202eb", "it has a control character, U+202E"),
        ("x" * 256, "it is longer than 255 characters"),
        *((f"a{c}b", f"it has a {c} in it") for c in "/\\'\"`*?[]{}$;|<>"),
    ],
)
def test_unsafe_tenant_names(name, problem):
    assert tenant_name_problem(name) == problem


@pytest.mark.parametrize("name", ["acme", "größe", "日本", "a b", "a.b", "x" * 255, "a%b", "a:b@c"])
def test_safe_tenant_names(name):
    assert tenant_name_problem(name) is None


def test_names_and_labels():
    assert name_problem("a-b.c_1") is None
    assert [
        name for name in ("", "a/b", "*", "-a", "a b", "é", "a\n") if not name_problem(name)
    ] == []
    assert label_problem("tier") is None
    for label in ("tenant", "environment", "database", "1a", "a-b", "", "é"):
        assert label_problem(label)


def test_did_you_mean():
    assert did_you_mean("prd", ["dev", "prod"]) == "did you mean 'prod'?"
    assert did_you_mean("PROD", ["dev", "prod"]) == "did you mean 'prod'?"
    assert did_you_mean("zzz", ["dev", "prod"]) is None
    assert did_you_mean("zzz", []) is None
