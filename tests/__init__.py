"""Tests. They mirror the floors: fakes below, real servers above."""
