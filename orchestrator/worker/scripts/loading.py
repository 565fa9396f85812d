"""Revision files, read as Alembic reads them; one that is at fault is named."""

import linecache
import traceback
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from types import FrameType

from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionMap
from alembic.util import CommandError

IMPORT_STEP = (
    "install what is missing where orchestrator runs, or name the folder that has it: "
    "python_path = […] in [databases.…]"
)
# Where Alembic reads one file, and by which local variables it knows that.
_READS = {"_from_path": ("path",), "_from_filename": ("dir_", "filename")}


class BrokenScripts(Exception):
    """Revision files can't be loaded or don't fit together, or the model can't be imported."""

    def __init__(self, message: str, next_step: str) -> None:
        self.next_step = next_step
        super().__init__(message)


def checked(directory: ScriptDirectory) -> ScriptDirectory:
    """Let reading the revisions of ``directory`` raise ``BrokenScripts``.

    Alembic only warns of two revisions of one id, of which it takes any, and of a missing one.
    """
    directory.revision_map = RevisionMap(lambda: _revisions(directory))
    return directory


def loaded(directory: ScriptDirectory) -> ScriptDirectory:
    """Read the revisions of ``directory`` now; a failure is told once they are wanted."""
    try:
        found = list(_revisions(directory))
    except BrokenScripts as error:
        directory.revision_map = RevisionMap(partial(_raise, error))
    else:
        directory.revision_map = RevisionMap(lambda: found)
    return directory


def _raise(error: BrokenScripts) -> Sequence[Script]:
    raise error


def _revisions(directory: ScriptDirectory) -> Iterator[Script]:
    found: dict[str, Script] = {}
    scripts = directory._load_revisions()
    while True:
        try:
            script = next(scripts)
        except StopIteration:
            break
        except (Exception, SystemExit) as error:
            raise _unreadable(error) from error
        other = found.setdefault(script.revision, script)
        if other is not script:
            raise BrokenScripts(
                f"revision '{script.revision}' is there twice: in {other.path} and {script.path}",
                "give one of them an id of its own, and let its down_revision follow the other",
            )
    _assert_complete(found)
    yield from found.values()


def _assert_complete(found: dict[str, Script]) -> None:
    labels = {label for script in found.values() for label in script.branch_labels}
    for script in found.values():
        named = [("down_revision", id_) for id_ in script._versioned_down_revisions]
        named += [("depends_on", id_) for id_ in _ids(script.dependencies) if id_ not in labels]
        for key, id_ in named:
            if id_ not in found:
                raise BrokenScripts(
                    f"{script.path}: there is no revision '{id_}', which its {key} names",
                    f"add the file of revision '{id_}', or fix {key}",
                )


def _ids(ids: object) -> Sequence[str]:
    if ids is None:
        return ()
    return (ids,) if isinstance(ids, str) else tuple(ids)  # type: ignore[arg-type]  # else a list


def _unreadable(error: BaseException) -> BrokenScripts:
    path = _file_of(error)
    if path is None:  # a folder that can't be read, for example
        return BrokenScripts(_words(error), "see that the version locations can be read")
    if isinstance(error, ImportError):
        return BrokenScripts(import_message(error, (path,)), IMPORT_STEP)
    if isinstance(error, SyntaxError):
        return BrokenScripts(syntax_message(error), f"fix {path}")
    line = next((f.lineno for f in _frames(error) if f.filename == str(path)), None)
    place = f"{path}:{line}" if line else str(path)
    return BrokenScripts(f"{place}: {_words(error)}", f"fix {path}")


def _file_of(error: BaseException) -> Path | None:
    for frame, _ in traceback.walk_tb(error.__traceback__):
        names = _READS.get(frame.f_code.co_name, ())
        if names and _is_alembics(frame):
            return Path(*(str(frame.f_locals[name]) for name in names if name in frame.f_locals))
    return None


def _is_alembics(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith("alembic.")


def _frames(error: BaseException) -> list[traceback.FrameSummary]:
    return list(traceback.extract_tb(error.__traceback__))


def import_message(error: ImportError, places: Sequence[Path]) -> str:
    """Say which of the user's own files, in ``places``, wanted what, and by which statement.

    And by which chain: that file may import a module of the application that imports another.
    """
    ours = [f for f in _frames(error) if any(Path(f.filename).is_relative_to(p) for p in places)]
    if not ours:
        return _words(error)
    first, last = ours[0], _importing(error)
    through = f" (through {last.filename}:{last.lineno})" if last and last != ours[-1] else ""
    statement = linecache.getline(first.filename, first.lineno or 0).strip()
    return f"{first.filename}:{first.lineno}: {statement}: {_words(error)}{through}"


def _importing(error: BaseException) -> traceback.FrameSummary | None:
    """Where the import that failed is written."""
    frames = [f for f in _frames(error) if "importlib" not in f.filename]
    return frames[-1] if frames else None


def syntax_message(error: SyntaxError) -> str:
    """Say where the text is wrong."""
    return f"{error.filename}:{error.lineno}: {error.msg}"


def _words(error: BaseException) -> str:
    if isinstance(error, CommandError):
        return str(error)
    return f"{type(error).__name__}: {error}"
