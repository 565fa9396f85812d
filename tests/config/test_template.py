"""Placeholders and secrets in text."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.template import Filled, Label, Secret, TemplateError, parse

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_characters="{}$"), max_size=8)
PIECES = st.one_of(
    TEXTS,
    NAMES.map("{{{}}}".format),
    NAMES.map("${{env:{}}}".format),
    NAMES.map("${{env:P_{{{}}}}}".format),
    st.from_regex(r"\$\{(file|cmd):[a-z/]{0,9}a(\{a\})?\}", fullmatch=True),
)


@given(st.lists(PIECES).map("".join))
def test_a_template_shows_as_it_was_written(text):
    assert str(parse(text)) == text
    assert parse(str(parse(text))) == parse(text)


@given(st.lists(PIECES).map("".join), st.text(max_size=5))
def test_what_fills_a_label_is_not_interpreted(text, value):
    template = parse(text)
    filled = template.fill(dict.fromkeys(template.labels, value))
    assert not filled.labels
    assert [s.kind for s in filled.secrets] == [s.kind for s in template.secrets]
    assert filled.resolve(str) == "".join(
        value if isinstance(p, Label) else str(fill(p, value)) for p in template.parts
    )


def fill(part, value):
    if not isinstance(part, Secret):
        return part
    return Secret(part.kind, tuple(value if isinstance(p, Label) else p for p in part.body))


@given(st.text(st.sampled_from("${}:env afilecmd'\"\\"), max_size=20))
def test_any_text_is_a_template_or_a_template_error(text):
    with suppress(TemplateError):
        assert str(parse(text)) == text


def test_parts():
    template = parse("a{x}${env:P_{y}}b")
    assert template.parts == ("a", Label("x"), Secret("env", ("P_", Label("y"))), "b")
    assert template.labels == {"x", "y"}
    assert template.secrets[0].name == "P_{y}"
    filled = template.fill({"x": "{y}", "y": "Y"})
    assert filled.parts == ("a{y}", Secret("env", ("P_", "Y")), "b")
    assert isinstance(filled.secrets[0].body[1], Filled)
    with pytest.raises(KeyError):
        template.fill({"x": "1"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pw{ord", "'{' is never closed"),
        ("pw}ord", "'}' without '{'"),
        ("pw{o-rd}", "a label's name has letters, digits and '_' only"),
    ],
)
def test_a_brace_of_a_password_is_not_shown(text, message):
    with pytest.raises(TemplateError) as caught:
        parse(text)
    assert str(caught.value) == (
        f"{message}; a placeholder is written {{tenant}},"
        " and in a URL a brace of its own %7B or %7D"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${PW}", "unknown placeholder '${PW}'; write ${env:PW}"),
        (
            "${vault:x}",
            "unknown placeholder; write ${env:NAME}, ${file:PATH}, ${cmd:COMMAND}",
        ),
        ("${env:a b}", "'${env:}' names nothing; write ${env:NAME}"),
        ("${file:}", "'${file:}' names nothing; write ${file:PATH}"),
        ("${env:X", "'${' is never closed; write ${env:NAME}, ${file:PATH}, ${cmd:COMMAND}"),
        ("${cmd:a 'b}", "'${cmd:}' has a quote that is never closed, or no command"),
    ],
)
def test_a_wrong_secret(text, message):
    with pytest.raises(TemplateError) as caught:
        parse(text)
    assert str(caught.value) == message
