"""LAPGAN: a pyramid of games on residuals."""
