"""Resolving secrets."""

import json
import sys

import pytest

from orchestrator.config import secrets as module
from orchestrator.config.secrets import Secrets, command_line
from orchestrator.config.template import parse
from orchestrator.errors import SecretError

PRINT = f"{sys.executable} -c 'import sys, json; print(json.dumps(sys.argv[1:]))'"


def secret(text, **labels):
    (found,) = parse(text).fill(labels).secrets
    return found


def test_an_environment_variable(tmp_path):
    secrets = Secrets(tmp_path, {"A": "x", "EMPTY": "", "P_acme": "y"})
    assert secrets.value(secret("${env:A}")) == "x"
    assert secrets.value(secret("${env:EMPTY}")) == ""
    assert secrets.value(secret("${env:P_{tenant}}", tenant="acme")) == "y"
    assert secrets.values == {"x", "", "y"}
    with pytest.raises(SecretError) as caught:
        secrets.value(secret("${env:STAGING_PASSWORD}"))
    assert str(caught.value) == (
        "${env:STAGING_PASSWORD}: the environment variable is not set\n"
        "  set STAGING_PASSWORD, e.g. export STAGING_PASSWORD=…"
    )


def test_a_file(tmp_path):
    (tmp_path / "pw").write_text("x\n\n")
    secrets = Secrets(tmp_path, {})
    assert secrets.value(secret("${file:pw}")) == "x\n"
    (tmp_path / "pw").write_text("changed")
    assert secrets.value(secret("${file:pw}")) == "x\n"
    assert secrets.value(secret(f"${{file:{tmp_path}/pw}}")) == "changed"
    (tmp_path / "bytes").write_bytes(b"\xff")
    for name, why in (
        ("none", f"No such file or directory\n  put the secret into {tmp_path}/none"),
        (".", f"Is a directory\n  put the secret into {tmp_path}"),
        ("bytes", f"the file is not UTF-8\n  write {tmp_path}/bytes as text"),
        ("a\0b", f"not a path\n  put the secret into {tmp_path}/a\0b"),
    ):
        with pytest.raises(SecretError) as caught:
            secrets.value(secret(f"${{file:{name}}}"))
        assert str(caught.value) == f"${{file:{name}}}: {why}"


def test_a_command_runs_once_in_the_folder_and_without_a_shell(tmp_path):
    (tmp_path / "count").write_text("")
    (tmp_path / "script.py").write_text(
        "import sys; open('count', 'a').write('x'); print(sys.argv[1:], end='\\r\\n')"
    )
    secrets = Secrets(tmp_path, {})
    command = secret(f"${{cmd:{sys.executable} script.py '$HOME' * ; echo}}")
    assert secrets.value(command) == secrets.value(command) == "['$HOME', '*', ';', 'echo']"
    assert (tmp_path / "count").read_text() == "x"
    handed = Secrets(tmp_path / "elsewhere", {}, secrets.commands)
    assert handed.value(command) == "['$HOME', '*', ';', 'echo']"
    assert handed.values == {"['$HOME', '*', ';', 'echo']"}


@pytest.mark.parametrize(
    "value", ["a b", "'", '"; rm -rf /', "$(x)", "\\", "{v0}", "", "-x", "a\nb"]
)
def test_a_label_stays_within_its_argument(value, tmp_path):
    command = secret(
        f"${{cmd:{PRINT} read 'kv/{{t}}/x' {{t}}{{u}} {{{{v0}}}}}}", t=value, u="U", v0="z"
    )
    expected = ["read", f"kv/{value}/x", f"{value}U", "{z}"]
    assert command_line(command)[3:] == expected
    assert json.loads(Secrets(tmp_path, {}).value(command)) == expected


def test_what_a_label_holds_is_not_taken_for_what_the_file_says(tmp_path):
    secrets = Secrets(tmp_path, {})
    one = secret(f"${{cmd:{PRINT} {{a}}b}}", a="x y ")
    two = secret(f"${{cmd:{PRINT} x y {{b}}}}", b="b")
    assert one.name == two.name
    assert json.loads(secrets.value(one)) == ["x y b"]
    assert json.loads(secrets.value(two)) == ["x", "y", "b"]


def test_a_command_that_fails_shows_its_error_and_not_its_output(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_TIMEOUT", 0.2)
    (tmp_path / "fails.py").write_text(
        "import sys; print('s3cret'); print('first\\nno \\x1baccess\\n', file=sys.stderr)\n"
        "sys.exit(3)"
    )
    (tmp_path / "bytes.py").write_text("import os; os.write(1, b'\\xff')")
    (tmp_path / "hangs.py").write_text("import time; time.sleep(60)")
    secrets = Secrets(tmp_path, {})
    for command, why in (
        (f"{sys.executable} fails.py", "exit code 3: no �access"),
        (f"{sys.executable} hangs.py", "no answer within 0.2 s"),
        ("no-such-program", "No such file or directory"),
    ):
        with pytest.raises(SecretError) as caught:
            secrets.value(secret(f"${{cmd:{command}}}"))
        assert str(caught.value) == (
            f"${{cmd:{command}}}: {why}\n  run it by hand to see what is wrong with it"
        )


def test_every_missing_secret_is_named_with_who_needs_it(tmp_path):
    needs = {
        f"prod/orders/t{n}": (secret("${env:A}"), secret("${env:B}"), secret("${env:B}"))
        for n in range(1000)
    }
    needs["dev/orders"] = (secret("${file:pw}"), secret("${env:OK}"))
    with pytest.raises(SecretError) as caught:
        Secrets(tmp_path, {"OK": "1"}).missing(needs)
    first = ", ".join(f"prod/orders/t{n}" for n in range(5))
    assert str(caught.value) == (
        "${env:A}: the environment variable is not set\n"
        "  set A, e.g. export A=…\n"
        f"  needed by {first} and 995 more\n"
        "${env:B}: the environment variable is not set\n"
        "  set B, e.g. export B=…\n"
        f"  needed by {first} and 995 more\n"
        f"${{file:pw}}: No such file or directory\n  put the secret into {tmp_path}/pw\n"
        "  needed by dev/orders"
    )


def test_nothing_is_missing(tmp_path):
    secrets = Secrets(tmp_path, {"A": "1"})
    secrets.missing({"t": (secret("${env:A}"),), "u": ()})
    secrets.missing({})
    assert secrets.values == {"1"}
