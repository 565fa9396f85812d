"""How long a wave will take, going by earlier attempts."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """One target of a wave."""

    server: str
    milliseconds: float | None
    """How long it will take; ``None`` where nothing is known."""


def seconds_for(pieces: Sequence[Piece], max_parallel: int, max_per_server: int) -> float | None:
    """Return about how many seconds a wave takes, or ``None`` where nothing is known of it.

    It is what no order could beat: all targets through ``max_parallel`` places, those of each
    server through its ``max_per_server``, and the longest one. Targets of which nothing is known
    take as long as the others on average.
    """
    known = [piece.milliseconds for piece in pieces if piece.milliseconds is not None]
    if not known:
        return None if pieces else 0.0
    average = sum(known) / len(known)
    by_server: dict[str, float] = {}
    for piece in pieces:
        took = average if piece.milliseconds is None else piece.milliseconds
        by_server[piece.server] = by_server.get(piece.server, 0.0) + took
    longest_server = max(by_server.values()) / max_per_server
    return max(sum(by_server.values()) / max_parallel, longest_server, *known) / 1000
