"""The orders database."""
