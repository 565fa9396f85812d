"""The Markdown tables that are printed, a row as soon as it is known."""

import contextlib
import sys
from collections.abc import Iterator
from time import monotonic


def begin(title: str, *columns: str, texts: int = 1) -> None:
    """Print a heading, and the head of a table whose first ``texts`` columns are no numbers."""
    print(f"## {title}\n")
    print(f"| {' | '.join(columns)} |")
    print(f"|{' --- |' * texts}{' ---: |' * (len(columns) - texts)}", flush=True)


def row(label: str, seconds: float, base: float) -> None:
    """Print how long something took, and how many times as long as ``base``."""
    cells(label, f"{seconds:.2f}", f"{seconds / base:.2f} x")


def cells(*texts: str) -> None:
    """Print a row as it is."""
    print(f"| {' | '.join(texts)} |", flush=True)


def end(*notes: str) -> None:
    """Print what is to be said of the table."""
    print()
    for note in notes:
        print(f"{note}\n")
    sys.stdout.flush()


@contextlib.contextmanager
def preparing(what: str) -> Iterator[None]:
    """Tell on stderr how long it took to get something ready, which no table counts."""
    began = monotonic()
    yield
    print(f"{what}: {monotonic() - began:.0f} s", file=sys.stderr, flush=True)
