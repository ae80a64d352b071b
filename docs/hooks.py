"""What the site has beside docs/: files of the repository that pages link to, and a reference of the public modules.

A file of the repository that is outside docs/ is a page `repository/PATH`: Markdown as it is, a notebook as its text
with its code, other text as a listing, a folder as a list. Links are written as GitHub reads them, relative to the
file, and are translated here.
"""

from __future__ import annotations

import ast
import json
import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs"
OUTSIDE = "repository"
LINK = re.compile(r"(?<=\]\()(?P<target>[^)\s]+)(?=\))")
FENCE = re.compile(r"^(?:```.*?^```$)", re.MULTILINE | re.DOTALL)
LANGUAGES = {".py": "python", ".json": "json", ".toml": "toml", ".sh": "bash", ".cpp": "cpp", ".h": "cpp"}

MODULES = (
    "gantk",
    "gantk.construct",
    "gantk.data",
    "gantk.errors",
    "gantk.measures",
    "gantk.model",
    "gantk.nn",
    "gantk.ops",
    "gantk.options",
    "gantk.parts",
    "gantk.permissions",
    "gantk.recipe",
    "gantk.testing",
)
"""The public modules, as pyproject.toml's last import-linter contract has them."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Replaces the patterns of the navigation by the pages that they match."""
    pages = [_uri(str(path.relative_to(ROOT))) for path in sorted((ROOT / DOCS).rglob("*.md"))]
    pages += [f"reference/{module}.md" for module in MODULES]
    pages += [_uri(str(path.relative_to(ROOT))) for path in sorted((ROOT / "bench" / "notes").glob("*.md"))]
    named = set(_named(config.nav))
    config.nav = _expanded(config.nav, [page for page in pages if page not in named])
    return config


def _named(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for entry in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _named(entry)


def _expanded(nav: Any, pages: list[str]) -> Any:
    if isinstance(nav, dict):
        return {title: _expanded(entry, pages) for title, entry in nav.items()}
    if isinstance(nav, list):
        return [
            new for entry in nav for new in ([_expanded(entry, pages)] if "*" not in entry else _matching(entry, pages))
        ]
    return nav


def _matching(pattern: str, pages: list[str]) -> list[str]:
    """The pages of a folder, or with `**` of those below it too."""
    depth = pattern.count("/")
    return [
        page
        for page in pages
        if fnmatch(page, pattern.replace("**/", "")) and ("**" in pattern or page.count("/") == depth)
    ]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the reference, and what pages link to outside docs/, and what that links to."""
    for uri, text in _reference():
        files.append(File.generated(config, uri, content=text))
    named = set(_named(config.nav))
    waiting = [uri for uri in named if uri.startswith(f"{OUTSIDE}/")]
    waiting += [uri for file in files.documentation_pages() for uri in _outside(file.src_uri, file.content_string)]
    while waiting:
        uri = waiting.pop()
        place = ROOT / _path(uri)
        if files.get_file_from_path(uri) is None and place.exists():
            content = place.read_bytes() if place.suffix == ".png" else _page(place)
            level = InclusionLevel.INCLUDED if uri in named else InclusionLevel.NOT_IN_NAV
            files.append(File.generated(config, uri, content=content, inclusion=level))
            waiting += _outside(uri, content) if isinstance(content, str) else ()
    return files


def _reference() -> Iterator[tuple[str, str]]:
    """The pages of the public modules. What several of them have is described by the first."""
    described: dict[str, str] = {}
    for module in MODULES:
        place = ROOT.joinpath(*module.split("."))
        tree = ast.parse((place / "__init__.py" if place.is_dir() else place.with_suffix(".py")).read_text("utf-8"))
        text = [f"# {module}", "", (ast.get_docstring(tree) or "").replace("::\n", ":\n")]
        for name, full in sorted(_public(tree, module).items()):
            if full in described:
                text += ["", f"**{name}** is described as [{described[full]}]({described[full]}.md#{full})."]
            else:
                described[full] = module
                text += [
                    "",
                    f"::: {full}",
                    "    options:",
                    f'      heading: "{module}.{name}"',
                    f'      toc_label: "{name}"',
                ]
        yield f"reference/{module}.md", "\n".join([*text, ""])


def _public(tree: ast.Module, module: str) -> dict[str, str]:
    """The names of a module, and where each is defined."""
    imports = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__":
            try:
                names = ast.literal_eval(node.value)
            except ValueError:  # computed, as gantk's is, of what it imports for type checkers
                names = [name for name, full in imports.items() if full.startswith("gantk.")]
            return {name: imports.get(name, f"{module}.{name}") for name in names}
    raise ValueError(f"{module} has no __all__, so nobody knows what of it is public")


def _page(place: Path) -> str:
    """A file or folder of the repository as a page."""
    if place.suffix == ".md":
        return place.read_text(encoding="utf-8")
    if place.suffix == ".ipynb":
        return _notebook(place)
    if place.is_dir():
        shown = {*LANGUAGES, ".md", ".ipynb"}
        inside = [path.relative_to(place) for path in sorted(place.rglob("*")) if path.suffix in shown]
        body = "\n".join(f"- [{path}]({place.name}/{path})" for path in inside)
    else:
        body = f"````{LANGUAGES.get(place.suffix, 'text')}\n{place.read_text(encoding='utf-8')}\n````"
    return f"---\nsearch: {{exclude: true}}\n---\n\n# {place.relative_to(ROOT)}\n\n{body}\n"


def _notebook(place: Path) -> str:
    """The text of a notebook, with its code as listings."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(place.read_text("utf-8"))["cells"]]
    return "\n\n".join(text if kind == "markdown" else f"```python\n{text}\n```" for kind, text in cells) + "\n"


def _uri(path: str) -> str:
    """Where a file of the repository is in the site's sources."""
    if path == DOCS or path.startswith(f"{DOCS}/"):
        return posixpath.relpath(path, DOCS)
    shown = path.endswith((".md", ".png"))
    return f"{OUTSIDE}/{path}" if shown else f"{OUTSIDE}/{path}.listing.md"


def _path(uri: str) -> str:
    """The file of the repository that a page is."""
    outside = uri.startswith(f"{OUTSIDE}/")
    return uri.removeprefix(f"{OUTSIDE}/").removesuffix(".listing.md") if outside else f"{DOCS}/{uri}"


def _translated(target: str, page: str) -> str:
    """A link of a page, as the site has it: relative to that page's source, to the source of the other page."""
    path, anchor = urldefrag(target)
    if not path or ":" in path:
        return target
    file = posixpath.normpath(posixpath.join(posixpath.dirname(_path(page)), path))
    if not (ROOT / file).exists():
        return target  # which MkDocs reports
    uri = posixpath.relpath(_uri(file), posixpath.dirname(page) or ".")
    return f"{uri}#{anchor}" if anchor else uri


def _outside(page: str, markdown: str) -> Iterator[str]:
    """The pages outside docs/ that a page links to."""
    for match in LINK.finditer(FENCE.sub("", markdown)):
        uri = posixpath.normpath(
            posixpath.join(posixpath.dirname(page), urldefrag(_translated(match["target"], page))[0])
        )
        if uri.startswith(f"{OUTSIDE}/"):
            yield uri


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Translates the links of a page, those in code excepted."""
    uri = page.file.src_uri
    if uri.startswith("reference/"):
        return markdown
    parts, end = [], 0
    for fence in FENCE.finditer(markdown):
        parts += [_links(markdown[end : fence.start()], uri), fence[0]]
        end = fence.end()
    return "".join([*parts, _links(markdown[end:], uri)])


def _links(markdown: str, page: str) -> str:
    return LINK.sub(lambda match: _translated(match["target"], page), markdown)
