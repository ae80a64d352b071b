"""The page of a run: one HTML file that shows what was built, how it was trained, and what it draws."""

from gantk.pages.report import report

__all__ = ["report"]
