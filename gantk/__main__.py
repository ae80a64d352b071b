"""`python -m gantk` is the command line."""

from gantk.cli.main import main

main()
