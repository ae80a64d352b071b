"""AGE: a generator and an encoder play against each other."""
