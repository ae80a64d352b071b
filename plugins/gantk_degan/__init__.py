"""Plugins that come with gantk."""
