"""Reproduce the measurements of papers: train what they need, measure it, and show it beside the paper's numbers."""
