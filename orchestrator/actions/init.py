"""init: a small project that works, to start from; or adopts the Alembic project that is there."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.actions.adopt.adoption import Adoption, adopt
from orchestrator.actions.adopt.flask import HOOK
from orchestrator.actions.adopt.sources import has_alembic, read_sources
from orchestrator.actions.adopt.text import environments_toml
from orchestrator.actions.toml_text import toml_string
from orchestrator.config.load import FILE_NAME
from orchestrator.config.schema import render
from orchestrator.errors import UsageError

TEMPLATES = Path(__file__).with_name("templates")
_SUFFIX = ".tmpl"  # so that no tool takes a template for a module of ours


@dataclass(frozen=True, slots=True)
class InitResult:
    """What ``init`` wrote, and what it found and left as it was."""

    written: tuple[Path, ...]
    kept: tuple[Path, ...]
    adoption: Adoption | None = None
    """What was made of the Alembic project that is there; ``None`` where nothing was adopted."""


def init(folder: Path, name: str | None = None) -> InitResult:
    """Write a working project into an empty or existing folder, or adopt the Alembic project there.

    An Alembic project gets an ``environments.toml`` and its schema, and no other file. What is
    there already is kept and never overwritten, not even by a run at the same time. Raises
    ``UsageError`` where a file cannot be written; and, before anything is, where the Alembic
    project is not in order.
    """
    if not has_alembic(folder):
        _assert_free(folder)
        starter = _starter(name or folder.resolve().name or "project")
        return InitResult(*_write_all(folder, starter))
    mine = folder / FILE_NAME
    if mine.exists() or mine.is_symlink():
        written, kept = _write_all(folder, [_schema()])
        return InitResult(written, (mine, *kept))
    adoption = adopt(read_sources(folder, name))
    hooks = {database.source.flask.hook for database in adoption.databases if database.source.flask}
    files = [(FILE_NAME, environments_toml(adoption)), _schema()]
    files += [(f"{HOOK}.py", text) for text in sorted(hooks)]
    return InitResult(*_write_all(folder, files), adoption)


def _assert_free(folder: Path) -> None:
    """Raise ``UsageError`` where the starter would be written into somebody's own migrations."""
    places = {str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob(f"*{_SUFFIX}")}
    parents = {parent for place in places for parent in Path(place).parents}
    for parent in sorted(parents - {Path()}):
        ours = f"{parent}/env.py{_SUFFIX}" in places
        if not ours and (folder / parent / "env.py").exists():
            raise UsageError(
                f"{folder / parent / 'env.py'} is there, and is no environment of Alembic's that "
                "could be adopted\n  name another folder to write into"
            )


def _starter(name: str) -> Iterator[tuple[str, str]]:
    """Yield each file's place in a new project, and its text."""
    for template in sorted(TEMPLATES.rglob(f"*{_SUFFIX}")):
        path = template.relative_to(TEMPLATES)
        text = template.read_text(encoding="utf-8").replace("@name@", toml_string(name))
        yield str(path).removesuffix(_SUFFIX), text
    yield _schema()


def _schema() -> tuple[str, str]:
    return "environments.schema.json", render()


def _write_all(
    folder: Path, files: Iterable[tuple[str, str]]
) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Return what was written, and what was there already."""
    written: list[Path] = []
    kept: list[Path] = []
    for path, text in files:
        target = folder / path
        (written if _write(target, text) else kept).append(target)
    return tuple(written), tuple(kept)


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
