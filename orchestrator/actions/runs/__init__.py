"""Runs: planned, recorded, driven, taken up again, rolled back."""
