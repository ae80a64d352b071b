"""Ten systems from ten papers, for gantk."""
