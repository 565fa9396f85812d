"""Serving the dashboard until somebody stops it."""

import logging
import socket
from contextlib import closing

import uvicorn

from orchestrator.errors import UsageError
from orchestrator.web.app import application
from orchestrator.web.live import Live
from orchestrator.web.settings import Settings
from orchestrator.web.site import Site

_STOPS_WITHIN = 2
"""Seconds that open connections get: who watches a run never ends by itself."""


def bound(settings: Settings) -> socket.socket:
    """Return a socket that listens there. Raises ``UsageError`` where none can."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    made = socket.socket(family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((settings.host, settings.port))
        made.listen(128)
    except (OSError, OverflowError) as error:
        made.close()
        said = getattr(error, "strerror", None) or error
        raise UsageError(
            f"{settings.host}:{settings.port}: {said}; take another with --port"
        ) from None
    return made


def serve(site: Site, listening: socket.socket) -> None:
    """Answer until Ctrl-C."""
    settings = site.settings
    live = Live(site.ledger)
    config = uvicorn.Config(
        application(site, live),
        log_level=logging.WARNING,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
        timeout_graceful_shutdown=_STOPS_WITHIN,
        lifespan="off",
    )
    with closing(listening):
        _Server(config, live).run([listening])


class _Server(uvicorn.Server):
    """Ends the events of who watches first: they never end by themselves."""

    def __init__(self, config: uvicorn.Config, live: Live) -> None:
        super().__init__(config)
        self._live = live

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        self._live.close()
        await super().shutdown(sockets)
