"""No secret survives."""

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.redaction import Redactor

SECRETS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="*"), min_size=4)
AROUND = st.text(st.sampled_from("ab:/@ '\"\\n%"), max_size=6)
FORMS = [str, quote, quote_plus, lambda s: quote(s, safe=""), lambda s: repr(s)[1:-1], json.dumps]


@given(
    st.lists(SECRETS.filter(lambda s: len(s.strip()) >= 4), min_size=1, max_size=3), AROUND, AROUND
)
def test_no_secret_survives_in_any_form(secrets, before, after):
    redact = Redactor(secrets)
    for form in FORMS:
        text = before.join(form(secret) for secret in secrets) + after
        shown = redact(text)
        for secret in secrets:
            assert secret not in shown
            assert form(secret).strip('"') not in shown


def test_longest_first():
    assert Redactor(["hunter", "hunter2!"])("hunter2! hunter") == "*** ***"


def test_short_values_only_as_words():
    assert Redactor(["ab", ""])("ab cab ab: abc") == "*** cab ***: abc"


def test_each_line_of_a_key():
    key = "-----BEGIN KEY-----\nAAAA1111\n}\n-----END KEY-----\n"
    assert Redactor([key])("line 'AAAA1111' is bad }") == "line '***' is bad }"
    assert Redactor([key])(f"<{key}>") == "<***>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mysql://u:pw@h/d", "mysql://u:***@h/d"),
        ("mysql://u:p:w@x@h/d", "mysql://u:***@h/d"),
        ("see https://:tok@h and a@b", "see https://:***@h and a@b"),
        ("mysql://u@h:3306/d", "mysql://u@h:3306/d"),
        ("mysql://u:${env:PW}@h", "mysql://u:${env:PW}@h"),
        ("mysql://u:a${env:PW}@h", "mysql://u:***@h"),
        ("sqlite:///a.db", "sqlite:///a.db"),
    ],
)
def test_passwords_in_urls_that_nobody_told_us(text, shown):
    assert Redactor([])(text) == shown


@pytest.mark.parametrize("secret", ["app", "prod", "t000", "a1b2"])
def test_names_of_ours_that_hold_a_secret_stay_and_all_else_is_masked(secret):
    own = ("prod/app/t000", "a1b2c3d4")
    redact = Redactor([secret], own)

    step = "run it again: orchestrator retry 3 prod/app/t000, then a1b2c3d4"
    assert redact(step) == step
    assert (
        redact(f"Access denied (using password {secret})") == "Access denied (using password ***)"
    )
    assert secret not in redact(f"x://u:{secret}@h/prod/app/t0001").replace("prod/app/t0001", "")


def test_a_name_that_is_the_secret_is_masked():
    assert Redactor(["acme-secret"], ["acme-secret"])("acme-secret") == "***"
    assert Redactor(["s3cret"]).sparing(["prod/s3cret/x"])("prod/s3cret/x s3cret") == (
        "prod/s3cret/x ***"
    )


def test_a_secret_that_begins_in_a_name_and_goes_on_is_masked_whole():
    redact = Redactor(["t000 hunter2"], ["prod/app/t000"])

    assert redact("prod/app/t000 hunter2") == "prod/app/***"


def test_part_of_a_path_is_no_name_of_ours():
    assert Redactor(["prod"], ["prod/app/t000"])("/srv/prod/app/t000") == "/srv/***/app/t000"
