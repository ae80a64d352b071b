"""Building: from specs to constructed parts and a checked model."""
