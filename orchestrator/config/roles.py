"""What somebody may do on a page."""

from enum import StrEnum


class Role(StrEnum):
    """What somebody may do on a page; each may what those before may."""

    VIEWER = "viewer"  # look
    APPROVER = "approver"  # approve after a wave, pause
    OPERATOR = "operator"  # ask to resume or retry, skip a target, abort

    def may(self, needed: "Role") -> bool:
        """Whether it may do what takes ``needed``."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)
