"""A classifier per data set, trained by gantk on first use: its features and its class probabilities."""
