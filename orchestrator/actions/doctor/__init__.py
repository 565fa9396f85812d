"""``doctor``: what is in the way of a first run, one check after the other."""
