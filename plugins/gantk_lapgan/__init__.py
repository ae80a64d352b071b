"""LAPGAN: a pyramid of conditional games."""
