"""What strangers named cannot speak to a terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest
from tqdm import tqdm

from gantk.cli.main import main
from gantk.printable import one_line, printable, printable_output
from gantk.report.table import table
from gantk.run.folder import Run

CLEAR = "\x1b[2J\x1b]0;owned\x07"


def test_control_characters_are_shown() -> None:
    assert printable(f"a{CLEAR}b\r\x9b\u202ec\n\td\U0001f600é") == (
        "a\\x1b[2J\\x1b]0;owned\\x07b\\r\\x9b\\u202ec\n\td\U0001f600é"
    )
    assert one_line("a\n\tb") == "a\\n\\tb"
    assert printable("\ud83d") == "\\ud83d"
    assert table([(f"a\n{CLEAR}", "b")]) == "a\\n\\x1b[2J\\x1b]0;owned\\x07  b"


def test_everything_printed_is_printable(capsys: pytest.CaptureFixture[str]) -> None:
    with printable_output():
        print(CLEAR, file=sys.stderr)
        sys.stdout.writelines([CLEAR, "\n"])
        click.echo(f"echo\r{CLEAR}", color=True)
        assert not hasattr(sys.stdout, "buffer")
    print("after")
    out, err = capsys.readouterr()
    assert out.splitlines() == [printable(CLEAR), f"echo\\r{printable(CLEAR)}", "after"]
    assert err == f"{printable(CLEAR)}\n"


def test_progress_bars_still_return_to_the_beginning_of_their_line(capsys: pytest.CaptureFixture[str]) -> None:
    with printable_output(), tqdm(total=2, file=sys.stderr, ascii=True, desc="x\x1b") as bar:
        bar.update()
        bar.refresh()
    err = capsys.readouterr().err
    assert "\r" in err
    assert "\\r" not in err
    assert "\x1b" not in err


def test_names_of_runs_are_printed_as_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In tables and in errors, in names of folders, parts and titles."""
    run = Run(tmp_path / f"run{CLEAR}")
    run.rewrite({"preset": f"x{CLEAR}", "recipe": {"plugin": f"gantk:{CLEAR}\nok"}, "title": CLEAR})
    for command in (("list-runs", str(tmp_path)), ("train", str(run.path)), ("show", f"noise{CLEAR}")):
        monkeypatch.setattr("sys.argv", ["gantk", *command])
        with pytest.raises(SystemExit):
            main()
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert "\x07" not in out + err
    assert r"\x1b[2J\x1b]0;owned\x07" in out
    assert len(out.splitlines()) == 2
    assert len(err.splitlines()) == 2
