"""Evaluation of runs and of images: what is compared, which metrics are computed, and scores with their protocols."""
