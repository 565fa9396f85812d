"""What ``SHOW GRANTS`` of MySQL and MariaDB says, in the ways in which servers write it."""

import pytest

from orchestrator.dialects.rights import MYSQL_WANTED, mysql_missing

ALL = ()
SOME = tuple(right for right in MYSQL_WANTED if right not in ("SELECT", "INSERT"))


@pytest.mark.parametrize(
    ("grants", "lacks"),
    [
        (["GRANT ALL PRIVILEGES ON *.* TO `root`@`%` WITH GRANT OPTION"], ALL),
        (["GRANT USAGE ON *.* TO `a`@`%`", "GRANT ALL PRIVILEGES ON `shop`.* TO `a`@`%`"], ALL),
        (["GRANT ALL PRIVILEGES ON `sh%`.* TO `a`@`%`"], ALL),
        (["GRANT ALL PRIVILEGES ON `sho_`.* TO `a`@`%`"], ALL),
        (["GRANT ALL PRIVILEGES ON `sho\\_`.* TO `a`@`%`"], MYSQL_WANTED),
        (["GRANT ALL PRIVILEGES ON `other`.* TO `a`@`%`"], MYSQL_WANTED),
        (["GRANT SELECT, INSERT ON `shop`.* TO `a`@`%`"], SOME),
        (["GRANT SELECT ON *.* TO `a`@`%`", "GRANT INSERT ON `shop`.* TO `a`@`%`"], SOME),
        (["GRANT SELECT (a, b), INSERT ON `shop`.`items` TO `a`@`%`"], MYSQL_WANTED),
        (
            [
                f"GRANT {', '.join(MYSQL_WANTED)} ON *.* TO `a`@`%`",
                "REVOKE ALTER ON `shop`.* FROM `a`@`%`",
            ],
            ("ALTER",),
        ),
        (["GRANT SELECT ON `shop`.* TO `a`@`%`", "GRANT `boss`@`%` TO `a`@`%`"], None),
        ([], MYSQL_WANTED),
    ],
)
def test_rights_are_read_off_the_grants(grants: list[str], lacks: tuple[str, ...] | None) -> None:
    assert mysql_missing(grants, "shop") == lacks
