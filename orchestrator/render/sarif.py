"""Findings as SARIF 2.1.0, which code hosts show beside the lines that they are about."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from orchestrator.render.findings import Finding
from orchestrator.render.text import sound
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
    "warning": "It may be otherwise than meant.",
    "error": "No answer could be given.",
}
_RUN = {
    "run_failed": "More targets failed than may, or a gate did not pass.",
    "run_aborted": "Somebody ended the run.",
}
_SHOWN = 100
"""Targets that are named; the count tells of the others."""


def log(findings: Sequence[Finding], *, exit_code: int) -> str:
    """Return a log of one run of the program.

    It says that the run was no success where not everything was looked at: what the log does not
    have is then not known to be well.
    """
    rules = list(dict.fromkeys(finding.rule for finding in findings))
    value = {
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
                "invocations": [
                    {"executionSuccessful": exit_code in _LOOKED, "exitCode": exit_code}
                ],
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, rules) for finding in findings],
            }
        ],
    }
    return json.dumps(value, indent=2) + "\n"


def _rule(rule: str) -> dict[str, Any]:
    what = rule.rpartition("/")[2]
    text = _RULES.get(what) or _RUN.get(what) or "The run is not over."
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
                    "artifactLocation": _artifact(finding.place.path),
                    "region": {"startLine": finding.place.line},
                }
            }
        ],
        "partialFingerprints": {_FINGERPRINT: f"{_digest(finding)}:1"},
        "properties": {
            "targets": [sound(name) for name in finding.targets[:_SHOWN]],
            "targetCount": len(finding.targets),
        },
    }


def _artifact(path: str) -> dict[str, str]:
    quoted = quote(path, errors="surrogateescape")
    if PurePosixPath(path).is_absolute():
        return {"uri": f"file://{quoted}"}
    return {"uri": quoted, "uriBaseId": "%SRCROOT%"}


def _digest(finding: Finding) -> str:
    text = "\0".join([finding.rule, finding.place.path, *finding.identity])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


_LOOKED = frozenset({0, 4})
"""Exit codes of those who looked at everything they should, whatever they found."""
_FINGERPRINT = "primaryLocationLineHash"
"""By which GitHub knows a finding again. Left to itself it takes the text of the line, and what two
groups of targets have to tell of one line would be one and the same."""
