"""What ``[engine] security`` names: files and secrets that hold PEM; all else is told at once."""

from pathlib import Path

import pytest

from orchestrator.config.engine import Security
from orchestrator.config.secrets import Secrets
from orchestrator.dispatch.cluster import security
from orchestrator.errors import UsageError

TEXT = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_text(TEXT)
    (tmp_path / "junk.pem").write_text("junk")
    (tmp_path / "bytes.pem").write_bytes(b"\xff\xfe")
    return tmp_path


def test_a_file_is_named_and_a_secret_is_text(folder: Path) -> None:
    settings = Security(ca="ca.pem", cert=f"{folder}/ca.pem", key=f"${{file:{folder}/ca.pem}}")

    made = security(settings, folder, Secrets(folder))

    assert made.tls_ca_file == made.tls_worker_cert == str(folder / "ca.pem")
    assert made.tls_client_key == TEXT.strip()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("none.pem", "No such file"),
        ("junk.pem", "has no -----BEGIN"),
        ("bytes.pem", "is no text"),
        (".", "Is a directory"),
    ],
)
def test_what_is_neither_is_told(folder: Path, name: str, says: str) -> None:
    settings = Security(ca="ca.pem", cert=name, key="ca.pem")

    with pytest.raises(UsageError) as raised:
        security(settings, folder, Secrets(folder))

    assert f'cert = "{name}": ' in str(raised.value)
    assert says in str(raised.value)
