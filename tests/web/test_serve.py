"""``orchestrator serve`` and ``token``, as they are used."""

import http.client
import re
import signal
import ssl
import subprocess
import sys
import time
from contextlib import closing
from urllib.request import HTTPCookieProcessor, build_opener

import pytest
import trustme

from orchestrator.config.roles import Role
from tests.project_folder import ProjectFolder, Started, wait_until
from tests.web.conftest import Dashboard


def link_of(serving: Started) -> str:
    """Return the link that signs whoever started it in."""
    out = serving.folder / "out"
    wait_until(lambda: "/sign-in/" in out.read_text())
    found = re.search(r"http\S+/sign-in/\S+", out.read_text())
    assert found
    return found[0]


def test_it_serves_until_ctrl_c_and_signs_in_who_started_it(waiting: ProjectFolder) -> None:
    serving = waiting.start("serve", "--port", "0")
    link = link_of(serving)
    browser = build_opener(HTTPCookieProcessor())
    with closing(browser.open(link)) as answer:
        assert "operator" in answer.read().decode()
    base = link.partition("/sign-in")[0]
    with closing(browser.open(f"{base}/runs/1/events")) as events:
        told = events.read(2000).decode()
        assert '"part": "head"' in told
        serving.interrupt()  # who watches does not hold it up
        ran = serving.wait(None, 20)
    assert ran.code in {0, 130}
    assert ran.err == ""


def test_events_tell_what_changes_and_end_with_the_session(
    dashboard: Dashboard, waiting: ProjectFolder
) -> None:
    serving = waiting.start("serve", "--port", "0")
    base = link_of(serving).partition("/sign-in")[0]
    access = dashboard.site.ledger.access
    token = access.add("kim", Role.VIEWER, "test", None)
    found = access.sign_in(token, 60)
    assert found
    address = base.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("GET", "/runs/1/events", headers={"Cookie": f"orchestrator={found[0]}"})
    events = connection.getresponse()
    assert events.headers["content-type"].startswith("text/event-stream")
    seen: list[str] = []

    def until(text: str) -> None:
        while text not in "".join(seen[-50:]):
            line = events.readline().decode()
            assert line, f"{text} never came: {seen[-20:]}"
            seen.append(line)

    until("event: codes")
    until("data: dfoo")
    assert not any('"part": "actions"' in line and "Abort" in line for line in seen)
    dashboard.site.ledger.approve(1, 0, "lou")
    until("approved")  # within the decisions
    access.revoke(access.tokens()[-1].id)
    until_ended = time.monotonic() + 60
    while events.readline():  # and then it ends by itself
        assert time.monotonic() < until_ended
    connection.close()


def test_with_a_certificate_it_is_everywhere(waiting: ProjectFolder) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    cert, key = waiting.folder / "cert.pem", waiting.folder / "key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(key)
    refused = waiting.run("serve", "--host", "0.0.0.0", code=5)
    assert "--tls-cert" in refused.err
    serving = waiting.start(
        "serve", "--host", "0.0.0.0", "--port", "0", "--tls-cert", str(cert), "--tls-key", str(key)
    )
    out = serving.folder / "out"
    wait_until(lambda: "https://" in out.read_text())
    assert "/sign-in/" not in out.read_text()  # the link would be a stranger's as well
    port = int(re.findall(r"https://0.0.0.0:(\d+)", out.read_text())[0])
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    connection = http.client.HTTPSConnection("localhost", port, context=trusted)
    connection.request("GET", "/sign-in")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200
    assert "max-age" in answer.headers["strict-transport-security"]
    assert "; Secure" in answer.headers["set-cookie"]
    assert answer.headers["set-cookie"].startswith("__Host-orchestrator=")
    connection.close()


def test_half_of_a_proxy(waiting: ProjectFolder) -> None:
    nobody = waiting.run("serve", "--user-header", "X-User", code=2)
    assert "name it, --trusted-proxy" in nobody.err
    proxy = ("--trusted-proxy", "10.0.0.2")
    assert (
        "a role is somebody's"
        in waiting.run("serve", *proxy, "--role-header", "X-Role", code=2).err
    )


def test_a_port_that_is_taken(waiting: ProjectFolder) -> None:
    serving = waiting.start("serve", "--port", "0")
    port = link_of(serving).partition("/sign-in")[0].rpartition(":")[2]
    refused = waiting.run("serve", "--port", port, code=2)
    assert "take another with --port" in refused.err


def test_a_killed_page_harms_nobody_and_several_share_sessions(
    dashboard: Dashboard, waiting: ProjectFolder
) -> None:
    one, two = (waiting.start("serve", "--port", "0") for _ in range(2))
    browser = build_opener(HTTPCookieProcessor())
    first = link_of(one)
    browser.open(first).close()
    one.process.send_signal(signal.SIGKILL)
    port = link_of(two).partition("/sign-in")[0].rpartition(":")[2]
    with closing(browser.open(f"http://127.0.0.1:{port}/runs")) as answer:
        assert "Sign out" in answer.read().decode()
    waiting.run("approve", "1")
    waiting.run("resume", "1", "--no-wait", code=None)
    assert dashboard.site.ledger.run(1).state == "done"


def test_tokens_are_made_listed_and_revoked(waiting: ProjectFolder) -> None:
    added = waiting.run("token", "add", "kim", "--role", "approver")
    token = added.out.strip()
    assert re.fullmatch(r"orch_[\w-]{43}", token)
    assert added.err == "This is kim's, as approver: it is shown this once.\n"
    made = waiting.run("token", "add", "wall", "--for", "ever", "-o", "json").json
    assert made["role"] == "viewer"
    listed = waiting.run("token", "list", "-o", "json")
    rows = [(row["name"], row["role"], row["state"]) for row in listed.json["tokens"]]
    assert rows == [("kim", "approver", "good"), ("wall", "viewer", "good")]
    assert listed.json["tokens"][1]["expires_at"] is None
    shown = waiting.run("token", "list").out
    assert token not in listed.out + shown
    waiting.run("token", "revoke", "1")
    assert "revoked" in waiting.run("token", "list").out
    assert "no token 9" in waiting.run("token", "revoke", "9", code=2).err
    assert "a duration is" in waiting.run("token", "add", "x", "--for", "soon", code=2).err
    assert "give a name" in waiting.run("token", "add", " ", code=2).err


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "jinja2"])
def test_without_the_extra_it_says_what_to_install(waiting: ProjectFolder, missing: str) -> None:
    hook = waiting.folder / "without" / "sitecustomize.py"
    hook.parent.mkdir()
    hook.write_text(f"import sys; sys.modules[{missing!r}] = None\n")
    environ = {**waiting._environ(), "PYTHONPATH": str(hook.parent)}
    done = subprocess.run(
        [str(waiting.program), "serve", "--port", "0"],
        cwd=waiting.folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "pip install 'alembic-orchestrator[web]'" in done.stderr


def test_help_imports_nothing_of_it() -> None:
    code = """
import sys
from orchestrator.cli.app import run
run(["serve", "--help"])
print([name for name in ("starlette", "uvicorn", "jinja2", "sqlalchemy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")
