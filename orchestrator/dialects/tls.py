"""Opportunistic TLS to MySQL and MariaDB, without reading the system's certificates each time."""

from functools import cache
from typing import Any


def share_unverified_context() -> None:
    """Make PyMySQL use one TLS context for all connections that verify no certificate.

    It builds one per connection and reads all of the system's certificate authorities into it,
    also where the URL asks for no verification and none of them is ever looked at: measured, 20 ms
    of CPU, a third of what a worker spends on a target of 20 revisions.
    """
    try:
        from pymysql.connections import Connection
    except ImportError:
        return
    create: Any = Connection._create_ssl_ctx

    @cache
    def unverified() -> Any:
        return create(None, {})

    def context(connection: Any, settings: Any) -> Any:
        return create(connection, settings) if settings else unverified()

    Connection._create_ssl_ctx = context
