"""Augmentations of what a discriminator is shown."""
