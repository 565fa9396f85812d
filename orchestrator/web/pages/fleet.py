"""The fleet from far, and the targets of one database from near."""

from collections import Counter
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.errors import UsageError
from orchestrator.render.html.fleet import Row
from orchestrator.web.pages.rendering import link_from, number, shown
from orchestrator.web.people import Caller
from orchestrator.web.site import Site

_PAGE = 200
_VALUES = 12
"""A label with more values is no filter."""


def fleet(site: Site, request: Request, caller: Caller) -> Response:
    """Show environments by databases; or, where something is searched, the targets found."""
    found = site.fleet.read()
    wanted = request.query_params.get("q", "").strip()
    hits = [row for row in found.rows if _has(row, wanted)] if wanted else []
    values = {
        "fleet": found.view,
        "q": wanted,
        "hits": hits[:_PAGE],
        "hidden": max(0, len(hits) - _PAGE),
        "unfinished": site.ledger.runs(limit=5, unfinished=True),
    }
    return shown(site, request, caller, "fleet.html", values)


def database(site: Site, request: Request, caller: Caller) -> Response:
    """Show the targets of one database in one environment, filtered."""
    found = site.fleet.read()
    key = request.path_params["environment"], request.path_params["database"]
    tile = found.view.tiles.get(key)
    if tile is None:
        raise UsageError(f"there is no {key[0]}/{key[1]} in the fleet")
    own = [row for row in found.rows if (row.environment, row.database) == key]
    query = request.query_params
    labels = {k.removeprefix("label."): v for k, v in query.items() if k.startswith("label.") and v}
    chosen = [
        row
        for row in own
        if _has(row, query.get("q", "").strip())
        and query.get("place", "") in {"", row.place}
        and query.get("heads", "") in {"", _heads(row)}
        and query.get("state", "") in {"", row.state.code if row.state else ""}
        and all(row.labels.get(name) == value for name, value in labels.items())
    ]
    first = number(query.get("from", "")) or 0
    later = first + _PAGE
    values = {
        "tile": tile,
        "rows": chosen[first:later],
        "first": first,
        "chosen": len(chosen),
        "earlier": link_from(request, **{"from": max(0, first - _PAGE)}) if first else "",
        "later": link_from(request, **{"from": later}) if later < len(chosen) else "",
        "query": query,
        "chosen_labels": labels,
        "labels": _filters(own),
        "command": _command(key, labels),
    }
    return shown(site, request, caller, "database.html", values)


def _has(row: Row, wanted: str) -> bool:
    return wanted.casefold() in row.name.casefold()


def _heads(row: Row) -> str:
    return ",".join(row.heads or ())


def _filters(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Return the labels worth a filter, with their values."""
    values: dict[str, Counter[str]] = {}
    for row in rows:
        for name, value in row.labels.items():
            values.setdefault(name, Counter())[value] += 1
    return {name: sorted(counts) for name, counts in values.items() if 1 < len(counts) <= _VALUES}


def _command(key: tuple[str, str], labels: dict[str, str]) -> str:
    where = "".join(f" --where {name}={value}" for name, value in labels.items())
    return f"orchestrator status {key[0]}/{key[1]}{where}"
