"""Networks that read a condition: conditional and self-modulated normalization, projection, auxiliary classifier."""
