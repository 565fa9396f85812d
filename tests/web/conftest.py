"""A fleet with a run that failed in part and waits for approval, and its dashboard."""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import httpx
import pytest
from starlette.applications import Starlette

from orchestrator.actions import Project
from orchestrator.config.roles import Role
from orchestrator.web.app import application
from orchestrator.web.live import Live
from orchestrator.web.settings import Settings
from orchestrator.web.site import Site
from tests.project_folder import ProjectFolder

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;{{ 7777 * 7777 }}\u2028"
BEGAN = "kim@laptop"
CONFIG = """
[project]
name = "fleet"

[databases.app]
script_location = "migrations/app"

[environments.prod]
url = "sqlite:///var/{tenant}.db"
tenants = [
    { name = "t0", tier = "internal" }, { name = "t1", tier = "internal" },
    { name = "t2", note = %s }, "t3",
]

[environments.prod.rollout]
max_failures = 1

[[environments.prod.rollout.waves]]
name = "canary"
where = { tier = "internal" }
gate = { approval = true }
"""
CREATE = "op.create_table('items', sa.Column('id', sa.Integer))"


@dataclass
class Browser:
    """Somebody's browser, without a socket: keeps cookies, and sends forms as pages have them."""

    app: Starlette
    site: Site
    address: str
    headers: Mapping[str, str]
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)

    def sign_in(self, name: str, role: Role) -> "Browser":
        """Sign in with a new token."""
        token = self.site.ledger.access.add(name, role, "test", None)
        answer = self.post("/sign-in", token=token)
        assert answer.status_code == 303, answer.text
        return self

    def get(self, path: str) -> httpx.Response:
        """Ask for a page; redirects are not followed."""
        return self._send("GET", path)

    def csrf(self) -> str:
        """Return what forms of this browser are signed with."""
        for path in ("/sign-in", "/audit"):
            found = re.search(r'name="csrf" value="(\w+)"', self.get(path).text)
            if found:
                return found[1]
        raise AssertionError("no form")

    def post(
        self, path: str, headers: Mapping[str, str] | None = None, **fields: str
    ) -> httpx.Response:
        """Send a form."""
        fields.setdefault("csrf", self.csrf())
        return self._send("POST", path, headers or {}, fields)

    def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] = MappingProxyType({}),
        data: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        async def sent() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=(self.address, 50_000))
            base = self.site.settings.url
            async with httpx.AsyncClient(
                transport=transport, base_url=base, cookies=self.cookies, headers=self.headers
            ) as client:
                answer = await client.request(method, path, headers=dict(headers), data=data)
                self.cookies = client.cookies
                return answer

        return asyncio.run(sent())


@dataclass
class Dashboard:
    """A dashboard without a socket."""

    folder: ProjectFolder
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        path = self.folder.folder / "environments.toml"
        self.site = Site.of(lambda: Project.load(path), self.settings)

    def browser(self, address: str = "127.0.0.1", **headers: str) -> Browser:
        """Return a browser with no cookies yet."""
        app = application(self.site, Live(self.site.ledger))
        return Browser(app, self.site, address, headers)

    def signed_in(self, role: Role, name: str = "lou") -> Browser:
        """Return the browser of somebody who is signed in."""
        return self.browser().sign_in(name, role)

    def close(self) -> None:
        """End it."""
        self.site.ledger.close()


@pytest.fixture
def shop(tmp_path: Path) -> ProjectFolder:
    """A project with a canary that somebody must approve."""
    project = ProjectFolder(tmp_path)
    note = HOSTILE.replace("\\", "\\\\").replace('"', '\\"')
    project.config(CONFIG % f'"{note}"')
    project.scripts()
    fails = f"{CREATE}\nif 't1' in str(op.get_bind().engine.url):\n"
    fails += f"    raise RuntimeError({HOSTILE!r})"
    text = fails.replace("max_failures", "max_failures")
    project.revision("a1", None, text, "op.drop_table('items')", message=HOSTILE.replace('"', "”"))
    config = (project.folder / "environments.toml").read_text()
    canary = 'name = "canary"\nmax_failures = 1\n'
    (project.folder / "environments.toml").write_text(config.replace('name = "canary"\n', canary))
    return project


@pytest.fixture
def waiting(shop: ProjectFolder) -> ProjectFolder:
    """The project with its run at the gate: t0 is done, t1 failed, two are open."""
    shop.run("upgrade", "--yes", "--no-wait", code=None)
    return shop


@pytest.fixture
def dashboards() -> Iterator[Callable[..., Dashboard]]:
    """Make dashboards, which are closed with the test."""
    made: list[Dashboard] = []

    def make(folder: ProjectFolder, settings: Settings | None = None) -> Dashboard:
        made.append(Dashboard(folder, settings or Settings()))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def dashboard(waiting: ProjectFolder, dashboards: Callable[..., Dashboard]) -> Dashboard:
    """The dashboard of the project whose run waits."""
    return dashboards(waiting)
