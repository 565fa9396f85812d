"""The documentation holds what it promises: links, files, commands, and the steps of the README."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from distributed.cli import dask_scheduler, dask_worker
from pydantic import BaseModel
from typer.main import get_command

from orchestrator.cli.app import build
from orchestrator.cli.invocation import Invocation, hoist
from orchestrator.config import models
from orchestrator.config.load import load
from orchestrator.config.units import duration
from orchestrator.dispatch import dask_preload
from orchestrator.errors import ConfigError
from orchestrator.rollout import events

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CLUSTER = ROOT / "docs" / "cluster.md"
FORMAT = ROOT / "docs" / "environments-toml.md"

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
# The comment above a block says what it is: fragment, broken, run in …, append to ….
_BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[^>]*) -->\n)?(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_INLINE = re.compile(r"`(orchestrator [^`\n]+)`")
# Alembic's templates grow from release to release, and with them the numbers of lines.
_VARIES = re.compile(r"\d+(\.\d+)?s\b|\b[0-9a-f]{12}\b|\bline \d+")


def blocks(page: Path, *languages: str) -> Iterator[tuple[str, str]]:
    """Yield the mark and the text of each block of code."""
    for found in _BLOCK.finditer(page.read_text()):
        if found["language"] in languages:
            text = re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
            yield found["mark"] or "", text


def anchors(page: Path) -> set[str]:
    """The places in a page that a link can lead to, as GitHub names them."""
    titles = _HEADING.findall(re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(page: Path) -> Iterator[str]:
    """Yield the calls of the program in a page, without what a shell does with their output."""
    text = page.read_text()
    lines = [
        line.removeprefix("$ ") for _, b in blocks(page, "sh", "console") for line in b.split("\n")
    ]
    shell = [line for line in lines if line.startswith("orchestrator ")]
    # "`orchestrator` runs" is the name of the program; only what follows it inside is a command.
    for line in [
        *shell,
        *_INLINE.findall(re.sub(r"^ *```.*?^ *```$", "", text, flags=re.M | re.S)),
    ]:
        yield re.split(r"\s[|>#]|&&", line)[0].strip()


def pages_of(finder: Any) -> list[Any]:
    return [
        pytest.param(page, found, id=f"{page.name}-{number}")
        for page in PAGES
        for number, found in enumerate(finder(page))
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize(("page", "block"), pages_of(lambda page: blocks(page, "toml")))
def test_files_that_are_shown_are_valid(page: Path, block: tuple[str, str], tmp_path: Path) -> None:
    mark, text = block
    path = tmp_path / "environments.toml"
    path.write_text(text)
    if mark == "broken":
        with pytest.raises(ConfigError):
            load(path)
    elif mark != "fragment":
        assert load(path).config.environments


def test_the_mistakes_that_are_shown_are_those_that_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (broken,) = (text for mark, text in blocks(FORMAT, "toml") if mark == "broken")
    Path("environments.toml").write_text(broken)
    with pytest.raises(ConfigError) as raised:
        load()
    call = "$ orchestrator config check\nerror: "
    (shown,) = (text for _, text in blocks(FORMAT, "console") if text.startswith(call))
    assert shown.removeprefix(call).rstrip() == str(raised.value)


def dask_commands() -> Iterator[list[str]]:
    """Yield the calls of Dask's own programs, and of ours outside of shells, that are shown."""
    for page in PAGES:
        for _, text in blocks(page, "sh", "console"):
            for line in text.replace("\\\n", " ").split("\n"):
                if line.startswith("dask "):
                    yield shlex.split(line)
        for _, text in blocks(page, "ini"):
            for line in re.findall(r"^ExecStart=(.*)$", text.replace("\\\n", " "), flags=re.M):
                program, *arguments = shlex.split(line)
                yield [Path(program).name, *arguments]
    for path in sorted((ROOT / "docs" / "cluster").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield from _commands_in(document)
        for line in re.findall(
            r"^#   docker compose run --rm drive (\S.*)$", path.read_text(), re.M
        ):
            yield shlex.split(line)


def _commands_in(value: Any) -> Iterator[list[str]]:
    """Yield what containers run, wherever it stands in a YAML document."""
    if isinstance(value, dict):
        if "command" in value:
            yield value["command"]
        yield from (found for inner in value.values() for found in _commands_in(inner))
    elif isinstance(value, list):
        yield from (found for inner in value for found in _commands_in(inner))


@pytest.mark.parametrize("words", [*dask_commands()], ids=lambda words: " ".join(words[:4]))
def test_commands_of_a_cluster_exist(words: list[str]) -> None:
    program, *arguments = words
    if program == "orchestrator":
        test_commands_that_are_shown_exist(CLUSTER, shlex.join(words))
        return
    assert program == "dask"
    # It looks whether files are there.
    name, *arguments = [re.sub(r"[^=]+\.pem$", str(CLUSTER), word) for word in arguments]
    command = {"scheduler": dask_scheduler.main, "worker": dask_worker.main}[name]
    # A worker hands what it does not know to its preload.
    with command.make_context(name, arguments) as context:
        rest = context.params["preload_argv"]
    with dask_preload.dask_setup.make_context("preload", list(rest)):
        assert rest == () or context.params["preload"] == ("orchestrator.dispatch.dask_preload",)


def test_a_dask_command_that_does_not_exist_is_found_out() -> None:
    preloaded = "dask worker tls://a:1 --preload orchestrator.dispatch.dask_preload --plac eu"
    for line in ("dask scheduler --tls-ca ca.pem", "dask worker tls://a:1 --place eu", preloaded):
        with pytest.raises((AssertionError, click.ClickException)):
            test_commands_of_a_cluster_exist(shlex.split(line))


def test_files_of_a_cluster_fit_each_other() -> None:
    folder = ROOT / "docs" / "cluster"
    config = load(folder / "environments.toml").config
    settings = config.engine
    assert settings.kind == "dask"
    assert settings.security is not None
    named = re.findall(
        r"/run/secrets/shop/(\w+(?:\.pem)?)", (folder / "environments.toml").read_text()
    )
    compose = yaml.safe_load((folder / "compose.yaml").read_text())
    known = {
        of: {s["source"]: Path(s["target"]).name for s in compose["services"][of]["secrets"]}
        for of in ("drive", "worker-eu", "worker-us")
    }
    # Who drives knows nothing of the databases, and who works nothing of the ledger.
    assert set(known["drive"].values()) == set(named) - {"db_password"}
    assert set(known["worker-eu"].values()) == set(named) - {"ledger_url"}
    assert known["worker-us"] == known["worker-eu"]
    assert known["drive"].keys() | known["worker-eu"].keys() == compose["secrets"].keys()
    text = (folder / "kubernetes.yaml").read_text()
    documents = list(yaml.safe_load_all(text))
    assert {name for name in named if f"--from-file={name}" in text} == set(named)
    (service,) = (d for d in documents if d["kind"] == "Service")
    (port,) = service["spec"]["ports"]
    assert f"tls://{service['metadata']['name']}:{port['port']}" == settings.scheduler
    for document in documents:
        if document["kind"] in ("Deployment", "Job"):
            _assert_volumes(document["spec"]["template"]["spec"], text)


def _assert_volumes(pod: Any, text: str) -> None:
    """What is mounted is there, and its secret is one that the file says how to create."""
    (container,) = pod["containers"]
    assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
    (volume,) = (v for v in pod["volumes"] if v["name"] == "secrets")
    sources = [s["secret"]["name"] for s in volume.get("projected", {}).get("sources", [])]
    for secret in sources or [volume["secret"]["secretName"]]:
        assert f"create secret generic {secret} " in text


@pytest.mark.parametrize(("page", "line"), pages_of(commands))
def test_commands_that_are_shown_exist(page: Path, line: str) -> None:
    if line in ("orchestrator COMMAND --help", "orchestrator --help"):
        return
    command: Any = get_command(build())
    arguments = hoist(shlex.split(line, comments=True)[1:])
    context = command.make_context("orchestrator", arguments, obj=Invocation())
    while hasattr(command, "resolve_command"):
        waiting = getattr(context, "_protected_args", None) or getattr(
            context, "protected_args", []
        )
        name, command, rest = command.resolve_command(context, [*waiting, *context.args])
        context = command.make_context(name, rest, parent=context)


def test_a_command_that_does_not_exist_is_found_out() -> None:
    for line in ("orchestrator upgrade --dryrun", "orchestrator upgrad", "orchestrator stamp prod"):
        with pytest.raises(Exception, match=r"(?i)no such|missing"):
            test_commands_that_are_shown_exist(ROOT / "README.md", line)


@pytest.mark.parametrize(
    "model",
    [
        found
        for found in vars(models).values()
        if isinstance(found, type) and issubclass(found, BaseModel)
    ],
    ids=lambda model: model.__name__,
)
def test_every_key_is_described(model: type[BaseModel]) -> None:
    text = FORMAT.read_text()
    for name, field in model.model_fields.items():
        key = field.alias or name
        assert f"`{key}`" in text or f"[{key}" in text


def test_the_defaults_of_a_rollout_are_those_of_the_models() -> None:
    rows = FORMAT.read_text().partition("rollout]`")[2].partition("###")[0].splitlines()
    own = {"window": "always", "waves": "one wave", "gate": "nothing"}
    for name, field in models.Rollout.model_fields.items():
        (row,) = (row for row in rows if row.startswith(f"| `{name}` |"))
        value = field.default
        shown = f'`"{duration(value)}"`' if isinstance(value, float) else f"`{value}`"
        shown = own.get(name, shown if value is not None else "no limit")
        assert f" {shown} |" in row


@pytest.mark.parametrize(
    ("page", "number"), [("README.md", 5), ("docs/adopt.md", 10)], ids=lambda value: str(value)
)
def test_the_steps_of_a_page_work(page: str, number: int, tmp_path: Path) -> None:
    steps, folder = 0, tmp_path
    for mark, text in blocks(ROOT / page, "console", "python"):
        if mark.startswith("append to "):
            with (folder / mark.removeprefix("append to ")).open("a") as file:
                file.write(text)
        elif mark.startswith("run in "):
            if mark == "run in an empty folder":
                folder = tmp_path / f"from-{steps}"
                folder.mkdir()
            for call in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, _, shown = call.partition("\n")
                missing = set(_lines(shown)) - set(_lines(_run(line, folder)))
                assert not missing, line
                steps += 1
    assert steps > number


# With slots, each is made twice, and the first lives until it is collected.
_EVENTS = {event.__name__: event for event in events.Event.__subclasses__()}


@pytest.mark.parametrize("event", _EVENTS.values(), ids=_EVENTS)
def test_every_event_is_described_with_its_keys(event: type[events.Event]) -> None:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", event.__name__).lower()
    text = (ROOT / "docs" / "events.md").read_text()
    (row,) = (row for row in text.splitlines() if row.startswith(f"| `{name}` |"))
    keys = set(re.findall(r"`(\w+)`", row.split("|")[2]))
    outcome = {"outcome"} if "those of an outcome" in row else set()
    assert keys | outcome == {field.name for field in fields(event)} - {"at"}


def test_the_guide_to_rollouts_works(tmp_path: Path) -> None:
    page = ROOT / "docs" / "rollouts.md"
    fleet, failing, fixed = (text for _, text in blocks(page, "python"))
    source, waves = (text for _, text in list(blocks(page, "toml"))[:2])
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations")
    example = (ROOT / "environments.toml").read_text()
    example = re.sub(r"^# In the order .*?^\]\n", source, example, flags=re.M | re.S)
    (tmp_path / "environments.toml").write_text(example)
    # Fewer of them, and so a larger share that may fail.
    (tmp_path / "fleet.py").write_text(fleet.replace("range(1, 301)", "range(131, 149)"))
    _run("python fleet.py", tmp_path)
    waves = waves.replace("1m", "1s").replace('"1%"', '"10%"')
    example = re.sub(r'^max_failures .*?order_by = \["name"\]\n', waves, example, flags=re.M | re.S)
    (tmp_path / "environments.toml").write_text(example)
    revision = tmp_path / "migrations/orders/versions/0006_lower_case_addresses.py"
    revision.write_text(failing)

    assert "0006  E-mail addresses are lower case  irreversible" in _run(
        "orchestrator plan prod --out prod.plan.json", tmp_path
    )
    told = _run("orchestrator upgrade --plan prod.plan.json --yes --no-wait", tmp_path, 3)
    assert "UNIQUE constraint failed: customers.email" in told
    assert "of prod/canary failed; none may" in told

    head, _, tail = failing.partition("from alembic import op\n")
    change = tail.partition("def upgrade()")[0]
    imports, _, rest = fixed.partition("\nSAME")
    downgrade = "def downgrade()" + tail.partition("def downgrade()")[2]
    revision.write_text(f"{head}{imports}{change}SAME{rest}\n\n{downgrade}")
    assert "was edited" in _run("orchestrator upgrade --plan prod.plan.json --yes", tmp_path, 5)
    _run("orchestrator plan prod --exclude prod/*/shop-142 --out prod.plan.json", tmp_path)
    told = _run("orchestrator upgrade --plan prod.plan.json --yes --no-wait", tmp_path, 6)
    assert "orchestrator approve 3 && orchestrator resume 3" in told
    _run("orchestrator approve 3", tmp_path)
    assert "run 3: done" in _run("orchestrator resume 3 --wait", tmp_path)
    told = _run("orchestrator upgrade prod --yes", tmp_path, 3)
    assert "customers 1 and 2 share an address, and are two people" in told


def test_what_the_readme_says_of_python_is_there() -> None:
    (program,) = (text for mark, text in blocks(ROOT / "README.md", "python") if not mark)
    for line in program.splitlines():
        if line.startswith("from "):
            exec(line, {})


def _run(line: str, folder: Path, code: int = 0) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path}
    environ.pop("ORCHESTRATOR_CONFIG", None)
    ran = subprocess.run(
        line, shell=True, cwd=folder, env=environ, text=True, capture_output=True, timeout=120
    )
    assert ran.returncode == code, f"$ {line}\n{ran.stdout}{ran.stderr}"
    return ran.stdout + ran.stderr


def _lines(text: str) -> list[str]:
    """Lines without what differs from run to run: times, revision ids, places in a template."""
    return [_VARIES.sub("…", line).rstrip() for line in text.splitlines() if line.strip()]


_PATH = re.compile(r"`((?:orchestrator|tests|docs)/[\w./-]*)`")


def test_every_path_of_the_architecture_exists() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    paths = dict.fromkeys(_PATH.findall(page))

    assert len(paths) > 60
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_architecture_names_what_is_there() -> None:
    """A name in its table of questions is in the file that it names."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = page.partition("## Four questions")[2].partition("## ")[0]
    for names, path in re.findall(r"((?:`[\w.]+`(?: and |, )?)+) in `([\w/.]+)`", rows):
        text = (ROOT / path).read_text()
        for name in re.findall(r"`([\w.]+)`", names):
            assert re.search(rf"(def|class) {name.rpartition('.')[2]}\b", text), (name, path)


def test_every_package_says_what_lives_in_it() -> None:
    for package in (ROOT / "orchestrator").rglob("__init__.py"):
        if "templates" not in package.parts and package.parent.name != "versions":
            doc = ast.get_docstring(ast.parse(package.read_text()))
            assert doc is not None, package
            assert len(doc.splitlines()) >= 3, package
