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
