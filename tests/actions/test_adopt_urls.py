"""A URL means to us what it means to Alembic, and holds no password any more."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from orchestrator.actions.adopt.urls import NoUrlError, Url, adopt_url
from orchestrator.fleet.address import AddressTemplate

HERE = Path("/srv/shop")
PASSWORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
NAMES = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), min_size=1)
# Letters that no other part of a URL has, so that a password can be looked for.
MARKED = PASSWORDS.map(lambda text: f"Zq{text}qZ")


def numbered() -> Callable[[str], str]:
    taken: list[str] = []

    def name(key: str) -> str:
        taken.append(key)
        return f"V{len(taken)}"

    return name


def adopted(url: str) -> Url:
    found = adopt_url(url, HERE, numbered())
    assert found is not None
    return found


def same(url: str, found: Url) -> None:
    """Assert that both lead to one place, the variables exported as we say."""
    exported = {password.variable: password.value for password in found.passwords}
    address = AddressTemplate.parse(found.text, None, HERE).fill({})
    ours = address.resolve(lambda secret: exported[secret.name]).components
    theirs = make_url(url)
    for key in ("drivername", "username", "password", "host", "port"):
        assert (ours[key] or None) == (getattr(theirs, key) or None), key
    if theirs.get_backend_name() != "sqlite":
        assert (ours["database"] or "") == (theirs.database or "")
    assert dict(ours["query"]) == dict(theirs.query)


@given(NAMES, MARKED, NAMES, MARKED)
def test_a_url_keeps_its_meaning(user: str, password: str, database: str, token: str) -> None:
    url = (
        f"postgresql+psycopg://{quote(user, safe='')}:{quote(password, safe='')}@db:5433/"
        f"{quote(database, safe='')}?sslmode=require&options={quote(database)}"
        f"&sslpassword={quote(token)}"
    )
    found = adopted(url)
    same(url, found)
    assert "Zq" not in found.text
    assert "Zq" not in repr(found)


@given(st.text(st.characters(min_codepoint=33, exclude_categories=["Cs", "Cc", "Zs"])))
def test_an_unquoted_url_keeps_its_meaning_or_is_refused(text: str) -> None:
    url = f"mysql+pymysql://app:Zq{text}/shop"
    try:
        found = adopted(url)
        theirs = make_url(url)
    except (NoUrlError, ValueError):
        return
    same(url, found)
    assert not theirs.password or theirs.password not in found.text


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("sqlite:///app.db", "sqlite:///app.db"),
        ("sqlite:///./var/app.db", "sqlite:///./var/app.db"),
        ("sqlite:////data/app.db", "sqlite:////data/app.db"),
        ("sqlite:////srv/shop/var/app.db", "sqlite:///var/app.db"),
        ("sqlite+aiosqlite:////srv/shop/a.db", "sqlite+aiosqlite:///a.db"),
        ("sqlite:///{a}.db", "sqlite:///%7Ba%7D.db"),
        ("postgresql://h/a${b", "postgresql://h/a$%7Bb"),
        ("postgres://app@h/shop", "postgresql://app@h/shop"),
        ("postgresql+asyncpg://app:x@h/shop", "postgresql+asyncpg://app:${env:V1}@h/shop"),
        ("postgresql://app:@h/shop", "postgresql://app@h/shop"),
        ("mysql+pymysql://h/s?password=x", "mysql+pymysql://h/s?password=${env:V1}"),
        ("mysql+pymysql://h/s?auth_token=x", "mysql+pymysql://h/s?auth_token=${env:V1}"),
        ("postgresql://h/s?passfile=/x", "postgresql://h/s?passfile=/x"),
        ("mysql+pymysql://u:a/b?c#d@h/s", "mysql+pymysql://u:${env:V1}@h/s"),
        (" postgresql://[::1]:5432/s ", "postgresql://[::1]:5432/s"),
    ],
)
def test_urls(url: str, text: str) -> None:
    assert adopted(url).text == text


@pytest.mark.parametrize("name", ["dbname", "dbname2"])
def test_the_placeholder_of_alembic_is_no_url(name: str) -> None:
    assert adopt_url(f"driver://user:pass@localhost/{name}", HERE, numbered()) is None


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:${DB_PASSWORD}@h/shop",
        "${DATABASE_URL}",
        "$DATABASE_URL",
        "app.db",
        "oracle://app:pw@h/shop",
        "postgresql://app:pw@ss@h/shop",
        "postgresql://{host}/shop",
        "postgresql://h:port/shop",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite://app.db",
    ],
)
def test_what_can_not_be_adopted_says_nothing_of_itself(url: str) -> None:
    with pytest.raises(NoUrlError) as raised:
        adopt_url(url, HERE, numbered())
    assert "pw" not in str(raised.value)
