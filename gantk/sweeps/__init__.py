"""A grid of builds as run folders, trained one after the other or several at once."""
