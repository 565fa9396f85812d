"""The text of ``status``."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Group
from rich.text import Text

from orchestrator.dispatch.results import Result
from orchestrator.render.groups import Pair, block, grouped, spaced, target_names, troubles
from orchestrator.render.states import cell, matrix
from orchestrator.render.table import Columns
from orchestrator.render.text import count, elapsed, heads, safe
from orchestrator.snapshot.classes import SchemaClass, schema_classes


def report(result: Result) -> Group:
    """Return the matrix of environments and databases, and below it the odd ones out."""
    pairs = list(zip(result.targets, result.outcomes, strict=True))
    return spaced(
        matrix(pairs),
        *_classes(pairs),
        *_invalid(pairs),
        *troubles(pairs),
        *warnings(result),
        total(result),
    )


def _invalid(pairs: Sequence[Pair]) -> Iterator[Group]:
    """Yield a block for the targets that have the same INVALID indexes."""
    having = [pair for pair in pairs if pair[1].invalid_indexes]
    for group in grouped(having, lambda pair: (pair[0].database, pair[1].invalid_indexes)):
        target, outcome = group[0]
        of = f"{count(len(group), 'target')} of {target.database}"
        named = ", ".join(map(safe, outcome.invalid_indexes))
        yield block(
            Text.assemble(("invalid index", "yellow"), f": {of}"),
            target_names(group),
            Text(f"{named}: no query uses it; its building failed, or goes on"),
            Text.assemble(
                ("next: ", "bold"),
                "where nobody builds it, DROP INDEX CONCURRENTLY, and build it again",
            ),
        )


def warnings(result: Result) -> Iterator[Text]:
    """Yield what is to be said of the scripts."""
    if result.warnings:
        yield Text("\n").join(
            Text.assemble(("warning: ", "yellow"), safe(text)) for text in result.warnings
        )


def _classes(pairs: Sequence[Pair]) -> Iterator[Group]:
    """Yield a line for each database: how many targets at which revision, and which look odd."""
    found = schema_classes(pairs)
    if not found:
        return
    rows = []
    for name, of in groupby(found, key=lambda of: of.database):
        groups = [list(some) for _, some in groupby(of, key=lambda c: c.siblings)]
        times = Counter(some[0].heads for some in groups)
        parts = [_siblings(some, named=times[some[0].heads] > 1) for some in groups]
        rows.append([Text(safe(name)), Text(" · ", style="dim").join(parts)])
    step = []
    if any(len(list(some)) > 1 for _, some in groupby(found, key=lambda of: of.siblings)):
        step.append(Text.assemble(("next: ", "bold"), "orchestrator drift tells how they differ"))
    yield Group(Columns(["", ""], rows, headed=False), *step)


def _siblings(classes: Sequence[SchemaClass], *, named: bool) -> Text:
    """Return ``9,997 at 4f2a · 3 at 4f2a with a different schema``, the largest class first.

    ``named``: with the dialect, where others are at the same revision on another one.
    """
    first, *others = classes
    at = f"at {heads(first.heads)}" if first.heads else "empty"
    if named:
        at += f" on {safe(first.dialect)}"
    text = Text(f"{len(first.members):,} {at}")
    if others:
        odd = sum(len(of.members) for of in others)
        which = "a different schema" if len(others) == 1 else f"{len(others):,} different schemas"
        text.append(" · ", style="dim").append(f"{odd:,} {at} with {which}", style="yellow")
    return text


def total(result: Result) -> Text:
    """Return ``26 targets: 20 current · 6 behind (1.2s)``."""
    number = count(len(result.outcomes), "target")
    tail = f" ({elapsed(result.seconds)}{', interrupted' if result.interrupted else ''})"
    return Text.assemble(f"{number}: ", cell(result.tally), (tail, "dim"))
