"""Reports: all of a run in one file, which loads nothing and runs nothing of others."""

import base64
import hashlib
import re
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from orchestrator.errors import UsageError
from orchestrator.ledger.records import Cell, Pace
from orchestrator.render.html import environment
from orchestrator.render.html.report import report
from orchestrator.render.html.run import FILE, run_view
from orchestrator.render.html.timeline import timeline
from orchestrator.rollout.events import RunState
from orchestrator.rollout.outcomes import Failure, State
from orchestrator.runs.report import WholeRun
from tests.render import run_samples
from tests.render.report_samples import DIGEST, HOSTILE, large_run
from tests.render.run_samples import START

_VOID = {"meta", "input", "link", "br", "img", "hr"}
_LEADS_OUT = {"src", "srcset", "action", "formaction", "data", "poster", "ping", "background"}
_LARGEST = 5_000_000


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.inside: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.rows: list[list[str]] = []
        self._row: list[str] | None = None
        self.feed(text)
        self.close()
        assert self.inside == [], "a tag that nobody closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), (tag, attrs)
        values = {name: value or "" for name, value in attrs}
        self.tags.append((tag, values))
        if tag not in _VOID:
            self.inside.append(tag)
        if tag == "tr" and re.fullmatch(r"t\d+", values.get("id", "")):
            self._row = []
        if tag in {"th", "td"} and self._row is not None:
            self._row.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag
        if tag == "tr" and self._row is not None:
            self.rows.append(self._row)
            self._row = None

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.inside[-1] if self.inside else "", []).append(data)
        if self._row:
            self._row[-1] += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [values for found, values in self.tags if found == tag]

    def text(self) -> str:
        shown = (t for tag, of in self.texts.items() if tag not in {"style", "script"} for t in of)
        return "\n".join(shown)


def assert_keeps_to_itself(text: str) -> Page:
    """Assert that a browser loads nothing for a page, and runs only what we wrote."""
    page = Page(text)
    names = {tag for tag, _ in page.tags}
    assert not names & {"link", "img", "iframe", "object", "embed", "base", "form", "image", "use"}
    ids = [values["id"] for _, values in page.tags if "id" in values]
    assert len(ids) == len(set(ids))
    for tag, values in page.tags:
        assert not values.keys() & _LEADS_OUT, (tag, values)
        assert not [name for name in values if name.startswith("on") or name == "style"], values
        for name in ("href", "xlink:href"):
            if name in values:
                assert values[name].startswith("#"), values
                assert values[name][1:] in ids, values
    (style,), (script,) = page.texts["style"], page.texts["script"]
    for asset in (style, script):
        assert not re.search(r"url\(|@import|https?:|//[a-z]|fetch|XMLHttp|eval", asset)
    (policy,) = (m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert policy == (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    order = [tag for tag, _ in page.tags]
    assert order.index("meta") < order.index("style") < order.index("script")
    return page


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_a_report_has_all_of_a_run_and_nothing_of_others() -> None:
    page = assert_keeps_to_itself(report(large_run(60, failed=6)))

    text = page.text()
    for said in (
        "Run 12",
        "prod/canary",
        "prod/everyone",
        "What went wrong",
        "duplicate key value violates unique constraint column_0",
        "CREATE TABLE notes",
        "robin: looks good",
        "requires, by kim: hotfix",
        "prod/orders/tenant-00044, by robin: leaves us",
        DIGEST,
        "add notes",
    ):
        assert said in text, said
    assert len(page.rows) == 60
    assert page.rows[9][:4] == [
        "prod/orders/tenant-00009",
        "✕failed",
        "prod/canary",
        "3f2a9c41d07b → 3f2a9c41d07b",
    ]
    assert page.rows[9][4:7] == ["1", "1.7s", "2026-11-23 02:13:09"]
    assert page.rows[9][7].startswith("duplicate key value")
    assert page.rows[8][3] == "3f2a9c41d07b → b81e0c5512aa"
    assert page.rows[44][1:] == [
        "Sskipped",
        "prod/everyone",
        "3f2a9c41d07b → 3f2a9c41d07b",
        "1",
        "",
        "",
        "skipped by robin: leaves us",
    ]


def test_names_and_messages_stay_text() -> None:
    text = report(large_run(60, failed=6, hostile=HOSTILE))
    page = assert_keeps_to_itself(text)

    assert len(page.all("script")) == len(page.all("style")) == 1
    assert "7777 * 7777" in text
    assert str(7777 * 7777) not in text
    assert "<img" not in text
    shown = HOSTILE.replace("\x1b", "\\x1b").replace("\u2028\u202e", "\\u2028\\u202e")
    assert page.rows[0][0] == f"prod/orders/tenant-00000{shown}"
    assert page.rows[0][2] == f"prod/canary{shown}"
    said = page.text()
    # Project, who began it, why it stopped, a wave, a gate, an approval and its note, an override,
    # a remark, a name, a cause, a next step, what was done on a page, a note of the plan.
    for before in ("shop", "kim@build", "everyone failed", "prod/canary", "3 of 3", "robin"):
        assert before + shown in said, before
    for before in ("looks good", "hotfix", "leaves us", "column_0", "retry 12", "a note"):
        assert before + shown in said, before
    assert not re.search("[\x00-\x08\x0b-\x1f\u2028-\u202e]", text)


def test_a_run_that_goes_on_says_when_it_was_looked_at() -> None:
    of = run_samples.run_report()
    whole = WholeRun(of, run_samples.plan(), [t.target for t in of.troubles], {}, [], None, [])
    whole = replace(
        whole, targets=[replace(row, position=at) for at, row in enumerate(whole.targets)]
    )
    page = assert_keeps_to_itself(report(whole))

    text = page.text()
    assert "2026-11-23 02:14:06 UTC" in text
    assert "the run was not over then" in text
    assert "1m 00s" in text  # since it began: no script lets clocks go on
    assert not [v for _, v in page.tags if "data-since" in v or "data-until" in v]
    assert "Timeline" not in text
    assert "skip…" not in text
    assert not [v for v in page.all("a") if "/" in v["href"]]


def test_what_is_not_known_is_said() -> None:
    of = large_run(12)
    first = replace(of.targets[0], heads=None, state=None, attempts=0)
    second = replace(of.targets[1], state=State.BLOCKED, blocked_by="prod/catalog/x", heads=())
    whole = replace(of, targets=[first, second, *of.targets[2:]], ends={}, paces=[])
    page = assert_keeps_to_itself(report(whole))

    assert page.rows[0][1:] == ["·open", "prod/canary", "unknown → unknown", "0", "", "", ""]
    assert page.rows[1][1::2] == ["Bblocked", "empty → empty", "", "waited for prod/catalog/x"]


def test_causes_beyond_what_is_told_are_counted() -> None:
    of = large_run(300, failed=150, causes=1000)
    troubles = [
        replace(one, attempt=replace(one.attempt, failure=replace(one.attempt.failure, message=m)))
        for one, m in zip(of.report.troubles, map(str, range(150)), strict=True)
        if one.attempt and one.attempt.failure
    ]
    said = {3: replace(of.ends[3], failure=Failure("\nsaid 1\nsaid 2"))}
    told = replace(of.report, troubles=troubles)
    page = assert_keeps_to_itself(report(replace(of, report=told, ends=said)))

    assert "and 50 more causes" in page.text()
    assert page.rows[3][7] == "said 1"
    assert len(page.all("article")) == 100


def test_ten_thousand_targets_fit_into_a_mail() -> None:
    of = large_run(10_000, failed=100, causes=100)
    began = time.process_time()
    text = report(of)

    assert time.process_time() - began < 10
    assert len(text.encode()) < _LARGEST
    assert text.count('<tr id="t') == 10_000
    assert text.count("<article") == 100


def test_without_jinja_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    environment.templates.cache_clear()
    try:
        with pytest.raises(UsageError, match=re.escape("pip install 'alembic-orchestrator[web]'")):
            report(large_run(3))
    finally:
        environment.templates.cache_clear()


def test_a_timeline_counts_what_ended() -> None:
    of = large_run(300, failed=12)
    found = timeline(of.report.run, of.paces, of.report.waves, of.report.now)

    assert found is not None
    assert sum(one.done for one in found.stretches) == 287
    assert sum(one.failed for one in found.stretches) == 12
    assert len(found.bars) == len(found.stretches)
    assert max(bar.done for bar in found.bars) + found.top == found.line
    assert all(bar.failed >= 3 for bar in found.bars if bar.failed)
    assert all(bar.x >= 0 and bar.x + bar.width <= 100 for bar in found.bars)
    assert [span.colour for span in found.spans] == ["done", "failed"]
    assert [span.at_end for span in found.spans] == [False, True]
    assert all(span.x >= 0 and span.x + span.width <= 100.5 for span in found.spans)
    assert found.height > found.spans[-1].y + 20
    assert found.text == (
        "299 attempts ended between 2026-11-23 02:13:07 UTC and 2026-11-23 02:14:17 UTC, "
        f"at most {max(s.done + s.failed for s in found.stretches)} in 1s; 12 did not succeed"
    )


def test_one_failure_among_thousands_is_seen() -> None:
    of = large_run(6)
    paces = [Pace(START + 500, 400, State.DONE)] * 5000
    paces += [Pace(START + 500, 9, State.FAILED), Pace(START + 5_500, 9, "lost")]
    found = timeline(of.report.run, paces, [], START + 9_000)

    assert found is not None
    assert [(bar.done > 100, bar.failed) for bar in found.bars] == [(True, 3.0), (False, 3.0)]
    assert [(one.done, one.failed) for one in found.stretches] == [(5000, 1), (0, 1)]


def test_a_timeline_of_days_has_dates() -> None:
    of = large_run(20)
    day = 86_400_000
    run = replace(of.report.run, ended_at=START + 4 * day, state=RunState.DONE)
    found = timeline(run, of.paces, of.report.waves, START + 5 * day)

    assert found is not None
    assert [text for _, _, text in found.times] == ["11-23 02:13", "11-25 02:13", "11-27 02:13"]
    assert timeline(run, [], of.report.waves, START) is None


def test_a_page_has_links_and_clocks_where_a_file_has_places() -> None:
    of = run_samples.run_report()
    cells = [Cell(t.target.position, 1, t.target.name, t.target.state) for t in of.troubles]

    def made(**values: object) -> str:
        return environment.page("parts/working.html", values)

    on_page = made(view=run_view(of, cells, None))
    in_file = made(view=run_view(of, cells, None, FILE))
    assert 'href="/runs/12/targets/0"' in on_page
    assert "data-since" in on_page
    assert 'href="#t0"' in in_file
    assert "data-since" not in in_file
