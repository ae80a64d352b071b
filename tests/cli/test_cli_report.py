"""report: where the page is written, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_the_page_of_a_run_lies_in_it(trained: Path, call) -> None:
    out = call("report", "trained").worked().out
    assert out.startswith("written to trained/report.html (0.")
    first = (trained / "report.html").read_text()
    assert "trained – gantk report" in first
    call("report", "trained").worked()
    call("doctor", "trained").worked()


def test_the_page_of_several_runs_lies_here(trained: Path, untrained: Path, tmp_path: Path, call) -> None:
    assert call("report", "trained", "untrained").worked().out.startswith("written to report.html")
    call("report", "trained", "untrained", "-o", "new/both.HTML").worked()
    assert (tmp_path / "new" / "both.HTML").exists()


REFUSED = {
    "none": ([], 2, "gantk report --help"),
    "no run": (["nothing"], 1, "is not a run"),
    "pdf": (["trained", "-o", "a.pdf"], 2, "expected NAME.html or NAME.htm"),
    "folder": (["trained", "-o", "trained"], 2, "expected NAME.html or NAME.htm"),
    "step": (["trained/checkpoints/step-0000005"], 2, "no checkpoint of step 5"),
}


@pytest.mark.parametrize(("arguments", "code", "mend"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(
    arguments: list[str], code: int, mend: str, trained: Path, tmp_path: Path, call, contents
) -> None:
    before = contents(tmp_path)
    assert mend in call("report", *arguments).error(code)
    assert contents(tmp_path) == before
