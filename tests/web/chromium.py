"""Where Chromium is, and how it is started for tests and benchmarks."""

import shutil

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
# No look-ups of its own, no sandbox for root, no picture card.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
