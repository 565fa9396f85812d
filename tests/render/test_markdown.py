"""Comments of pull requests: read back by a parser of Markdown, whatever the texts say."""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Group
from rich.text import Text

from orchestrator.dispatch.results import Result, RunEnd
from orchestrator.render import check, drift, markdown, plan, run_report, upgrade
from orchestrator.render.groups import block
from orchestrator.render.markdown_text import fence, inline
from orchestrator.render.markdown_text import html as in_tags
from orchestrator.render.table import Columns
from orchestrator.rollout.events import RunState
from orchestrator.rollout.outcomes import Difference, Failure, State
from tests.effort import examples
from tests.render import run_samples, samples
from tests.render.hostile import PIECES, drift_results, results, texts

EXPECTED = Path(__file__).parent / "expected"
GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
# All that a page is made of; whatever else appears came in with a text.
TAGS = {"details", "summary", "code"}
KINDS = {"heading", "paragraph", "table", "thead", "tbody", "tr", "th", "td", "strong"}
SINGLE = {"text", "code_inline", "fence", "html_block", "html_inline", "inline", "softbreak"}
# What GitHub makes of text that is no code: calls, issues, commits, smileys, links.
MEANS = re.compile(r"(?i)@|#\d|\bgh-\d|\b[0-9a-f]{7,40}\b|:[a-z]\w*:|://|\bwww\.|[<>&$]")

CASES: dict[str, Callable[[], str]] = {
    "check": lambda: markdown.page("check", check.report(samples.check())),
    "drift": lambda: markdown.page("drift", drift.report(samples.drift())),
    "plan": lambda: markdown.page("plan", plan.report(run_samples.planned())),
    "show": lambda: markdown.page("show", run_report.report(run_samples.run_report())),
    "upgrade": lambda: markdown.page("upgrade", upgrade.report(samples.upgrade(), "heads")),
}


def write() -> None:
    """Write what is printed now, to be read before it is committed."""
    for name, made in CASES.items():
        (EXPECTED / f"{name}.md").write_text(made())


@pytest.mark.parametrize("name", CASES)
def test_page(name: str) -> None:
    page = CASES[name]()
    assert page == (EXPECTED / f"{name}.md").read_text()
    assert_harmless(page)


def flat(page: str) -> Iterator[Token]:
    for token in GITHUB.parse(page):
        yield token
        yield from token.children or ()


class Tags(HTMLParser):
    """The tags of some HTML, and the text outside of code."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.shown: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        assert tag in TAGS
        assert not attrs
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            assert tag == "details"  # its block of HTML is one of its own

    def handle_data(self, data: str) -> None:
        self.shown.append(data)
        if "code" not in self.open:
            self.text.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = unknown_decl = handle_pi = handle_comment


def assert_harmless(page: str) -> str:
    """Assert that a page is what it was made to be, and return what it shows."""
    assert len(page.encode()) <= markdown.LIMIT < 65_536
    depth, shown, in_code = 0, [""], False
    for token in flat(page):
        kind = token.type.removesuffix("_open").removesuffix("_close")
        assert kind in KINDS | SINGLE, token
        if kind == "heading":
            assert token.markup == "###"
        if kind == "html_block":
            found = Tags(token.content)
            depth += token.content.count("<details>") - token.content.count("</details>")
            assert depth in (0, 1)
            shown += ["\n", *found.shown]
            assert MEANS.search("".join(found.text)) is None, found.text
        elif kind == "html_inline":
            assert token.content in {"<code>", "</code>"}
            in_code = token.content == "<code>"
        elif kind in {"inline", "fence"}:
            shown += ["\n", token.content if kind == "fence" else ""]
        elif kind == "code_inline":
            shown.append(token.content)
        elif kind == "text":
            shown.append(token.content)
            assert in_code or MEANS.search(token.content) is None, token.content
    assert depth == 0
    assert not in_code
    return "".join(shown)


def words(text: str) -> list[str]:
    return text.split()


@pytest.mark.parametrize("piece", PIECES, ids=ascii)
def test_a_text_is_shown_as_it_is_wherever_it_is_put(piece: str) -> None:
    for said in (piece, f"a{piece}b", f"a {piece} b", f"{piece}{piece}", f"{piece} {piece}"):
        rows = [[Text(said), Text("end")]]
        group = Group(
            Text(said),
            Text(),
            Columns(["", ""], rows, headed=False),
            Text(),
            block(Text(f"x {said}"), Text(said)),
            Text(),
            Text("the sum"),
        )
        shown = assert_harmless(markdown.page("check", group))
        assert words(shown).count("end") == 1
        visible = said.encode("utf-8", "replace").decode().strip()
        if visible.isprintable() and "?" not in visible:
            for word in words(visible):
                assert shown.count(word) >= 4, shown


@given(texts)
@settings(max_examples=examples(400), deadline=None)
def test_a_text_in_a_line_is_a_line(text: str) -> None:
    line = inline(text)
    assert "\n" not in line
    assert_harmless(f"{line}\n")
    tokens = GITHUB.parse(f"| a | b |\n| --- | --- |\n| {line} | end |\n")
    assert sum(token.type == "td_open" for token in tokens) == 2
    Tags(f"<summary>{inline(text, in_tags)}</summary>")


@given(texts)
@settings(max_examples=examples(400), deadline=None)
def test_a_text_in_a_block_of_code_does_not_end_it(text: str) -> None:
    (token,) = GITHUB.parse(fence(text))
    assert token.type == "fence"


def test_in_a_tag_nothing_but_letters_and_numbers_is_left() -> None:
    text = "".join(PIECES).encode("utf-8", "replace").decode()
    inside = in_tags(text).removeprefix("<code>").removesuffix("</code>")
    assert re.sub(r"&#\d+;", "", inside).replace(" ", "").isalnum()
    assert [ord(c) for c in html.unescape(inside.replace("&#13;", "\r")) if c in "<>&@"]


@pytest.mark.parametrize("verb", ["check", "upgrade"])
def test_whatever_texts_say_a_page_is_harmless(verb: str) -> None:
    @given(results(verb), texts)
    @settings(max_examples=examples(200), deadline=None)
    def harmless(result: Result, revision: str) -> None:
        report = check.report(result) if verb == "check" else upgrade.report(result, revision)
        assert_harmless(markdown.page(verb, report))

    harmless()


@given(drift_results())
@settings(max_examples=examples(200), deadline=None)
def test_whatever_schemas_say_a_page_is_harmless(result: object) -> None:
    assert_harmless(markdown.page("drift", drift.report(result)))  # type: ignore[arg-type]


@given(texts, texts, texts)
@settings(max_examples=examples(200), deadline=None)
def test_whatever_people_say_of_a_run_a_page_is_harmless(who: str, why: str, wave: str) -> None:
    of = run_samples.run_report()
    of = replace(
        of,
        run=replace(of.run, by=who, stopped_by=who, reason=why, revision=wave),
        approvals=[replace(of.approvals[0], by=who, note=why)],
        remarks=[replace(of.remarks[0], by=who, reason=why)],
        waves=[replace(one, name=wave) for one in of.waves],
        gates=[replace(one, detail=why) for one in of.gates],
    )
    assert_harmless(markdown.page("show", run_report.report(of)))
    noted = plan.report(run_samples.planned(plan=run_samples.plan(notes=(who, why, wave))))
    assert_harmless(markdown.page("plan", noted))
    assert_harmless(markdown.error(f"{who}{why}{wave}"))


def headings(page: str) -> list[str]:
    """Return what is folded away in a page, by its first word."""
    return re.findall(r"<summary>(\w+)", page)


@pytest.mark.parametrize("number", [1, 40, 400, 3000])
def test_a_comment_holds_it_and_says_what_it_leaves_out(number: int) -> None:
    different = [
        samples.outcome(
            f"prod/orders/t{n}",
            State.DIFFERS,
            differences=(Difference("add_column", f"missing column {'💥' * 300} {n}", "t", "c"),),
        )
        for n in range(number)
    ]
    down = samples.outcome("prod/orders/zz", State.UNREACHABLE, failure=samples.DOWN)
    result = samples.result("check", [*different, down])
    page = markdown.page("check", check.report(result))
    assert_harmless(page)
    kept = headings(page)
    left = number + 1 - len(kept)
    told = re.findall(r"\*\*and ([\d,]+) parts? more\*\*", page)
    assert told == ([f"{left:,}"] if left else [])
    assert kept[-1] == "unreachable"  # the worst is not left out
    assert "1 unreachable" in page  # and neither is the sum
    assert (left > 0) is (number > 100)


def test_rows_and_lines_that_are_too_many_are_counted() -> None:
    rows = [[Text(f"e{n}"), Text("1 done")] for n in range(70)]
    body = Text("\n".join(f"line {n}" for n in range(200)))
    group = Group(Columns(["a", "b"], rows), Text(), block(Text("t"), body), Text(), Text("sum"))
    page = markdown.page("check", group)
    shown = assert_harmless(page)
    assert "| e49 |" in page
    assert "e50" not in page
    assert "and 20 more rows" in shown
    assert "and 140 more lines (-o json lists all)" in shown


def test_a_sum_of_any_length_fits() -> None:
    end = RunEnd(12, RunState.FAILED, "💥 @kim" * 40_000)
    result = replace(samples.nothing_to_do(), run=end)
    assert_harmless(markdown.page("upgrade", upgrade.report(result, "heads")))
    failed = samples.outcome(
        "prod/orders/acme", State.FAILED, failure=Failure("💥" * 99_999, None, "r", "`" * 99_999)
    )
    page = markdown.page("upgrade", upgrade.report(samples.result("upgrade", [failed]), "heads"))
    assert_harmless(page)


@given(st.text("ab #@`|<\n", max_size=80))
@settings(max_examples=examples(400), deadline=None)
def test_words_keep_their_order(text: str) -> None:
    tokens = GITHUB.parseInline(inline(text))
    children = [child for token in tokens for child in token.children or ()]
    shown = "".join(child.content for child in children if child.type != "html_inline")
    assert words(shown) == words(text) or words(html.unescape(shown)) == words(text)
