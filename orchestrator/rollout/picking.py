"""Pick a few that stand for all: always the same ones, and as different as they can be."""

from collections.abc import Mapping
from hashlib import sha256
from heapq import heapify, heappop, heappush

Feature = tuple[str, str, str]
Features = frozenset[Feature]
"""What something stands for."""


def pick(features: Mapping[str, Features], count: int, seed: str) -> set[str]:
    """Return ``count`` names, or all: each time the one that adds most features.

    Of equals the one whose SHA-256 with ``seed`` is smallest. The order of ``features`` says
    nothing, so the same names with the same features are picked wherever they come from.
    """
    alike: dict[Features, list[tuple[str, str]]] = {}
    for name, own in features.items():
        alike.setdefault(own, []).append((_rank(seed, name), name))
    for ranked in alike.values():
        ranked.sort(reverse=True)
    heap = [(-len(own), *ranked.pop(), own) for own, ranked in alike.items()]
    heapify(heap)
    covered: set[Feature] = set()
    picked: set[str] = set()
    while heap and len(picked) < count:
        claimed, rank, name, own = heappop(heap)
        gain = len(own - covered)
        if gain < -claimed:  # others came first; what it adds only ever gets less
            heappush(heap, (-gain, rank, name, own))
            continue
        picked.add(name)
        covered |= own
        if alike[own]:
            heappush(heap, (0, *alike[own].pop(), own))
    return picked


def _rank(seed: str, name: str) -> str:
    return sha256(f"{seed}\0{name}".encode()).hexdigest()
