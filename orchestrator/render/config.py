"""The text of ``config check`` and ``config show``."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from orchestrator.config.masking import masked
from orchestrator.config.units import duration
from orchestrator.render.text import count, hidden, safe

if TYPE_CHECKING:
    from orchestrator.config.models import Config

_DURATIONS = frozenset({"lock_timeout", "statement_timeout", "target_timeout", "retry_delay"})


def driver_notes(substitutes: Mapping[str, tuple[str, str]]) -> list[str]:
    """Say which drivers are taken in place of which."""
    return [
        f"{driver}:// means {meant} here, which is not installed: {instead} takes its place"
        for driver, (meant, instead) in substitutes.items()
    ]


def checked(path: Path, model: "Config", targets: int, notes: Sequence[str] = ()) -> Text:
    """Return ``environments.toml: 3 environments, 2 databases, 26 targets``, and notes below."""
    counts = (
        count(len(model.environments), "environment"),
        count(len(model.databases), "database"),
        count(targets, "target"),
    )
    text = Text.assemble((safe(path.name), "green"), f": {', '.join(counts)}")
    for note in notes:
        text.append("\nnote: ", style="yellow").append(safe(note))
    return text


def resolved(model: "Config") -> dict[str, Any]:
    """Return the configuration with defaults filled in and literal passwords masked.

    Secrets stay names: ``${env:NAME}`` is never resolved here.
    """
    shown: dict[str, Any] = _tidy(model.model_dump(mode="json", by_alias=True, exclude_none=True))
    shown["project"]["order"] = list(model.order)
    return shown


def _tidy(value: Any, key: str = "") -> Any:
    if isinstance(value, Mapping):
        return {name: _tidy(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_tidy(inner) for inner in value]
    if key in _DURATIONS and isinstance(value, float):
        return duration(value)
    return hidden(key, masked(value)) if isinstance(value, str) else value


def shown(path: Path, config: Mapping[str, Any]) -> Text:
    """Return the configuration as TOML that could be read again."""
    return Text(f"# {safe(str(path))}\n\n" + "\n".join(_table(config, ())).strip(), no_wrap=True)


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    if path and plain:
        yield f"[{'.'.join(map(_key, path))}]"
    yield from (f"{_key(key)} = {_value(value)}" for key, value in plain.items())
    if plain:
        yield ""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _table(value, (*path, key))


def _key(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        items = [_value(item) for item in value]
        line = f"[{', '.join(items)}]"
        return line if len(line) <= 80 else "[\n" + "".join(f"  {item},\n" for item in items) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(value) if isinstance(value, str) else repr(value)


def _text(value: str) -> str:
    # JSON's escapes are TOML's as well, all but those of characters beyond 16 bits.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
