"""Tools from npm and PyPI, installed into a folder that is thrown away, and those of Debian."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.contenders import BIN
from benchmarks.tables import preparing
from benchmarks.tools.tool import Tool


class Missing(Exception):
    """A tool can't be had: says which package would bring it."""


def found(
    makers: Sequence[Callable[[Path], Tool]], folder: Path
) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    """Return the tools that are there or can be installed, and a note on each other."""
    tools, notes = [], []
    for make in makers:
        try:
            tools.append(make(folder))
        except Missing as missing:
            notes.append(f"Without {make.__name__}: {missing}")
    return tuple(tools), tuple(notes)


def program(name: str, package: str) -> str:
    """Return the path of a program. Raises ``Missing`` naming its Debian package."""
    path = shutil.which(name)
    if path is None:
        raise Missing(f"{name} is not there. Install the Debian package {package}.")
    return path


def perl_module(name: str, package: str) -> None:
    """Raise ``Missing`` naming the Debian package of a Perl module that is not there."""
    command = ["/usr/bin/perl", f"-M{name}", "-e", "1"]  # Debian's programs run in no other
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise Missing(f"Perl has no {name}. Install the Debian package {package}.")


def from_npm(folder: Path, package: str) -> Path:
    """Install a package of npm and return the folder of all packages."""
    npm = program("npm", "npm")
    _install(package, [npm, "install", "--silent", "--prefix", str(folder / "npm"), package])
    return folder / "npm/node_modules"


def from_pypi(folder: Path, *packages: str) -> Path:
    """Install packages of PyPI beside our own environment and return the folder for PYTHONPATH."""
    into = folder / "pypi"
    options = ["--quiet", "--compile-bytecode", "--python", sys.executable, "--target", str(into)]
    _install(packages[0], [str(BIN / "uv"), "pip", "install", *options, *packages])
    return into


def _install(package: str, command: list[str]) -> None:
    with preparing(f"installing {package}"):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or "it says nothing"
        raise Missing(f"{package} could not be installed by {Path(command[0]).name}: {said}")
