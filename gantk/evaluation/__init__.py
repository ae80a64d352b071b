"""Evaluation of a run, or of any images: its sides, its choices, and its scores with the protocol of each."""
