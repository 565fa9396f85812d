"""Who may do what on a page: tokens, sessions, and the audit of what was done.

Secrets are random and have 256 bits, so that their SHA-256 tells nobody what they are.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, insert, or_, select, update

from orchestrator.config.roles import Role
from orchestrator.errors import UsageError
from orchestrator.ledger import codec
from orchestrator.ledger.clock import clock, now
from orchestrator.ledger.connecting import Database
from orchestrator.ledger.tables import LONGEST_KEY, audit, sessions, tokens

PREFIX = "orch_"
"""How a token begins, so that who scans for lost secrets finds it."""


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token, without what it is. Times are milliseconds by the ledger's clock."""

    id: int
    name: str
    """Whose it is: what they do is recorded with it."""
    role: Role
    by: str
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    used_at: int | None
    """When somebody signed in with it last."""

    def is_good(self, at: int) -> bool:
        """Whether it lets somebody in at a time."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in, and until when."""

    name: str
    role: Role
    expires_at: int


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """What somebody did on a page, or tried to."""

    id: int
    at: int
    by: str
    action: str
    run: int | None
    detail: str
    outcome: str


class Access:
    """The people that a ledger knows. Every method may raise ``LedgerLost``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, role: Role, by: str, lasts: float | None) -> str:
        """Make a token and return it; the ledger keeps its digest alone.

        ``lasts``: seconds, ``None`` for ever. Raises ``UsageError`` for no name.
        """
        if not name.strip() or not name.isprintable() or len(name) > LONGEST_KEY:
            raise UsageError("a token is somebody's: give a name of printable characters")
        token = PREFIX + secrets.token_urlsafe(32)
        with self._database.writing() as connection:
            at = now(connection)
            connection.execute(
                insert(tokens).values(
                    name=codec.text(name.strip(), LONGEST_KEY),
                    role=role.value,
                    digest=_digest(token),
                    by=codec.text(by),
                    created_at=at,
                    expires_at=None if lasts is None else at + round(lasts * 1000),
                )
            )
        return token

    def tokens(self) -> list[TokenRecord]:
        """Return all tokens that there ever were, oldest first."""
        columns = [column for column in tokens.c if column.name != "digest"]
        with self._database.reading() as connection:
            rows = connection.execute(select(*columns).order_by(tokens.c.id)).all()
        return [_token(row) for row in rows]

    def revoke(self, id_: int) -> TokenRecord:
        """Let a token nobody in any more, nor who came in with it. Raises ``UsageError``."""
        with self._database.writing() as connection:
            at = clock(self._database.backend)
            is_open = (tokens.c.id == id_) & tokens.c.revoked_at.is_(None)
            connection.execute(update(tokens).where(is_open).values(revoked_at=at))
        found = next((one for one in self.tokens() if one.id == id_), None)
        if found is None:
            raise UsageError(f"there is no token {id_}; see orchestrator token list")
        return found

    def holder(self, token: str) -> Person | None:
        """Return whose token this is, without a session; ``None`` for none that is good."""
        with self._database.reading() as connection:
            at = now(connection)
            found = connection.execute(
                select(tokens).where(tokens.c.digest == _digest(token))
            ).one_or_none()
        if found is None or not _token(found).is_good(at):
            return None
        return Person(found.name, Role(found.role), found.expires_at or 0)

    def sign_in(self, token: str, lasts: float) -> tuple[str, Person] | None:
        """Begin a session with a token, of at most ``lasts`` seconds.

        Returns its secret and whose it is; ``None`` for no token that is good.
        """
        with self._database.writing() as connection:
            at = now(connection)
            found = connection.execute(
                select(tokens).where(tokens.c.digest == _digest(token))
            ).one_or_none()
            if found is None or not _token(found).is_good(at):
                return None
            used = update(tokens).where(tokens.c.id == found.id).values(used_at=at)
            connection.execute(used)
            until = at + round(lasts * 1000)
            until = until if found.expires_at is None else min(until, found.expires_at)
            person = Person(found.name, Role(found.role), until)
            return self._begun(connection, person, found.id, at), person

    def begin(self, name: str, role: Role, lasts: float) -> tuple[str, Person]:
        """Begin a session without a token, of one who is known otherwise."""
        with self._database.writing() as connection:
            at = now(connection)
            person = Person(codec.text(name, LONGEST_KEY), role, at + round(lasts * 1000))
            return self._begun(connection, person, None, at), person

    def _begun(self, connection: Any, person: Person, token: int | None, at: int) -> str:
        secret = secrets.token_urlsafe(32)
        connection.execute(delete(sessions).where(sessions.c.expires_at <= at))
        connection.execute(
            insert(sessions).values(
                digest=_digest(secret),
                name=person.name,
                role=person.role.value,
                token=token,
                created_at=at,
                expires_at=person.expires_at,
            )
        )
        return secret

    def person(self, secret: str) -> Person | None:
        """Return whose session this is, ``None`` once it or its token ended."""
        c = sessions.c
        found = (
            select(c.name, c.role, c.expires_at)
            .outerjoin(tokens, tokens.c.id == c.token)
            .where(
                c.digest == _digest(secret),
                c.expires_at > clock(self._database.backend),
                or_(c.token.is_(None), tokens.c.revoked_at.is_(None)),
            )
        )
        with self._database.reading() as connection:
            row = connection.execute(found).one_or_none()
        return None if row is None else Person(row.name, Role(row.role), row.expires_at)

    def sign_out(self, secret: str) -> None:
        """End a session."""
        with self._database.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.digest == _digest(secret)))

    def record(self, by: str, action: str, run: int | None, detail: str, outcome: str) -> None:
        """Add to the audit what somebody did, and what came of it."""
        with self._database.writing() as connection:
            connection.execute(
                insert(audit).values(
                    at=clock(self._database.backend),
                    by=codec.text(by, LONGEST_KEY),
                    action=action,
                    run=run,
                    detail=codec.text(detail),
                    outcome=codec.text(outcome),
                )
            )

    def audit(self, run: int | None = None, limit: int = 200) -> Sequence[AuditRecord]:
        """Return what was done on pages, newest first; about one run or at all."""
        found = select(audit).order_by(audit.c.id.desc()).limit(limit)
        if run is not None:
            found = found.where(audit.c.run == run)
        with self._database.reading() as connection:
            return [AuditRecord(**row._asdict()) for row in connection.execute(found)]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _token(row: Row[Any]) -> TokenRecord:
    values = {k: v for k, v in row._asdict().items() if k != "digest"}
    return TokenRecord(**{**values, "role": Role(row.role)})
