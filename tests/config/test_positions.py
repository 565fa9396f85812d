"""The place of everything in a TOML file."""

import tomllib
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.config.positions import Positions, Span
from tests.effort import examples

TEXT = dedent("""\
    a.b = 1
    "q é" = [1, "ü", { z.y = 2, w = 'c' }]   # comment
    text = '''
    first
    '''

    [x."y z".w]
    k = true
    list = [
      "one",  # comment
      # comment
      { n = "日本", m = 2 },
    ]

    [x]
    v = 1979-05-27

    [[arr.t]]
    n = 1
    [[arr.t]]
      [arr.t.sub]
      m = inf
      [[arr.t.more]]
      o = 1
    """)


@pytest.mark.parametrize(
    ("path", "on_key", "span"),
    [
        (("a",), False, Span(1, 1, 1)),
        (("a", "b"), False, Span(1, 7, 1)),
        (("a", "b"), True, Span(1, 3, 1)),
        (("q é",), True, Span(2, 1, 5)),
        (("q é", 1), False, Span(2, 13, 3)),
        (("q é", 2, "z", "y"), False, Span(2, 26, 1)),
        (("q é", 2, "w"), True, Span(2, 29, 1)),
        (("q é", 2, "missing"), False, Span(2, 18, 20)),
        (("q é", 9), False, Span(2, 1, 5)),
        (("text",), False, Span(3, 8, 3)),
        (("x",), False, Span(15, 2, 1)),
        (("x", "y z"), False, Span(7, 4, 5)),
        (("x", "y z", "w"), False, Span(7, 10, 1)),
        (("x", "y z", "w", "missing", "more"), False, Span(7, 10, 1)),
        (("x", "y z", "w", "list", 1, "m"), False, Span(12, 19, 1)),
        (("x", "v"), False, Span(16, 5, 10)),
        (("arr", "t"), False, Span(18, 7, 1)),
        (("arr", "t", 0, "n"), False, Span(19, 5, 1)),
        (("arr", "t", 1), False, Span(20, 7, 1)),
        (("arr", "t", 1, "missing"), False, Span(20, 7, 1)),
        (("arr", "t", 1, "sub", "m"), False, Span(22, 7, 3)),
        (("arr", "t", 1, "more", 0, "o"), True, Span(24, 3, 1)),
        (("missing",), False, Span(1, 1, 1)),
        ((), False, Span(1, 1, 1)),
    ],
)
def test_position(path, on_key, span):
    assert Positions(TEXT).find(path, on_key=on_key) == span


def test_lines_may_end_as_on_windows():
    assert Positions(TEXT.replace("\n", "\r\n")).find(("x", "v")) == Span(16, 5, 10)
    assert Positions("a = '''\r\nb'''\r\n").find(("a",)) == Span(1, 5, 3)


KEYS = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=5),
)
SCALARS = st.one_of(
    st.integers(-9, 9999), st.booleans(), st.text(st.sampled_from("aé日{}#=[]."), max_size=6)
)
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=3), max_leaves=6
)
DOCUMENTS = st.dictionaries(
    KEYS,
    VALUES
    | st.dictionaries(KEYS, VALUES, max_size=3)
    | st.lists(st.dictionaries(KEYS, VALUES, max_size=2), min_size=1, max_size=3),
    min_size=1,
    max_size=4,
)
STYLES = st.randoms(use_true_random=False)


@settings(max_examples=examples(150), deadline=None)
@given(DOCUMENTS, STYLES)
def test_what_stands_at_a_position_is_what_was_looked_for(document, style):
    text = "".join(written((), document, style))
    assert tomllib.loads(text) == document
    positions = Positions(text)
    lines = text.split("\n")
    for path, value in leaves((), document):
        span = positions.find(path)
        assert lines[span.line - 1][span.column - 1 :].startswith(inline(value)), (path, text)
        if isinstance(path[-1], str):
            span = positions.find(path, on_key=True)
            found = lines[span.line - 1][span.column - 1 :][: span.width]
            assert next(iter(tomllib.loads(f"{found} = 0"))) == path[-1]


def leaves(path, value):
    if isinstance(value, dict):
        for key, below in value.items():
            yield from leaves((*path, key), below)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from leaves((*path, index), below)
    else:
        yield path, value


def written(path, table, style):
    """Write a table in a style: headers, dotted keys, inline, arrays of tables, comments."""
    tables = {}
    for name, value in table.items():
        listed = isinstance(value, list) and value and all(isinstance(v, dict) for v in value)
        if (isinstance(value, dict) or listed) and style.random() < 0.6:
            tables[name] = value
        elif isinstance(value, dict) and len(value) > 0 and style.random() < 0.5:
            for below, inner in value.items():
                yield f"{key(name)}.{key(below)} = {inline(inner)}\n"
        else:
            yield f"{'  ' * style.randrange(2)}{key(name)} = {inline(value)}  # é = 1\n"
    for name, value in tables.items():
        header = ".".join(map(key, (*path, name)))
        for item in value if isinstance(value, list) else [value]:
            yield f"[[{header}]]\n" if isinstance(value, list) else f"[{header}]\n"
            yield from written((*path, name), item, style)


def key(name):
    return name if name and name.isascii() and name.replace("_", "a").isalnum() else inline(name)


def inline(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key(k)} = {inline(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
