"""Side-by-side measurements: ``make bench``. Ratios count, seconds depend on the machine."""
