"""From words to a checked model: specs, parts constructed from them, and whether they fit each other."""
