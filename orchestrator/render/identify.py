"""The text of ``identify``."""

from collections.abc import Hashable, Iterator, Sequence

from rich.console import Group
from rich.text import Text

from orchestrator.actions.identifying import IdentifyResult, Identity
from orchestrator.fleet.listing import some
from orchestrator.render.drift import line
from orchestrator.render.groups import block, grouped, spaced
from orchestrator.render.states import style, word
from orchestrator.render.text import count, elapsed, heads, safe

_NAMED = 20
_LINES = 20


def report(result: IdentifyResult) -> Group:
    """Return a block for all that have the same schema and stand at the same place."""
    notes = [Text.assemble(("warning: ", "yellow"), safe(text)) for text in result.warnings]
    tail = f" ({elapsed(result.seconds)}{', interrupted' if result.interrupted else ''})"
    total = Text.assemble(count(len(result.identities), "target"), (tail, "dim"))
    blocks = [_block(group) for group in grouped(result.identities, _sameness)]
    return spaced(*blocks, Group(*notes, total))


def _sameness(one: Identity) -> Hashable:
    outcome = one.outcome
    seen = (outcome.state, outcome.heads, outcome.fingerprint or outcome.failure)
    return one.target.environment, one.target.database, *seen


def _block(group: Sequence[Identity]) -> Group:
    one = group[0]
    state = one.outcome.state
    names = some([identity.target.name for identity in group], _NAMED)
    said = f", its version table says {heads(one.outcome.heads)}" if one.outcome.heads else ""
    title = Text.assemble((word(state), style(state)), f": {safe(names)}{safe(said)}")
    return block(title, *_lines(one, len(group)))


def _lines(one: Identity, number: int) -> Iterator[Text]:
    its, who = ("their", "TARGET") if number > 1 else ("its", safe(one.target.name))
    if one.outcome.fingerprint is None and one.outcome.failure is not None:
        yield Text(safe(one.outcome.failure.message))
    elif one.fits:
        places = " or ".join(heads(fit) for fit in one.fits)
        yield Text.assemble(
            f"{its} schema is that of ", (safe(places), "bold"), f" ({_by(one.by)})"
        )
        if not one.is_as_said:
            stamp = f"orchestrator stamp {who} --revision {safe(','.join(one.fits[-1]))}"
            purge = " --purge" if one.outcome.heads else ""
            yield Text.assemble(("next: ", "bold"), stamp + purge)
    elif one.nearest is None:
        yield Text(f"{its} schema fits no revision that is known", style="yellow")
    else:
        near = heads(one.nearest) if one.nearest else "an empty database"
        yield Text.assemble(
            (f"{its} schema fits no revision", "yellow"),
            f"; the nearest is {safe(near)} ({_by(one.by)}), and differs in:",
        )
        yield from (Text(f"  {safe(line(found))}") for found in one.differences[:_LINES])
        if (hidden := len(one.differences) - _LINES) > 0:
            yield Text(f"  {count(hidden, 'more difference')} (-o json lists all)")
    if one.note:
        yield Text(safe(one.note), style="dim")


def _by(by: str) -> str:
    return {"siblings": "by targets that are there", "history": "by its history"}.get(by, by)
