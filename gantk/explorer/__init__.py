"""A local page that moves through the noise of a model."""
