"""init: a small project that works, to start from."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.schema import render
from orchestrator.errors import UsageError

TEMPLATES = Path(__file__).with_name("templates")
_SUFFIX = ".tmpl"  # so that no tool takes a template for a module of ours


@dataclass(frozen=True, slots=True)
class InitResult:
    """What ``init`` wrote, and what it found and left as it was."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]


def init(folder: Path, name: str | None = None) -> InitResult:
    """Write a working project into an empty or existing folder.

    What is there already is kept and never overwritten, not even by a run at the same time.
    Raises ``UsageError`` where a file cannot be written.
    """
    written: list[Path] = []
    kept: list[Path] = []
    for path, text in _files(name or folder.resolve().name or "project"):
        target = folder / path
        (written if _write(target, text) else kept).append(target)
    return InitResult(tuple(written), tuple(kept))


def _files(name: str) -> Iterator[tuple[Path, str]]:
    """Yield each file's place in the project, and its text."""
    for template in sorted(TEMPLATES.rglob(f"*{_SUFFIX}")):
        path = template.relative_to(TEMPLATES)
        text = template.read_text(encoding="utf-8").replace("@name@", _toml_string(name))
        yield path.with_name(path.name.removesuffix(_SUFFIX)), text
    yield Path("environments.schema.json"), render()


def _toml_string(text: str) -> str:
    # A folder's name may hold bytes that are no text, and DEL, which JSON allows and TOML does not.
    clean = text.encode(errors="replace").decode()
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write(path: Path, text: str) -> bool:
    """Write a new file; return ``False`` where there is one already."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        if path.parent.is_dir():
            return False
        raise UsageError(f"{path.parent} is not a folder; name another one to write into") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    return True
