"""Who may see and do what, and what who may not gets."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from orchestrator.config.roles import Role
from orchestrator.errors import Refused, UsageError
from orchestrator.web.guard import POLICY
from orchestrator.web.routes import ROUTES
from orchestrator.web.settings import Proxy, Settings, networks
from tests.project_folder import ProjectFolder
from tests.web.conftest import HOSTILE, Browser, Dashboard

# Written down here, not taken from the table: who changes that must change this.
VIEWS = {
    "/",
    "/fleet/{environment}/{database}",
    "/targets/{target:path}",
    "/runs",
    "/runs/{run:int}",
    "/runs/{run:int}/series",
    "/runs/{run:int}/targets",
    "/runs/{run:int}/targets/{position:int}",
    "/runs/{run:int}/plan",
    "/audit",
    "/metrics",
}
ACTIONS = {
    "approve": Role.APPROVER,
    "pause": Role.APPROVER,
    "resume": Role.OPERATOR,
    "retry": Role.OPERATOR,
    "skip": Role.OPERATOR,
    "abort": Role.OPERATOR,
}
NEEDED: dict[tuple[str, str], Role | None] = {
    ("GET", "/sign-in"): None,
    ("POST", "/sign-in"): None,
    ("GET", "/sign-in/{code}"): None,
    ("POST", "/sign-out"): Role.VIEWER,
    **{("GET", path): Role.VIEWER for path in VIEWS},
    **{
        (method, f"/runs/{{run:int}}/{name}"): role
        for name, role in ACTIONS.items()
        for method in ("GET", "POST")
    },
}
VALUES = {
    "{environment}": "prod",
    "{database}": "app",
    "{target:path}": "prod/app/t1",
    "{run:int}": "1",
    "{position:int}": "1",
    "{code}": "nothing",
}


def filled(path: str) -> str:
    for name, value in VALUES.items():
        path = path.replace(name, value)
    return path


def test_every_route_is_accounted_for() -> None:
    assert {(route.method, route.path): route.role for route in ROUTES} == NEEDED


@pytest.mark.parametrize("role", [None, *Role])
def test_who_may_ask_for_what(dashboard: Dashboard, role: Role | None) -> None:
    access = dashboard.site.ledger.access
    for (method, path), needed in NEEDED.items():
        browser = dashboard.browser() if role is None else dashboard.signed_in(role)
        before = len(access.audit())
        where = filled(path)
        answer = browser.get(where) if method == "GET" else browser.post(where, target="")
        told = f"{role} {method} {where}: {answer.status_code} {answer.text[:200]}"
        if needed is None:
            assert answer.status_code in {200, 303, 403}, told
        elif role is None and method == "GET":
            assert answer.status_code == 303, told
            assert answer.headers["location"].startswith("/sign-in?next=/"), told
        elif role is None:
            assert answer.status_code == 401, told
        elif not role.may(needed):
            assert answer.status_code == 403, told
            assert f"takes the role {needed}" in answer.text
            assert len(access.audit()) == before + 1
        else:
            assert answer.status_code not in {401, 403, 404, 500}, told


@pytest.mark.parametrize("role", [None, *Role])
def test_who_may_watch(dashboard: Dashboard, role: Role | None) -> None:
    if role is None:
        assert dashboard.browser().get("/runs/1/events").status_code == 401
    else:
        assert dashboard.signed_in(role).get("/runs/999/events").status_code == 404


def test_a_form_of_another_page_is_refused(dashboard: Dashboard) -> None:
    browser, other = dashboard.signed_in(Role.OPERATOR), dashboard.signed_in(Role.OPERATOR, "eve")
    theirs = other.csrf()
    for csrf in ("", "0" * 64, theirs, "é"):
        assert browser.post("/runs/1/abort", reason="x", csrf=csrf).status_code == 403
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert browser.post("/runs/1/abort", headers, reason="x").status_code == 403
    assert dashboard.site.ledger.run(1).state == "waiting"
    assert browser.post("/runs/1/abort", reason="x").status_code == 303
    assert dashboard.site.ledger.run(1).state == "aborted"


def test_a_get_changes_nothing(dashboard: Dashboard) -> None:
    browser = dashboard.signed_in(Role.OPERATOR)
    before = dashboard.site.ledger.run(1)
    for name in ACTIONS:
        assert browser.get(f"/runs/1/{name}?reason=x&target=prod/app/t1").status_code == 200
    assert dashboard.site.ledger.run(1) == before
    assert dashboard.site.ledger.asked() == []


def test_a_token_that_is_revoked_signs_out_at_once(dashboard: Dashboard) -> None:
    access = dashboard.site.ledger.access
    browser = dashboard.signed_in(Role.VIEWER)
    assert browser.get("/runs").status_code == 200
    access.revoke(access.tokens()[-1].id)
    assert browser.get("/runs").status_code == 303


def test_tokens_that_let_nobody_in(dashboard: Dashboard) -> None:
    access = dashboard.site.ledger.access
    expired = access.add("kim", Role.OPERATOR, "test", 0.0)
    revoked = access.add("kim", Role.OPERATOR, "test", None)
    access.revoke(access.tokens()[-1].id)
    good = access.add("kim", Role.OPERATOR, "test", None)
    for token in (expired, revoked, good[:-1], good.lower(), "", "orch_", "x" * 10_000):
        answer = dashboard.browser().post("/sign-in", token=token)
        assert answer.status_code in {403, 429}
        assert good not in answer.text
        dashboard.site.limit._failures.clear()
    assert dashboard.browser().post("/sign-in", token=f" {good} ").status_code == 303
    assert [one.by for one in access.audit() if one.outcome == "refused"] == [""] * 7


def test_a_session_that_was_left_is_over(dashboard: Dashboard) -> None:
    browser = dashboard.signed_in(Role.VIEWER)
    kept = dict(browser.cookies)
    assert browser.post("/sign-out").status_code == 303
    again = dashboard.browser()
    again.cookies.update(kept)
    assert again.get("/runs").status_code == 303


def test_a_session_gets_a_secret_of_its_own_and_tokens_are_kept_as_digests(
    dashboard: Dashboard, waiting: ProjectFolder
) -> None:
    browser = dashboard.browser()
    browser.get("/sign-in")
    before = browser.cookies["orchestrator"]
    token = dashboard.site.ledger.access.add("kim", Role.VIEWER, "test", None)
    browser.post("/sign-in", token=token)
    after = browser.cookies["orchestrator"]
    assert before != after  # nobody can have planted it
    dashboard.site.ledger.close()
    for file in (waiting.folder / ".orchestrator").iterdir():
        assert token.encode() not in file.read_bytes()
        assert after.encode() not in file.read_bytes()


def test_who_guesses_waits(dashboard: Dashboard) -> None:
    browser = dashboard.browser()
    codes = [browser.post("/sign-in", token=f"guess {n}").status_code for n in range(12)]
    assert codes == [403] * 10 + [429] * 2
    good = dashboard.site.ledger.access.add("kim", Role.VIEWER, "test", None)
    assert browser.post("/sign-in", token=good).status_code == 429
    other = dashboard.browser("127.0.0.2")
    assert other.post("/sign-in", token=good).status_code == 303


def test_a_link_signs_in_once(dashboard: Dashboard) -> None:
    link = dashboard.site.link("kim@host", Role.OPERATOR).removeprefix(dashboard.settings.url)
    browser = dashboard.browser()
    assert browser.get(link).status_code == 303
    assert "kim@host" in browser.get("/").text
    assert dashboard.browser().get(link).status_code == 403


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\evil", "javascript:alert(1)"],
)
def test_signing_in_leads_to_pages_of_ours_alone(dashboard: Dashboard, path: str) -> None:
    token = dashboard.site.ledger.access.add("kim", Role.VIEWER, "test", None)
    answer = dashboard.browser().post("/sign-in", token=token, next=path)
    assert answer.headers["location"] == "/"
    deep = dashboard.browser().post("/sign-in", token=token, next="/runs/1?x=1")
    assert deep.headers["location"] == "/runs/1?x=1"


def test_every_answer_is_guarded(dashboard: Dashboard) -> None:
    browser = dashboard.signed_in(Role.OPERATOR)
    paths = [filled(path) for method, path in NEEDED if method == "GET"]
    for path in (*paths, "/static/app.css", "/nothing", "/runs/1/events/x", "/runs/99999"):
        answer = browser.get(path)
        assert answer.headers["content-security-policy"] == POLICY, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        if not path.startswith("/static"):
            assert answer.headers["cache-control"] == "no-store"
    assert "unsafe" not in POLICY


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/vendor/../../app.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/",
        "/static/vendor",
    ],
)
def test_no_file_but_the_static_ones(dashboard: Dashboard, path: str) -> None:
    assert dashboard.browser().get(path).status_code in {303, 404}


class Page(HTMLParser):
    """Collects what a page has that could run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.bad: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and given.get("type") != "application/json":
            self.scripts.append(given.get("src") or "inline")
        if tag in {"img", "iframe", "object", "embed", "style", "base"}:
            self.bad.append(tag)
        self.bad += [name for name in given if name.startswith("on") or name == "style"]
        for name in ("href", "src", "action"):
            value = given.get(name) or "/"
            if not value.startswith(("/", "#")) or value.startswith("//"):
                self.bad.append(value)


def test_no_text_of_the_fleet_is_ever_a_part_of_a_page(dashboard: Dashboard) -> None:
    browser = dashboard.signed_in(Role.OPERATOR, "<b>lou</b>")
    assert browser.post("/runs/1/retry", reason=HOSTILE, target="prod/app/t1").status_code == 303
    assert browser.post("/runs/1/approve", reason=HOSTILE).status_code == 303
    paths = [filled(path) for method, path in NEEDED if method == "GET"]
    hostile = "%3Cscript%3Ealert(1)%3C/script%3E%22%3E"
    paths += [f"/?q={hostile}", f"/runs?by={hostile}&state={hostile}", f"/targets/{hostile}"]
    paths += [f"/fleet/prod/app?q={hostile}&label.tier={hostile}&heads={hostile}"]
    paths += [f"/runs/1/targets?q={hostile}&state={hostile}", f"/runs/1/skip?target={hostile}"]
    paths += [f"/sign-in?next=/{hostile}", f"/fleet/{hostile}/x", f"/runs/1?did={hostile}"]
    seen = ""
    for path in paths:
        answer = browser.get(path)
        if "html" not in answer.headers.get("content-type", ""):
            continue
        page = Page(answer.text)
        assert page.bad == [], path
        assert all(src.startswith("/static/") for src in page.scripts), path
        assert "60481729" not in answer.text, path  # what a template would have made of it
        seen += answer.text
    assert seen.count("&lt;script&gt;alert(1)") > 10  # it was there to be escaped


def test_what_a_proxy_says_counts_from_the_proxy_alone(
    waiting: ProjectFolder, dashboards: Callable[..., Dashboard]
) -> None:
    proxy = Proxy(networks(["10.0.0.2", "10.1.0.0/16"]), "X-User", "X-Role")
    there = dashboards(waiting, Settings("10.0.0.5", proxy=proxy))
    headers = {"X-User": "kim@example.com", "X-Role": "approver", "X-Forwarded-Proto": "https"}
    answer = there.browser("10.1.2.3", **headers).get("/runs/1/approve")
    assert answer.status_code == 200
    assert "kim@example.com" in answer.text
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-orchestrator=")
    assert re.search("HttpOnly", cookie)
    assert re.search("SameSite=lax", cookie)
    assert re.search("Secure", cookie)
    assert there.browser("10.0.0.3", **headers).get("/runs").status_code == 403
    here = dashboards(waiting, Settings(proxy=proxy))  # where nobody else is kept out
    assert here.browser("127.0.0.1", **headers).get("/runs").status_code == 303
    assert here.browser("10.0.0.2", **headers).get("/runs").status_code == 200
    for wrong in ({"X-Role": "root"}, {"X-User": ""}, {"X-User": "\tx\x01"}):
        assert there.browser("10.0.0.2", **headers | wrong).get("/runs").status_code == 303


def test_what_is_not_encrypted_stays_on_this_machine(tmp_path) -> None:
    with pytest.raises(Refused, match="--tls-cert") as refused:
        Settings("0.0.0.0").assert_safe()
    assert "--trusted-proxy" in str(refused.value)
    Settings("localhost").assert_safe()
    Settings("10.0.0.5", proxy=Proxy(networks(["10.0.0.2"]))).assert_safe()
    with pytest.raises(UsageError, match="belong together"):
        Settings(certificate=tmp_path / "x").assert_safe()
    with pytest.raises(UsageError, match="--trusted-proxy"):
        networks(["somewhere"])


def test_a_large_form_is_not_read(dashboard: Dashboard) -> None:
    answer = dashboard.browser().post("/sign-in", token="x" * 100_000)
    assert answer.status_code == 413


def test_browsers_are_told_apart(dashboard: Dashboard) -> None:
    one, two = dashboard.signed_in(Role.VIEWER, "one"), dashboard.signed_in(Role.VIEWER, "two")
    assert isinstance(one, Browser)
    assert one.csrf() != two.csrf()
