"""Valid files, broken in every way: one clear message with places, and never a password."""

import re
import tomllib
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.config.load import ConfigFile, load
from orchestrator.errors import ConfigError
from tests.config.examples import ALL, PASSWORD
from tests.config.test_positions import inline, key
from tests.effort import examples

PLACE = re.compile(r"^\S*environments\.toml:\d+:\d+: \S")
SHOWN = re.compile(r"^ {2,}(\d+ )?(\||\S)")
LAST = re.compile(r"^(\d+) mistakes in \S*environments\.toml$")

JUNK = st.one_of(
    st.sampled_from(
        [*"[]{}\"'=.,#\n\r\t\\$%:/@ \0é日", '"""', "'''", "${", "${env:", "{x}", "\ufeff"]
    ),
    st.sampled_from(["inf", "nan", "1e999", "0x1", "1979-05-27", "true", "[[", "]]", "\x1b[2J"]),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=4),
)


@st.composite
def broken_texts(draw):
    text = draw(st.sampled_from(ALL))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(JUNK) + text[at + draw(st.integers(0, 8)) :]
    return text


NAMES = st.sampled_from(
    [
        *("name", "url", "schema", "tenants", "csv", "query", "command", "databases", "schemas"),
        *("files", "order", "after", "rollout", "protected", "retries", "lock_timeout", "project"),
        *("waves", "gate", "window", "requires", "where", "pick", "from", "tz", "days", "soak"),
        *("environments", "list", "labels", "token", "\0csv", "[key]", ""),
    ]
)
VALUES = st.recursive(
    st.one_of(
        st.integers(-1, 10**20),
        st.floats().map(str).map(lambda f: f if f in {"inf", "-inf", "nan"} else None),
        st.booleans(),
        st.text(st.sampled_from("a{}$%:/ é"), max_size=8),
        st.sampled_from(["{tenant}", "${env:X}", "sqlite://", f"mysql://u:{PASSWORD}@h/x", ""]),
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)


@st.composite
def broken_documents(draw):
    document = tomllib.loads(draw(st.sampled_from(ALL)))
    for _ in range(draw(st.integers(1, 3))):
        node = document
        while isinstance(node, dict | list) and node:
            place = draw(
                st.sampled_from(list(node) if isinstance(node, dict) else range(len(node)))
            )
            if draw(st.integers(0, 2)) == 0 or not isinstance(node[place], dict | list):
                break
            node = node[place]
        if not node:
            continue
        change = draw(st.sampled_from(["drop", "replace", "rename", "add", "copy"]))
        if change == "replace":
            node[place] = draw(VALUES)
        elif change == "copy":
            node[place] = deepcopy(document.get(draw(NAMES), draw(VALUES)))
        elif isinstance(node, list) or change == "add":
            node.append(draw(VALUES)) if isinstance(node, list) else node.setdefault(
                draw(NAMES), draw(VALUES)
            )
        elif change == "drop":
            del node[place]
        else:
            node[draw(NAMES)] = node.pop(place)
    return "".join(f"{key(k)} = {inline(v)}\n" for k, v in document.items()).replace(
        "\0", "\\u0000"
    )


@settings(max_examples=examples(600), deadline=None)
@given(broken_texts())
def test_broken_text(text):
    outcome(text)


@settings(max_examples=examples(400), deadline=None)
@given(broken_documents())
def test_broken_structure(text):
    outcome(text)


def outcome(text: str) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "environments.toml"
        file.write_bytes(text.encode())
        try:
            assert isinstance(load(file), ConfigFile)
        except ConfigError as error:
            message = str(error)
        else:
            return
    # A password that was torn from its place is nobody's password any more.
    if text.count(PASSWORD) == text.count(f":{PASSWORD}@") + text.count(f'password = "{PASSWORD}"'):
        assert PASSWORD not in message
    blocks = [line for line in message.split("\n") if PLACE.match(line)]
    rest = [line for line in message.split("\n") if not PLACE.match(line)]
    count = [int(m[1]) for m in map(LAST.match, rest) if m]
    assert blocks
    assert count == ([len(blocks)] if len(blocks) > 1 else [])
    assert all(SHOWN.match(line) or LAST.match(line) for line in rest), message
    assert message.replace("\n", "").isprintable()
    with suppress(tomllib.TOMLDecodeError):
        tomllib.loads(text)
        assert "not TOML" not in message
