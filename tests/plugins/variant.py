"""Contracts of a plugin with other options."""

from __future__ import annotations


class Variant:
    """Other options of a plugin that another class tests: its docstring and its options' types are the same."""

    test_has_a_first_line = None
    test_every_option_is_documented = None
    test_every_option_has_a_type = None
    test_every_default_is_of_its_type = None
