"""Adversarial losses, gradient penalties and regularizers that any recipe takes."""
