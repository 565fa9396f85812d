"""``orchestrator serve``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import invocation
from orchestrator.cli.project import quiet
from orchestrator.cli.show import write_plain

if TYPE_CHECKING:
    from orchestrator.web.settings import Proxy


def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option("--host", help="Where to listen; beyond this machine only with TLS.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free one.")] = 8321,
    tls_cert: Annotated[
        Path | None,
        typer.Option("--tls-cert", metavar="FILE", show_default=False, help="Its certificate."),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option("--tls-key", metavar="FILE", show_default=False, help="The key of that."),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            "--trusted-proxy",
            metavar="ADDRESS",
            show_default=False,
            help="A proxy in front of it that speaks TLS: an address or a network. "
            "May be repeated.",
        ),
    ] = None,
    user_header: Annotated[
        str,
        typer.Option(
            "--user-header",
            metavar="NAME",
            show_default=False,
            help="The proxy's header that says who is there, in place of tokens.",
        ),
    ] = "",
    role_header: Annotated[
        str,
        typer.Option(
            "--role-header",
            metavar="NAME",
            show_default=False,
            help="The proxy's header that says viewer, approver or operator. Left out: viewer.",
        ),
    ] = "",
) -> None:
    """Show the fleet and its runs in a browser, live, and let people approve there.

    It reads the ledger and drives nothing: kill it, or start several. People sign in with tokens
    ("token add"); you, on this machine, by the link that it prints.

    \b
    Examples:
      orchestrator serve
      orchestrator serve --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem
      orchestrator serve --host 10.0.0.5 --trusted-proxy 10.0.0.2 --user-header X-Forwarded-User
    """
    from orchestrator.errors import UsageError

    try:
        from orchestrator.web.serving import bound
        from orchestrator.web.serving import serve as serve_site
        from orchestrator.web.settings import LOOPBACK, Settings
        from orchestrator.web.site import Site
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in {"starlette", "uvicorn", "jinja2", "anyio"}:
            raise
        raise UsageError(
            f"serve needs {error.name}: pip install 'alembic-orchestrator[web]'"
        ) from None
    from orchestrator.config.roles import Role
    from orchestrator.render.html.environment import templates
    from orchestrator.runs.context import whoami

    templates()  # pages are made with what may not be there
    call = invocation.of(context)
    proxy = _proxy(trusted_proxy or [], user_header, role_header)
    settings = Settings(host, port, tls_cert, tls_key, proxy)
    settings.assert_safe()
    listening = bound(settings)
    site = Site.of(lambda: quiet(call), settings.at(listening.getsockname()[1]))
    lines = [f"{site.name} is at {site.settings.url}; Ctrl-C ends it, and nothing else"]
    if host in LOOPBACK and not user_header:
        link = site.link(whoami(), Role.OPERATOR)
        lines.append(f"you sign in once, within ten minutes, by {link}")
    lines.append("others sign in with a token: orchestrator token add NAME --role viewer")
    write_plain("\n".join(lines) + "\n")
    serve_site(site, listening)


def _proxy(addresses: list[str], user_header: str, role_header: str) -> "Proxy | None":
    """Return the proxy that the options name. Raises ``UsageError`` for half of one."""
    from orchestrator.errors import UsageError
    from orchestrator.web.settings import Proxy, networks

    if (user_header or role_header) and not addresses:
        raise UsageError("--user-header and --role-header are a proxy's: name it, --trusted-proxy")
    if role_header and not user_header:
        raise UsageError("--role-header wants --user-header, too: a role is somebody's")
    return Proxy(networks(addresses), user_header, role_header) if addresses else None
