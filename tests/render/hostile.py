"""Texts that mean something to whoever reads a report, and results that are full of them."""

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from orchestrator.actions.drifting import Deviation, DriftResult, Siblings
from orchestrator.actions.places import Place, Places
from orchestrator.dispatch.results import Result, RunEnd
from orchestrator.fleet.address import AddressTemplate
from orchestrator.fleet.drift import Change, Drift
from orchestrator.fleet.target import Target
from orchestrator.rollout.events import RunState
from orchestrator.rollout.outcomes import Difference, Failure, Outcome, Revision, State
from orchestrator.snapshot.classes import SchemaClass

PIECES = [
    *("</details>", "</code>", "</summary>", "<script>alert(1)</script>", "<img src=x>", "<!--"),
    *("```", "````", "`", "``", "~~~", "|", "\\|", "\\", "\n\n", "\n", "\r\n", "\r", "\t", "  "),
    *("@octocat", "@org/team", "#12", "GH-12", "owner/repo#1", ":tada:", "deadbeef1234567"),
    *("# heading", "- item", "1. item", "> quote", "---", "===", "    code", "[a](http://b)"),
    *("![x](y)", "www.evil.example", "https://evil.example", "a@b.example", "*b*", "_i_", "~s~"),
    *("::error::x", "::set-output name=a::b", "##[error]", "%0A", "%25", ":", ",", "::", "%"),
    *("]]>", "<![CDATA[", "&amp;", "&#64;", "&", '"', "'", "<", ">", "$x$", "$$", "{{ x }}"),
    *("\x00", "\x08", "\x1b[31m", "\x0b", "\x0c", "\x7f", "\x85", "\u2028", "\u2029", "\ufffe"),
    *("\uffff", "\ud800", "\udcff", "\u202e", "\u0301", "é", "日本", "😀", "[red]", "plain words"),
]
texts = st.lists(
    st.one_of(st.sampled_from(PIECES), st.text(st.characters(), max_size=5)), max_size=6
).map("".join)
names = texts.map(lambda text: f"x{text}".replace("/", "_"))
failures = st.one_of(
    st.none(),
    st.builds(
        Failure,
        texts,
        st.one_of(st.none(), texts),
        st.one_of(st.none(), texts),
        st.one_of(st.none(), texts),
        st.lists(texts, max_size=2).map(tuple),
    ),
)
differences = st.lists(
    st.builds(Difference, st.just("add_column"), texts, texts, texts), max_size=3
).map(tuple)
revisions = st.lists(st.builds(Revision, texts, texts), max_size=3).map(tuple)
states = st.sampled_from(State)
PLACES = Places(Place("environments.toml", 1), {}, {}, {}, {})


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Target, Outcome]:
    environment, database, tenant = draw(names), draw(names), draw(names)
    address = AddressTemplate.parse("sqlite:////x.db", "", Path("/")).fill({})
    target = Target(environment, database, tenant, {"name": tenant}, address)
    outcome = Outcome(
        target.name,
        draw(states),
        revisions=draw(revisions),
        differences=draw(differences),
        failure=draw(failures),
        blocked_by=draw(st.one_of(st.none(), texts)),
        output=draw(texts),
    )
    return target, outcome


runs = st.one_of(st.none(), st.builds(RunEnd, st.integers(1, 99), st.sampled_from(RunState), texts))


def results(verb: str) -> st.SearchStrategy[Result]:
    def made(of: list[tuple[Target, Outcome]], run: Any, warnings: list[str]) -> Result:
        targets, outcomes = zip(*of, strict=True) if of else ((), ())
        return Result(verb, targets, outcomes, warnings=tuple(warnings), run=run)

    run = runs if verb == "upgrade" else st.none()
    return st.builds(made, st.lists(pairs(), max_size=5), run, st.lists(texts, max_size=2))


drifts = st.builds(
    Drift, st.sampled_from(Change), st.just("index"), texts, texts, texts, texts, texts, texts
)


@st.composite
def drift_results(draw: st.DrawFn) -> DriftResult:
    found = draw(st.lists(pairs(), min_size=2, max_size=5))
    unread = tuple(found[2:])
    targets = tuple(target for target, _ in found)

    def of(print_: str, one: Target) -> SchemaClass:
        return SchemaClass("db", "MariaDB", (draw(texts),), print_, (one,))

    deviation = Deviation(
        of("b", targets[1]),
        draw(st.lists(drifts, max_size=3).map(tuple)),
        draw(st.one_of(st.none(), texts)),
    )
    siblings = Siblings(of("a", targets[0]), (deviation,))
    return DriftResult(targets, (siblings,), unread, interrupted=draw(st.booleans()))
