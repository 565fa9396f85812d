"""The example's models and migrations."""
