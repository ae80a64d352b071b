"""Noise on a sphere, and feature matching, for gantk."""
