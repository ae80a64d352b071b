"""The HTML of a page: a template and its style, scripts and data in one text that loads nothing."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gantk.printable import printable

__all__ = ["html"]

UPLOT = "vendor/uplot-1.6.32/"
STYLES = (f"{UPLOT}uPlot.min.css", "assets/page.css")
SCRIPTS = (f"{UPLOT}uPlot.iife.min.js", "assets/charts.js", "assets/page.js")


def html(**context: Any) -> str:
    """The page; every text in it that comes from a run is escaped."""
    styles, scripts = ([_asset(name) for name in names] for names in (STYLES, SCRIPTS))
    return _environment().get_template("page.html").render(
        **context, styles=styles, scripts=scripts, policy=_policy({"style-src": styles, "script-src": scripts})
    )  # fmt: skip


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("gantk.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_without_controls,
    )
    made.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return made


def _without_controls(value: Any) -> Any:
    """Text without what turns its direction around, or is no character."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _asset(name: str) -> Markup:
    """A file of this package, which goes into the page as it is."""
    return Markup(files("gantk.pages").joinpath(name).read_text(encoding="utf-8").strip())


def _policy(allowed: Mapping[str, list[Markup]]) -> str:
    """What a browser allows this page: its own pictures, and those scripts and styles that have these hashes."""
    said = ["default-src 'none'", "img-src data:", "base-uri 'none'", "form-action 'none'"]
    for directive, texts in allowed.items():
        hashes = [b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
        said.append(" ".join([directive, *(f"'sha256-{each}'" for each in hashes)]))
    return "; ".join(said)
