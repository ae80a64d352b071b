"""reproduce, as its users meet it: a table of a third-party package is trained, measured, and put beside the paper."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("forked_work")

TABLE = """
title = "Diversity of two small generators"
paper = "Somebody 2020, Table I"
data = "subset:of='gantk:digits',images=64"
seeds = [0, 1]
metrics = ["diversity"]
samples = 40
differs = ["Everything is smaller here."]

[[columns]]
title = "diversity"
figure = "diversity/diversity"
digits = 2
better = "higher"

[[columns]]
title = "loss of the generator"
figure = "generator/nonsaturating"
digits = 3
stage = "game"
step = 2

[rows.narrow]
recipe = "dcgan"
settings = ["stages.game.length=4 steps", "stages.game.batch_size=8", "train.log_every=1", "train.accelerator=cpu"]
paper = { "diversity" = 100 }

[rows.narrow.parts]
noise = "gaussian:dim=4"
generator = "dcgan:width=4"
discriminator = "dcgan:width=4"

[rows.wide]
recipe = "dcgan"
settings = ["stages.game.length=4 steps", "stages.game.batch_size=8", "train.log_every=1", "train.accelerator=cpu"]
paper = { "diversity" = 50 }

[rows.wide.parts]
noise = "gaussian:dim=4"
generator = "dcgan:width=6"
discriminator = "dcgan:width=4"

[rows.again]
of = "wide"
refined = false

[quick]
says = "One seed, two steps."
samples = 20
settings = ["stages.game.length=2 steps"]

[[pictures]]
title = "Samples"
command = ["sample", "{run}", "-n", "4", "-o", "{file}"]
rows = ["wide"]
"""

STEPS = 'settings = ["stages.game.length=2 steps"]'

DIMENSION = """
title = "Intrinsic dimension"
paper = "Somebody 2020, Table II"

[[columns]]
title = "dimension"
figure = "estimate.value"

[rows.digits]
command = ["intrinsic-dim", "digits", "--json", "--k", "10"]
quick = ["--subset", "500"]
paper = { "dimension" = 12.7 }

[quick]
says = "500 points."
"""

FIGURE = """
title = "Diversity of the wide generator alone"
paper = "Somebody 2020, Figure 1"
data = "subset:of='gantk:digits',images=64"
models = "somebody/table1"
metrics = ["prdc:k=3"]
samples = 30

[[columns]]
title = "precision"
figure = "prdc/precision"

[rows.one]
of = "wide"

[quick]
says = "One seed, two steps."

[[pictures]]
title = "Samples"
command = ["sample", "{run}", "-n", "4", "-o", "{file}"]
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A package with two reproductions."""
    site = tmp_path / "site"
    package, info = site / "somebodys", site / "somebodys-1.0.dist-info"
    (package / "somebody").mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").touch()
    (package / "somebody" / "table1.toml").write_text(TABLE)
    (package / "somebody" / "table2.toml").write_text(DIMENSION)
    (package / "somebody" / "figure1.toml").write_text(FIGURE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys\nVersion: 1.0\n")
    names = "".join(f"somebody/{name} = somebodys\n" for name in ("table1", "table2", "figure1"))
    (info / "entry_points.txt").write_text(f"[gantk.reproduction]\n{names}")
    return site


def rows(text: str) -> dict[str, list[str]]:
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in lines}


def test_a_table_of_another_package_is_reproduced_and_resumed(call, site: Path, tmp_path: Path) -> None:
    listed = call("reproduce", site=site).worked().out
    assert re.search(r"^somebody/table1 +somebodys +Diversity of two small generators$", listed, re.MULTILINE)
    done = call("reproduce", "somebody/table1", "-o", "r", site=site).worked()
    found = rows(done.out)
    assert list(found) == ["", "---", "narrow", "wide", "again"]
    head = ["diversity, paper", "diversity, here", "loss of the generator, here"]
    assert found[""] == head, "a column without the paper's numbers has none"
    assert found["narrow"][0] == "100.00"
    assert re.fullmatch(r"\d+\.\d\d ± \d+\.\d\d", found["narrow"][1]), "mean and spread over two seeds"
    assert found["again"] == ["", *found["wide"][1:]], "the same models, measured again"
    assert "* Differs from the paper: Everything is smaller here." in done.out
    assert "in the paper, narrow is first" in done.out or "narrow is first, as in the paper" in done.out
    assert re.search(r"^Protocol: diversity: real: .*40 each.*seed 0", done.out, re.MULTILINE)
    assert "gantk reproduce somebody/table1 --seeds 0,1" in done.out
    assert (tmp_path / "r" / "1-wide.png").stat().st_size > 0
    assert (tmp_path / "r" / "result.md").read_text() == done.out
    written = json.loads((tmp_path / "r" / "result.json").read_text())
    assert len(written["values"]["narrow"]["diversity"]) == 2
    again = call("reproduce", "somebody/table1", "-o", "r", "--seeds", "0:3", site=site).worked()
    assert again.err.count("building") == 2, "only those of the third seed are new"
    assert len(json.loads((tmp_path / "r" / "result.json").read_text())["values"]["narrow"]["diversity"]) == 3


def test_quick_is_scaled_down_and_says_so(call, site: Path, tmp_path: Path) -> None:
    done = call("reproduce", "somebody/table1", "--quick", site=site).worked()
    assert "**Scaled down (`--quick`)**: One seed, two steps." in done.out
    assert (tmp_path / "reproductions/somebody-table1-quick/runs/narrow,seed=0/checkpoints/step-0000002").is_dir()
    assert "±" not in done.out
    folder = tmp_path / "reproductions/somebody-table1-quick"
    (entry,) = [
        each
        for each in map(json.loads, (folder / "runs/narrow,seed=0/log.jsonl").read_text().splitlines())
        if each["stage_step"] == 2
    ]
    found = json.loads((folder / "result.json").read_text())["values"]["narrow"]
    assert found["loss of the generator"] == [entry["values"]["generator/nonsaturating"]], "the log's line of that step"
    refused = call("reproduce", "somebody/table1", "-o", "reproductions/somebody-table1-quick", site=site).error(2)
    assert "contains a reproduction with other arguments (quick: before true; now false)" in refused


def test_models_of_another_table_are_trained_once_in_its_folder(call, site: Path, tmp_path: Path) -> None:
    done = call("reproduce", "somebody/figure1", "--quick", site=site).worked()
    assert float(rows(done.out)["one"][0]) >= 0
    assert "reproduce somebody/figure1 --seeds 0, --quick` on" in done.out
    assert "trained in 32-true." in done.out
    assert (tmp_path / "reproductions/somebody-figure1-quick/1-one.png").stat().st_size > 0
    models = tmp_path / "reproductions/somebody-table1-quick/runs"
    assert [run.name for run in models.iterdir()] == ["wide,seed=0"], "only those that the figure measures"
    assert (models.parent / "reproduction.toml").is_file(), "where it is found by the table"


def test_models_of_another_table_beside_its_own(call, site: Path, tmp_path: Path) -> None:
    own = '[rows.wide]\nrecipe = "dcgan"\nparts = { generator = "dcgan:width=4", discriminator = "dcgan:width=4" }\n'
    other = FIGURE.replace('[quick]\nsays = "One seed, two steps."', f'{own}\n[quick]\nsays = "Two steps."\n{STEPS}')
    (site / "somebodys" / "somebody" / "figure1.toml").write_text(other)
    done = call("reproduce", "somebody/figure1", "--quick", site=site).worked()
    assert set(rows(done.out)) == {"", "---", "one", "wide"}
    for folder in ("somebody-table1-quick", "somebody-figure1-quick"):
        assert [run.name for run in (tmp_path / "reproductions" / folder / "runs").iterdir()] == ["wide,seed=0"]
    pictures = [tmp_path / f"reproductions/somebody-figure1-quick/1-{name}.png" for name in ("one", "wide")]
    assert pictures[0].read_bytes() != pictures[1].read_bytes(), "of two models, though the rows' names are the same"
    assert "building 1 of 1" in done.err
    assert "building" not in call("reproduce", "somebody/figure1", "--quick", site=site).worked().err, "both are there"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('of = "wide"', 'of = "nobody"', "rows.one.of: somebody/table1 has no row 'nobody' with a recipe"),
        ('of = "wide"', 'of = "again"', "rows.one.of: somebody/table1 has no row 'again' with a recipe"),
        ('of = "wide"', 'recipe = "dcgan"', "models is somebody/table1, but no row has `of`"),
        ("table1", "figure1", "models is somebody/figure1 itself; leave it out"),
        ("table1", "table2", "data is 'subset:of='gantk:digits',images=64'; the models of somebody/table2 have ''"),
        ("images=64", "images=65", "the models of somebody/table1 have 'subset:of='gantk:digits',images=64'"),
        ("somebody/table1", "somebody/table9", "there is no reproduction 'somebody/table9'"),
    ],
)
def test_models_of_another_table_must_be_there(call, site: Path, before: str, after: str, said: str) -> None:
    assert before in FIGURE
    (site / "somebodys" / "somebody" / "figure1.toml").write_text(FIGURE.replace(before, after))
    done = call("reproduce", "somebody/figure1", site=site)
    assert done.code != 0
    assert said in done.err


def test_a_command_that_prints_json_is_a_row(call, site: Path) -> None:
    done = call("reproduce", "somebody/table2", "--quick", "-o", "r", site=site).worked()
    number = float(rows(done.out)["digits"][1])
    assert 8 < number < 16
    assert "Made by `gantk reproduce somebody/table2 --quick` on" in done.out, "seeds are of models, and it has none"
    assert re.search(r"dimension: digits is \d\.\d (higher|lower) here\.", done.out)


def test_what_fails_is_said_and_the_rest_is_measured(call, site: Path, tmp_path: Path) -> None:
    file = site / "somebodys" / "somebody" / "table1.toml"
    file.write_text(file.read_text().replace('"sample", "{run}"', '"sample", "nowhere"'))
    done = call("reproduce", "somebody/table1", "--quick", "-o", "r", site=site)
    assert done.code == 1
    assert "* Failed: Samples, wide: " in done.out
    assert "not measured" not in done.out
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('of = "wide"', 'of = "nobody"', "rows.again.of: there is no row 'nobody' with a recipe"),
        ('of = "wide"\n', "", "rows.again: expected one of recipe, of and command"),
        ("samples = 40", "samples = 'forty'", "samples is 'forty'"),
        ("samples = 40", "simples = 40", "simples is unknown"),
        ('{ "diversity" = 50 }', '{ "divers" = 50 }', "rows.wide.paper: there is no column 'divers'"),
        ('rows = ["wide"]', 'rows = ["again"]', "pictures: there is no row 'again' with models"),
        ("title = ", "title == ", "Invalid"),
        ('better = "higher"', 'better = "maybe"', "columns.diversity.better is 'maybe'; expected higher or lower"),
        ("seeds = [0, 1]", "seeds = []", "seeds is []; expected numbers from 0"),
        ("seeds = [0, 1]", "seeds = [-1]", "seeds is [-1]; expected numbers from 0"),
    ],
)
def test_a_mistake_in_its_toml_is_one_line(call, site: Path, before: str, after: str, said: str) -> None:
    file = site / "somebodys" / "somebody" / "table1.toml"
    assert before in TABLE
    file.write_text(file.read_text().replace(before, after, 1))
    error = call("reproduce", "somebody/table1", site=site).error(1)
    assert "reproduction 'somebody/table1' (somebodys, somebody/table1.toml)" in error
    assert said in error


def test_wrong_words_are_one_line(call, site: Path) -> None:
    assert "there is no reproduction 'somebody/table9'. Did you mean" in call(
        "reproduce", "somebody/table9", site=site
    ).error(2)
    assert "--seeds x: expected 0:3" in call("reproduce", "somebody/table1", "--seeds", "x", site=site).error(2)


def test_it_is_shown_and_examined_as_other_plugins_are(call, site: Path) -> None:
    shown = call("show", "reproduction", "somebody/table1", site=site).worked().out
    assert "Diversity of two small generators" in shown
    assert "rows.narrow.recipe = dcgan" in shown
    assert "somebody/table1" in call("list", "reproduction", site=site).worked().out


def test_models_of_another_description_are_not_taken_for_these(call, site: Path, tmp_path: Path) -> None:
    call("reproduce", "somebody/table1", "--quick", "-o", "r", site=site).worked()
    file = site / "somebodys" / "somebody" / "table1.toml"
    file.write_text(file.read_text().replace("dcgan:width=6", "dcgan:width=8"))
    refused = call("reproduce", "somebody/table1", "--quick", "-o", "r", site=site).error(2)
    assert "contains a reproduction with other arguments (rows: before wide: " in refused
    assert "choose another -o" in refused
    file.write_text(file.read_text().replace("dcgan:width=8", "dcgan:width=6").replace("Samples", "Pictures"))
    call("reproduce", "somebody/table1", "--quick", "-o", "r", site=site).worked()
