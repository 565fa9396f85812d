"""What travels between machines comes back as it was, and nothing else is taken for it."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fleet.version_table import VersionTable
from orchestrator.inspection.querying import Mismatch
from orchestrator.inspection.reading import Held, Reading
from orchestrator.inspection.rights import Probe
from orchestrator.rollout.outcomes import Outcome, State
from orchestrator.worker.contents import pack, unpack
from orchestrator.worker.jobs import Committing, Go, Job, Leave, Made, Running, Waiting

st.register_type_strategy(Path, st.just(Path("/srv/project/environments.toml")))
data = st.one_of(
    st.none(),
    st.text(),
    st.builds(VersionTable),
    *(
        st.lists(st.builds(of), min_size=1, max_size=3).map(tuple)
        for of in (Reading, Held, Mismatch, Probe)
    ),
)
outcomes = st.builds(Outcome, data=st.none(), seconds=st.floats(0, 1e6))
contents: st.SearchStrategy[Any] = st.one_of(
    st.builds(Job, lock_wait=st.floats(0, 1e6)),
    st.builds(Go),
    st.builds(Leave),
    st.builds(Running),
    st.builds(Committing),
    st.builds(Made),
    st.builds(Waiting),
    st.builds(lambda outcome, data: replace(outcome, data=data), outcomes, data),
)


@given(contents)
def test_what_is_packed_is_unpacked(content: Any) -> None:
    found = unpack(pack(content))

    assert type(found) is type(content)
    assert found == content


@given(st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_nothing_else_is_taken_for_a_message(text: str) -> None:
    with pytest.raises(ValueError, match="none of our messages"):
        unpack(text)


@given(contents, st.data())
def test_a_message_that_was_tampered_with_is_itself_or_none(content: Any, draw: Any) -> None:
    text = pack(content)
    at = draw.draw(st.integers(0, len(text) - 1))
    other = text[:at] + draw.draw(st.characters()) + text[at + 1 :]
    try:
        found = unpack(other)
    except ValueError:
        return
    assert type(found) in {Job, Go, Leave, Running, Committing, Made, Waiting, Outcome}


@pytest.mark.parametrize(
    "what", [object(), "text", pickle.dumps(1), Outcome("a", State.DONE, data=[1])]
)
def test_what_is_no_message_does_not_travel(what: Any) -> None:
    with pytest.raises(ValueError, match="does not travel"):
        pack(what)
