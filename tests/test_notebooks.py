"""The notebooks in examples/ run from top to bottom, show pictures, and are kept without their outputs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples" / "notebooks").glob("*.ipynb"))
LINK = re.compile(r"\]\(([^)]+)\)")
SHORTENED = re.compile(r"\b\d+(?P<unit>s| steps)(?=\")")
"""How long a training takes in a notebook, which is cut to the time or steps of SHORT."""
SHORT = {"s": "2s", " steps": "40 steps"}
every_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_three() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["compare_three_ideas", "own_part", "own_pictures"]


@every_notebook
def test_it_is_kept_without_outputs_and_its_links_lead_somewhere(notebook: Path) -> None:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    assert cells[0]["cell_type"] == "markdown", "it says what it is about first"
    for cell in cells:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None), "remove the outputs before a commit"
        for link in LINK.findall("".join(cell["source"])) if cell["cell_type"] == "markdown" else ():
            assert link.startswith("https://") or (notebook.parent / link).is_file(), link


@pytest.mark.slow
@every_notebook
def test_it_runs_from_top_to_bottom_and_shows_pictures(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.delenv("GANTK_DATA", raising=False)
    for own in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(own, str(tmp_path / own))
    book = nbformat.read(notebook, as_version=4)
    for cell in book.cells:
        cell["source"] = SHORTENED.sub(lambda found: SHORT[found["unit"]], cell["source"])
    where = tmp_path / "here"
    where.mkdir()
    client = nbclient.NotebookClient(book, timeout=600, kernel_name="python3", resources={"metadata": {"path": where}})
    client.execute()  # raises what a cell raises
    shown = [each for cell in book.cells for each in cell.get("outputs", ()) if "image/png" in each.get("data", {})]
    assert len(shown) >= 3
    assert not list(where.iterdir()), "it writes into a temporary folder"
