"""The recipes of ``docs/adopt.md``, followed as they stand in the page.

The comment above a block says which recipe it is of, and what it is: ``recipe NAME: write PATH``,
``recipe NAME: run``, or ``recipe NAME: is PATH``, the text of a file that a command wrote.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "adopt.md"
_BLOCK = re.compile(
    r"^<!-- recipe (?P<name>[\w-]+): (?P<verb>write|run|is) ?(?P<path>\S*) -->\n"
    r"```\w*\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# Times, ids of revisions and of new processes differ from run to run.
_VARIES = re.compile(r"\d+(\.\d+)?s\b|\b[0-9a-f]{12}\b|\bline \d+")


def recipes() -> list[str]:
    """Return the names of all recipes, in the order of the page."""
    return list(dict.fromkeys(name for name, *_ in _steps()))


def follow(recipe: str, folder: Path, bin_: Path, environ: Mapping[str, str] = {}) -> int:
    """Do in ``folder`` what a recipe says, and return how many commands that were.

    Programs come from ``bin_``. Fails where a command does, or does not print what the page shows.
    """
    done = 0
    for name, verb, path, text in _steps():
        if name != recipe:
            continue
        if verb == "write":
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        elif verb == "is":
            assert (folder / path).read_text() == text, path
        else:
            for call in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, _, shown = call.partition("\n")
                missing = set(_lines(shown)) - set(_lines(_run(line, folder, bin_, environ)))
                assert not missing, line
                done += 1
    return done


def _steps() -> Iterator[tuple[str, str, str, str]]:
    for found in _BLOCK.finditer(PAGE.read_text()):
        yield found["name"], found["verb"], found["path"], found["text"]


def _run(line: str, folder: Path, bin_: Path, environ: Mapping[str, str]) -> str:
    drop = ("ORCHESTRATOR_", "PYTHONDONTWRITEBYTECODE", "FLASK_")
    given = {k: v for k, v in os.environ.items() if not k.startswith(drop)}
    ran = subprocess.run(
        line,
        shell=True,
        cwd=folder,
        env={**given, **environ, "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, f"$ {line}\n{ran.stdout}{ran.stderr}"
    return ran.stdout + ran.stderr


def _lines(text: str) -> list[str]:
    return [_VARIES.sub("…", line).rstrip() for line in text.splitlines() if line.strip()]
