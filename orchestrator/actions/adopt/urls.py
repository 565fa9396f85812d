"""URLs of Alembic's configuration as URLs of ``environments.toml``, passwords taken out."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, unquote_plus

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from orchestrator.config.urls import url_problem
from orchestrator.dialects import BACKENDS
from orchestrator.fleet.address import AddressTemplate
from orchestrator.fleet.location import backend_of

_PLACEHOLDER = "driver"  # `alembic init` writes driver://user:pass@localhost/dbname
_MISNAMED = {"postgres": "postgresql", "sqlite3": "sqlite"}
_SECRET_KEY = re.compile(r"pass(?!file)|pwd|secret|token", re.IGNORECASE)
# As SQLAlchemy takes a URL apart.
_URL = re.compile(
    r"(?P<driver>[\w+]+)://(?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?"
    r"(?P<host>[^/?]*)(?P<database>/[^?]*)?(?:\?(?P<query>.*))?",
    re.DOTALL,
)


class NoUrlError(ValueError):
    """There is no URL that could be adopted; the message says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Url:
    """A URL for ``environments.toml``, and the passwords that are not in it any more."""

    text: str
    passwords: tuple["Password", ...]


@dataclass(frozen=True, slots=True)
class Password:
    """A password that was moved to an environment variable."""

    variable: str
    value: str
    """What to export: without a URL's quoting. It is compared in tests, and never shown."""
    quoted: bool
    """Whether it is written otherwise in the URL."""

    def __repr__(self) -> str:
        return f"Password({self.variable!r})"


def adopt_url(
    url: str, folder: Path, variable: Callable[[str], str], base: Path | None = None
) -> Url | None:
    """Return ``url`` so that it means in ``folder`` what it means to Alembic, run in ``base``.

    ``variable`` names the variable for a secret, given what it is called (``password``). Returns
    ``None`` for the placeholder of ``alembic init``. Raises ``NoUrlError``.
    """
    url = url.strip()
    found = _URL.fullmatch(url)
    if found is None or re.search(r"\$\{[^}]*\}", url):
        raise NoUrlError("it is no URL as it stands")
    driver = _driver(found["driver"])
    if backend_of(driver) == _PLACEHOLDER:
        return None
    if backend_of(driver) not in BACKENDS:
        raise NoUrlError(f"there is no support for {backend_of(driver)}")
    if re.search(r"[@{}]", found["host"]):
        raise NoUrlError("its host can't be told from a password: write an @ of it as %40")
    adopted = _assembled(driver, found, _database(url, found, folder, base or folder), variable)
    _check(adopted.text, folder)
    return adopted


def _driver(driver: str) -> str:
    backend, plus, name = driver.partition("+")
    return f"{_MISNAMED.get(backend, backend)}{plus}{name}"


def _database(url: str, found: re.Match[str], folder: Path, base: Path) -> str:
    """Return the name of the database, quoted for our parser, which decodes it.

    SQLAlchemy before 2.1 does not. A file below ``folder`` gets a path relative to it.
    """
    text = (found["database"] or "")[1:]
    try:
        meant = make_url(url).database
    except (ArgumentError, ValueError):
        raise NoUrlError("SQLAlchemy can't read it") from None
    if backend_of(found["driver"]) == "sqlite":
        if meant and base != folder and not meant.startswith(("/", ":", "file:")):
            text, meant = f"{base.as_posix()}/{text}", f"{base.as_posix()}/{meant}"
        here = f"{folder.as_posix().rstrip('/')}/"
        if meant and meant.startswith(here) and text.startswith(here):
            text, meant = text.removeprefix(here), meant.removeprefix(here)
    return text if unquote(text) == (meant or "") else text.replace("%", "%25")


def _assembled(
    driver: str, found: re.Match[str], database: str, variable: Callable[[str], str]
) -> Url:
    passwords: list[Password] = []

    def moved(key: str, quoted: str, value: str) -> str:
        passwords.append(Password(variable(key), value, quoted != value))
        return f"${{env:{passwords[-1].variable}}}"

    text = f"{driver}://{_plain(found['user'] or '')}"
    if found["password"]:
        text += f":{moved('password', found['password'], unquote(found['password']))}"
    text += "@" if found["user"] is not None else ""
    text += found["host"]
    text += f"/{_plain(database)}" if found["database"] is not None else ""
    if found["query"]:
        text += "?" + "&".join(_query(found["query"], moved))
    return Url(text, tuple(passwords))


def _query(query: str, moved: Callable[[str, str, str], str]) -> Iterator[str]:
    for pair in query.split("&"):
        key, equals, value = pair.partition("=")
        if value and _SECRET_KEY.search(key):
            value = moved(unquote_plus(key), value, unquote_plus(value))
        else:
            value = _plain(value)
        yield f"{_plain(key)}{equals}{value}"


def _plain(text: str) -> str:
    """Quote what would be a placeholder of ours."""
    return text.replace("{", "%7B").replace("}", "%7D")


def _check(text: str, folder: Path) -> None:
    """Ask our own parser, for what SQLAlchemy lets pass."""
    problem = url_problem(text)
    if problem:
        raise NoUrlError(problem[0])
    try:
        AddressTemplate.parse(text, None, folder)
    except ValueError:
        raise NoUrlError("it is no URL as it stands") from None
