"""Who holds a run, and when it is sure that they are gone."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.ledger import Holder, holder


def test_this_process_is_here() -> None:
    me = Holder.here()
    assert me.pid == os.getpid()
    assert not me.is_gone()
    assert Holder.of_text(me.to_text()) == me
    assert str(me).endswith(f"@{me.host} (process {me.pid})")


def test_an_id_that_went_to_another_process_is_gone() -> None:
    assert replace(Holder.here(), started="1").is_gone()


def test_a_dead_process_is_gone_even_before_its_parent_looks() -> None:
    code = "from orchestrator.ledger import Holder; print(Holder.here().to_text())"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        other = Holder.of_text(child.stdout.read())
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert other.is_gone()
    assert other.is_gone()


@pytest.mark.parametrize("field", ["boot", "namespace", "started"])
def test_of_another_machine_or_an_unknown_one_nothing_is_sure(field: str) -> None:
    dead = replace(Holder.here(), started="1")
    assert not replace(dead, **{field: ""}).is_gone()
    if field != "started":
        assert not replace(dead, **{field: "another"}).is_gone()


def test_without_proc_nothing_is_sure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dead = replace(Holder.here(), started="1")
    monkeypatch.setattr(holder, "_PROC", tmp_path)
    assert not dead.is_gone()
    assert Holder.here().boot == ""
