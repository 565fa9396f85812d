"""Takes a while to import, as what a fork server preloads does."""

import time

time.sleep(1)
