"""The embedded digits: IDX files, their licence, and the script that makes them."""
