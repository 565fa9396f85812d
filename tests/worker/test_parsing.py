"""Revisions that are only read, and what a target at some heads has pending: as Alembic has it."""

from itertools import count
from pathlib import Path

import hypothesis.strategies as st
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from hypothesis import HealthCheck, given, reject, settings

from orchestrator.rollout.outcomes import Revision
from orchestrator.rollout.revisions import Revisions
from orchestrator.worker.scripts.directory import heads_after, revision_of
from orchestrator.worker.scripts.parsing import written_revisions
from tests.effort import examples

FOLDERS = count()


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Draw revisions, each with those that it follows and those that it depends on."""
    found: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
    for number in range(draw(st.integers(1, 8))):
        earlier = [id_ for id_, _, _ in found]
        follows = (
            draw(st.lists(st.sampled_from(earlier), max_size=2, unique=True)) if earlier else []
        )
        left = [id_ for id_ in earlier if id_ not in follows]
        needs = draw(st.lists(st.sampled_from(left), max_size=1)) if left else []
        found.append((f"r{number}", tuple(follows), tuple(needs)))
    return found


def write(folder: Path, history: list[tuple[str, tuple[str, ...], tuple[str, ...]]]) -> Path:
    versions = folder / "versions"
    versions.mkdir(parents=True)
    (folder / "env.py").write_text("")
    for id_, follows, needs in history:
        down = follows[0] if len(follows) == 1 else follows or None
        (versions / f"{id_}.py").write_text(
            f'"""revision {id_}"""\nrevision: str = {id_!r}\ndown_revision = {down!r}\n'
            f"branch_labels = None\ndepends_on = {needs or None!r}\ndef upgrade(): ...\n"
        )
    return versions


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=histories(), data=st.data())
def test_as_alembic_has_it(tmp_path: Path, history: list, data: st.DataObject) -> None:
    folder = tmp_path / str(next(FOLDERS))
    versions = write(folder, history)
    config = Config()
    config.set_main_option("script_location", str(folder))
    directory = ScriptDirectory.from_config(config)
    theirs = {script.revision: revision_of(script) for script in directory.walk_revisions()}

    ours = written_revisions(versions.glob("*.py"))

    assert {revision.id: revision for revision in ours} == {
        id_: Revision(**{**_fields(revision), "branch_labels": ()})
        for id_, revision in theirs.items()
    }
    everything = directory._upgrade_revs("heads", ())
    try:
        heads = heads_after((), everything[: data.draw(st.integers(0, len(everything)))])
    except KeyError:  # Alembic can't merge a revision with one that depends on it
        reject()
    steps = directory._upgrade_revs("heads", heads)
    pending = Revisions(ours).pending(heads)
    assert {r.id for r in pending} == {step.revision.revision for step in steps}
    done = set(heads)
    for revision in pending:  # nothing before what it follows
        there = set(Revisions(ours).ancestors(done))
        assert {*revision.down, *revision.depends_on} <= there
        done.add(revision.id)


def _fields(revision: Revision) -> dict:
    return {name: getattr(revision, name) for name in Revision.__slots__}


def test_a_file_that_is_no_python_still_tells_its_revision(tmp_path: Path) -> None:
    versions = write(tmp_path, [("a", (), ()), ("b", ("a",), ())])
    (versions / "b.py").write_text("revision = 'b'\ndown_revision = 'a'\ndef upgrade(:\n")
    (versions / "helper.py").write_text("from nowhere import *\n")

    newest, oldest = written_revisions(versions.glob("*.py"))

    assert (newest.id, newest.down, newest.is_head) == ("b", ("a",), True)
    assert (oldest.id, oldest.is_head) == ("a", False)


def test_a_dependency_on_a_branch_is_one_on_its_revision(tmp_path: Path) -> None:
    versions = write(tmp_path, [("a", (), ()), ("b", (), ())])
    (versions / "a.py").write_text("revision='a'\ndown_revision=None\nbranch_labels=('east',)\n")
    (versions / "b.py").write_text("revision='b'\ndown_revision=None\ndepends_on='east'\n")

    found = {revision.id: revision for revision in written_revisions(versions.glob("*.py"))}

    assert found["b"].depends_on == ("a",)
    assert found["a"].branch_labels == ("east",)


def test_what_is_written_out_nowhere_is_an_error(tmp_path: Path) -> None:
    versions = write(tmp_path, [])
    (versions / "helper.py").write_text("import os\n")

    with pytest.raises(ValueError, match="no revision is written out"):
        written_revisions(versions.glob("*.py"))


def test_a_revision_that_is_computed_is_an_error(tmp_path: Path) -> None:
    """Left out, targets would seem to be at head without it."""
    versions = write(tmp_path, [("a", (), ())])
    (versions / "b.py").write_text("revision = make_id()\ndown_revision = 'a'\n")

    with pytest.raises(ValueError, match="computes its revision"):
        written_revisions(versions.glob("*.py"))


def test_a_circle_is_an_error(tmp_path: Path) -> None:
    versions = write(tmp_path, [("a", ("b",), ()), ("b", ("a",), ())])

    with pytest.raises(ValueError, match="cycle"):
        written_revisions(versions.glob("*.py"))
