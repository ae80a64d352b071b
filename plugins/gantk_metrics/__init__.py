"""Extractors and metrics: how close generated images are to real ones, how varied and how new."""
