"""A run from somebody else: whatever links and pipes are in it, nothing outside is written, emptied or deleted."""

from __future__ import annotations

import os
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from scored import score

import gantk
from gantk.errors import GantkError
from gantk.evaluation.scores import add_score, read_scores, scores_file
from gantk.report.checked import checked
from gantk.report.runs import runs_in
from gantk.run.aside import set_aside, set_damaged_aside
from gantk.run.checkpoints import Place, create, read_training, read_weights, save
from gantk.run.folder import Run
from gantk.run.history import Change, add_change, read_history
from gantk.run.lock import busy, locked
from gantk.run.log import Log
from gantk.training.curves import Curves
from gantk.training.progress import Silent

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system with links and pipes")

SETTINGS = {
    "stages.game.length": "2 steps",
    "stages.game.batch_size": 4,
    "train.checkpoint_every": 1,
    "train.keep": 2,
    "train.log_every": 1,
    "train.samples": 1,
    "train.sample_every": 1,
}
STEP = "checkpoints/step-0000001"
WRITTEN = (
    *("model.toml", "log.jsonl", "history.toml", "metrics.json", ".lock", ".metrics.json.lock"),
    *("samples/step-0000003.png", "checkpoints/best.json", "precision.json"),
)
CHECKPOINT = tuple(f"{STEP}/{name}" for name in ("model.safetensors", "training.json", "manifest.json"))
FILES = (
    *(*WRITTEN, *CHECKPOINT, f"{STEP}/optimizers.safetensors"),
    *(".unfinished-model.toml", ".unfinished-log.jsonl", ".unfinished-history.toml", ".unfinished-metrics.json"),
    *("samples/.unfinished-step-0000003.png", "checkpoints/.unfinished-x", "checkpoints/.unfinished-step-0000003"),
    *("samples", "tensorboard", "checkpoints", "start", ".unfinished-old", "checkpoints/step-0000003", "old-1"),
    *("wandb", "mlflow"),
)
"""Where a link to a file outside can be."""
FOLDERS = (
    *("samples", "tensorboard", "checkpoints", "start", "old-1", ".unfinished-old", STEP, "checkpoints/step-0000003"),
    *("checkpoints/damaged-step-0000001", "checkpoints/.unfinished-x", "checkpoints/.unfinished-step-0000003"),
    *("checkpoints/.unfinished-old-1", "samples/.unfinished-step-0000003.png", ".unfinished-log.jsonl"),
    *("model.toml", "log.jsonl", "history.toml", "metrics.json", ".lock", f"{STEP}/model.safetensors"),
    *("wandb", "mlflow", "precision.json"),
)
"""Where a link to a folder outside can be."""


@pytest.fixture(scope="module")
def model() -> gantk.Model:
    parts = {"noise": "gaussian:dim=2", "generator": "dcgan:width=2", "discriminator": "dcgan:width=2"}
    return gantk.build("dcgan", data="digits", **parts, settings=SETTINGS)


@pytest.fixture(scope="module")
def trained(model: gantk.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trained") / "run"
    gantk.train(model, path, progress=Silent())
    (path / "history.toml").write_text("change = []\n")
    return path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Run:
    return Run(shutil.copytree(trained, tmp_path / "stranger" / "run"))


@pytest.fixture
def outside(trained: Path, tmp_path: Path) -> Path:
    """A folder of this user's own, where everything has a name that gantk writes or deletes in a run."""
    folder = Path(shutil.copytree(trained, tmp_path / "outside"))
    (folder / "thesis.txt").write_text("three years of work")
    for name in ("step-0000001", "step-0000009", ".unfinished-x", "checkpoints/.unfinished-x", "old-1"):
        (folder / name).mkdir()
        (folder / name / "mine").write_text("mine")
    return folder


def seen(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Everything in a folder: its content, its mode, and when it was last changed."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        about = path.stat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (content, about.st_mode, about.st_mtime_ns)
    return found


def begins(run: Run, model: gantk.Model) -> None:
    """What training does before its first step; TensorBoard's writer, which waits for its thread, is left out."""
    with locked(run):
        run.clean(keep=1)
        Log.close(log := Log(run, 1))
        assert log


def draws(run: Run, model: gantk.Model) -> None:
    run.add_sample(3, b"a picture")


def saves(run: Run, model: gantk.Model) -> None:
    save(run, model, Place(0, 3, 3), {}, {}, keep=1)


def sets_aside(run: Run, model: gantk.Model) -> None:
    with locked(run):
        for checkpoint in run.checkpoints:
            set_damaged_aside(checkpoint)
        set_aside(run)


def reads(run: Run, model: gantk.Model) -> None:
    assert busy(run) in (True, False)
    for look in (run.spec, run.best, run._repr_html_, lambda: run.log, lambda: read_history(run)):
        tried(look)
    for checkpoint in (run.start, run.checkpoint(1), run.checkpoint(3)):
        tried(lambda checkpoint=checkpoint: read_weights(checkpoint, model))
        tried(lambda checkpoint=checkpoint: read_training(checkpoint, model))
    tried(lambda: read_scores(scores_file(run.path)))
    runs_in(run.path.parent)


WORK: tuple[Callable[[Run, gantk.Model], object], ...] = (
    reads,
    begins,
    lambda run, model: run.rewrite(model.built.spec),
    lambda run, model: add_change(run, Change(1, {"seed": 0}, {"seed": 1})),
    lambda run, model: Curves(run, model, "").keep(1, {"measure/": 1.0}),
    lambda run, model: add_score(scores_file(run.path), score()),
    draws,
    saves,
    sets_aside,
    lambda run, model: create(run, model),
)
"""Whatever is read or written in a run."""


class TooLate(BaseException):
    """Which nobody takes for a damaged file."""


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Whoever waits longer, as for a pipe, fails."""

    def late(*_: object) -> None:
        raise TooLate("waits for a pipe")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def tried(work: Callable[[], object]) -> None:
    """It works, or it is refused with one line."""
    try:
        work()
    except (GantkError, OSError) as error:
        text = str(error)
    else:
        text = ""
    assert "\n" not in text


def everything_is_tried(run: Run, model: gantk.Model) -> None:
    with warnings.catch_warnings(), at_most(60):
        warnings.simplefilter("ignore")
        for work in WORK:
            tried(lambda work=work: work(run, model))


def placed(run: Run, name: str) -> Path:
    """The place of a link, with nothing there."""
    place = run.path / name
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    return place


@pytest.fixture
def no_board(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorBoard's writer opens a file of a new name in its folder; its thread would cost the test its time."""

    def board(folder: str, **_: object) -> None:
        (Path(folder) / "events").parent.mkdir(exist_ok=True)
        (Path(folder) / "events").write_bytes(b"")
        raise OSError("no board")

    monkeypatch.setattr("torch.utils.tensorboard.SummaryWriter", board)


@pytest.mark.usefixtures("no_board")
@pytest.mark.parametrize(
    ("link", "name"), [*(("symbolic", name) for name in FILES), *(("hard", name) for name in WRITTEN)]
)
def test_no_file_outside_is_touched(link: str, name: str, run: Run, outside: Path, model: gantk.Model) -> None:
    target = outside / name if (outside / name).is_file() else outside / "thesis.txt"
    place = placed(run, name)
    place.symlink_to(target) if link == "symbolic" else os.link(target, place)
    before = seen(outside)
    everything_is_tried(run, model)
    assert seen(outside) == before


@pytest.mark.usefixtures("no_board")
@pytest.mark.parametrize("name", FOLDERS)
def test_no_folder_outside_is_touched(name: str, run: Run, outside: Path, model: gantk.Model) -> None:
    target = outside / name if (outside / name).is_dir() else outside
    placed(run, name).symlink_to(target, target_is_directory=True)
    before = seen(outside)
    everything_is_tried(run, model)
    assert seen(outside) == before


@pytest.mark.usefixtures("no_board")
@pytest.mark.parametrize("name", [*WRITTEN, *CHECKPOINT, "samples", "checkpoints", ".unfinished-old"])
def test_a_pipe_is_not_waited_for(name: str, run: Run, model: gantk.Model) -> None:
    os.mkfifo(placed(run, name))
    everything_is_tried(run, model)


def test_all_of_them_at_once_in_commands(trained: Path, run: Run, outside: Path) -> None:
    """Links to files and folders that training writes last, so that it comes that far."""
    for name in (".unfinished-x", ".unfinished-step-0000003"):
        (run.checkpoints_folder / name).symlink_to(outside, target_is_directory=True)
    for name in ("samples/step-0000003.png", ".lock", "old-1", "history.toml", "metrics.json"):
        os.link(outside / "thesis.txt", placed(run, name))
    (run.path / "history.toml").unlink()
    before = seen(outside)
    data = gantk.construct("data", "digits")
    gantk.train(gantk.load(run, data=data), run, settings={"stages.game.length": "3 steps"}, progress=Silent())
    assert run.steps() == [2, 3]
    assert gantk.load(run).sample(1).isfinite().all()
    assert any(finding.damaged for finding in checked(run)), "the hard link as metrics.json is no scores"
    assert seen(outside) == before


@pytest.mark.parametrize("name", ["samples", "tensorboard", "checkpoints", "start", ".unfinished-old"])
def test_a_link_in_the_place_of_a_folder_is_named(name: str, run: Run, outside: Path) -> None:
    placed(run, name).symlink_to(outside)
    with pytest.raises(GantkError, match=rf"{name}: it is a link, and gantk does not follow links in a run"):
        gantk.load(run)


def test_the_path_of_a_run_may_be_a_link(run: Run, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(run.path, target_is_directory=True)
    assert torch.equal(gantk.load(tmp_path / "link").sample(1, seed=0), gantk.load(run).sample(1, seed=0))
    Run(tmp_path / "link").add_sample(9, b"a picture")
    assert (run.samples_folder / "step-0000009.png").read_bytes() == b"a picture"


@pytest.mark.parametrize("name", ["samples/step-0000001.png", "metrics.json", "history.toml", "log.jsonl"])
def test_doctor_names_a_pipe_and_a_link(name: str, run: Run, outside: Path) -> None:
    for place, make in (("a pipe", os.mkfifo), ("a link", lambda path: path.symlink_to(outside / "thesis.txt"))):
        make(placed(run, name))
        with at_most(60):
            found = {each.file: each for each in checked(run)}
        assert found[name].damaged
        assert f"it is {place}, not a file" in found[name].about
