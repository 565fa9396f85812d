"""Findings as SARIF 2.1.0, which code hosts show beside the lines that they are about."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from orchestrator.render.findings import Finding
from orchestrator.version import VERSION

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_RULES = {
    "differs": "It is otherwise than it should be: than the models, or than its siblings.",
    "behind": "Revisions are pending.",
    "empty": "It has no revision yet.",
    "unversioned": "It has no revision, and something is in it all the same.",
    "failed": "It could not be done.",
    "locked": "Somebody else was at work on it.",
    "in_doubt": "Nobody saw how its last attempt ended.",
    "unreachable": "It could not be reached.",
    "unknown_revision": "It is at a revision that the scripts don't have.",
    "inconsistent": "It is at a revision, and at one that comes before it.",
}
_SHOWN = 100
"""Targets that are named; the count tells of the others."""


def sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return a log of one run of the program."""
    rules = list(dict.fromkeys(finding.rule for finding in findings))
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "orchestrator",
                        "semanticVersion": VERSION,
                        "rules": [_rule(rule) for rule in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, rules) for finding in findings],
            }
        ],
    }


def _rule(rule: str) -> dict[str, Any]:
    text = _RULES[rule.partition("/")[2]]
    return {"id": rule, "shortDescription": {"text": text}}


def _result(finding: Finding, rules: Sequence[str]) -> dict[str, Any]:
    return {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": finding.level.value,
        "message": {"text": f"{finding.title}\n{finding.message}".rstrip()},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": _artifact(finding.path),
                    "region": {"startLine": finding.line},
                }
            }
        ],
        # So that a host knows it again in the next log, wherever its line has gone.
        "partialFingerprints": {
            "orchestrator/v1": _digest([finding.rule, finding.path, *finding.targets])
        },
        "properties": {
            "targets": list(finding.targets[:_SHOWN]),
            "targetCount": len(finding.targets),
        },
    }


def _artifact(path: str) -> dict[str, str]:
    if PurePosixPath(path).is_absolute():
        return {"uri": f"file://{quote(path)}"}
    return {"uri": quote(path), "uriBaseId": "%SRCROOT%"}


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
