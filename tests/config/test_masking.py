"""What of the file is never shown."""

import pytest

from orchestrator.config.masking import masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('url = "mysql://u:pw@h/d"', 'url = "mysql://u:***@h/d"'),
        ('url = "mysql://u:p/w@x y@h/d"  # a@b', 'url = "mysql://u:***@h/d"  # a@b'),
        ("""url = 'mysql://u:p"w@h'""", "url = 'mysql://u:***@h'"),
        (r'url = "mysql://u:p\"w@h"', 'url = "mysql://u:***@h"'),
        ('url = "mysql://${env:U}:pw@h"', 'url = "mysql://${env:U}:***@h"'),
        ('url = "mysql://{tenant}:pw@h"', 'url = "mysql://{tenant}:***@h"'),
        ('url = "mysql://u:${env:P}@h"', 'url = "mysql://u:${env:P}@h"'),
        ('url = "mysql://u:a${env:P}@h"', 'url = "mysql://u:***@h"'),
        ('url = "mysql://u:pw', 'url = "mysql://u:***'),
        ('url = "mysql//u:pw@h"', 'url = "mysql//u:***@h"'),
        ('url = "mysql:u:pw@h"', 'url = "mysql:u:***@h"'),
        ("url = mysql://u:pw@h", "url = mysql://u:***@h"),
        ('url = "mysql://u@h:3306/d"', 'url = "mysql://u@h:3306/d"'),
        ('url = "mysql://h:3306"', 'url = "mysql://h:3306"'),
        ('url = "sqlite:///C:/x.db"', 'url = "sqlite:///C:/x.db"'),
        ('url = "${file:/run/a}"', 'url = "${file:/run/a}"'),
        ('DB_PASSWORD = "pw"', 'DB_PASSWORD = "***"'),
        ("api_key='''p\nw'''", "api_key='''***'''"),
        ('"auth token" = 12, x = 1', '"auth token" = ***, x = 1'),
        ('token = "${env:T}"', 'token = "${env:T}"'),
        ('"?password=pw&x=1"', '"?password=***&x=1"'),
        ('a = ["mysql://u:pw@h", "mysql://v:wp@h"]', 'a = ["mysql://u:***@h", "mysql://v:***@h"]'),
    ],
)
def test_masked(text, shown):
    assert masked(text) == shown
