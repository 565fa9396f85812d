"""What every answer says to browsers, and who is not answered at all."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse

from orchestrator.web.settings import LOOPBACK, Settings

_Scope = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]

# No script, style or picture but our own files; nothing inline; in nobody's frame.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_YEAR = "max-age=31536000"


class Guard:
    """Adds headers to every answer, and answers nobody who comes round the proxy."""

    def __init__(self, app: _App, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sent(message: _Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if self._settings.is_encrypted:
                    headers.setdefault("Strict-Transport-Security", _YEAR)
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        if self._comes_round(scope):
            text = "this dashboard is behind a proxy: come through that\n"
            await PlainTextResponse(text, 403)(scope, receive, sent)
            return
        await self._app(scope, receive, sent)

    def _comes_round(self, scope: _Scope) -> bool:
        """Whether somebody comes round the proxy that has the certificate."""
        settings, client = self._settings, scope.get("client")
        if settings.proxy is None or settings.is_encrypted or settings.host in LOOPBACK:
            return False
        return client is None or not settings.proxy.is_at(client[0])
