"""Runs and fleets as HTML: what the dashboard shows, and what a report keeps.

Pure: values in, text out. Jinja2 is imported where a page is made.
"""
