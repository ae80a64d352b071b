"""Where figures and pictures of a training go besides `log.jsonl`: TensorBoard, and trackers that need no login."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from importlib.util import find_spec
from typing import Any, ClassVar, Protocol

from torch import Tensor

from gantk.errors import UsageError
from gantk.run.folder import Run
from gantk.run.history import leaves

__all__ = ["LOGGERS", "Logger", "check_installed"]

PROJECT = "gantk"
"""The project, or experiment, of which a run is one in a tracker."""


class Logger(Protocol):
    """Receives figures and pictures; whatever it raises is said once, and training continues without it.

    Args:
        run: the run.
        total: the step that training resumes from; 0 where it begins.
        spec: the settings of the run.
    """

    package: ClassVar[str]
    """The module that it needs."""
    failing: ClassVar[str]
    """What is said if it fails; `{}` is the reason."""

    def __init__(self, run: Run, total: int, spec: Mapping[str, Any]) -> None: ...

    def figures(self, values: Mapping[str, float], step: int) -> None: ...

    def picture(self, name: str, picture: Tensor, step: int) -> None:
        """Add a picture, uint8 `[C, H, W]` of 1 or 3 channels."""

    def close(self) -> None: ...


class TensorBoard(Logger):
    """Event files in the run's folder `tensorboard`; those of steps that are trained again are taken out."""

    package = "tensorboard"
    failing = "TensorBoard's files cannot be written ({}): training continues without them"

    def __init__(self, run: Run, total: int, spec: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._board = SummaryWriter(str(run.tensorboard), purge_step=total + 1)

    def figures(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def picture(self, name: str, picture: Tensor, step: int) -> None:
        self._board.add_image(name, picture, step)

    def close(self) -> None:
        self._board.close()


class Trackio(Logger):
    """Trackio's own folder, which `trackio show` reads; a resumed training goes on with its run there."""

    package = "trackio"
    failing = "Trackio failed ({}): training continues without it"

    def __init__(self, run: Run, total: int, spec: Mapping[str, Any]) -> None:
        import trackio

        self._image = trackio.Image
        resume = "allow" if total else "never"
        name, quiet = run.path.absolute().name, {"embed": False, "auto_log_gpu": False, "auto_log_cpu": False}
        with redirect_stdout(io.StringIO()):
            self._run = trackio.init(PROJECT, name, config=dict(spec), resume=resume, **quiet)

    def figures(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def picture(self, name: str, picture: Tensor, step: int) -> None:
        self._run.log({name: self._image(_pixels(picture))}, step=step)

    def close(self) -> None:
        with redirect_stdout(io.StringIO()):
            self._run.finish()


class WeightsAndBiases(Logger):
    """Files in the run's folder `wandb`, which `wandb sync` can upload; the environment variable `WANDB_MODE=online`
    uploads them at once. Each time that training resumes, they are a new run of the same group."""

    package = "wandb"
    failing = "Weights & Biases failed ({}): training continues without it"

    def __init__(self, run: Run, total: int, spec: Mapping[str, Any]) -> None:
        import wandb

        self._image = wandb.Image
        name = run.path.absolute().name
        mode: Any = os.environ.get("WANDB_MODE", "offline")
        settings = wandb.Settings(console="off", silent=True, disable_git=True, disable_code=True)
        self._run = wandb.init(
            project=PROJECT,
            name=name,
            group=name,
            dir=str(run.path),
            mode=mode,
            config=dict(spec),
            settings=settings,
            reinit="create_new",
        )

    def figures(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def picture(self, name: str, picture: Tensor, step: int) -> None:
        self._run.log({name: self._image(_pixels(picture))}, step=step)

    def close(self) -> None:
        self._run.finish()


class MLflow(Logger):
    """A database in the run's folder `mlflow`, or wherever the environment variable `MLFLOW_TRACKING_URI` says."""

    package = "mlflow"
    failing = "MLflow failed ({}): training continues without it"

    def __init__(self, run: Run, total: int, spec: Mapping[str, Any]) -> None:
        from mlflow import MlflowClient, entities

        self._metric: Any = entities.Metric
        folder = run.path.absolute() / "mlflow"
        elsewhere = os.environ.get("MLFLOW_TRACKING_URI")
        if not elsewhere:
            folder.mkdir(exist_ok=True)
        self._client = MlflowClient(tracking_uri=elsewhere or f"sqlite:///{folder / 'mlflow.db'}")
        found = self._client.get_experiment_by_name(PROJECT)
        pictures = None if elsewhere else (folder / "artifacts").as_uri()
        experiment = found.experiment_id if found else self._client.create_experiment(PROJECT, pictures)
        self._id: str = self._client.create_run(experiment, run_name=run.path.absolute().name).info.run_id
        settings = [entities.Param(name, str(value)[:500]) for name, value in leaves(spec).items()]
        for start in range(0, len(settings), 100):  # it takes 100 at a time
            self._client.log_batch(self._id, params=settings[start : start + 100])

    def figures(self, values: Mapping[str, float], step: int) -> None:
        now = round(1000 * time.time())
        metrics = [self._metric(_plain(name), value, now, step) for name, value in values.items()]
        self._client.log_batch(self._id, metrics)

    def picture(self, name: str, picture: Tensor, step: int) -> None:
        self._client.log_image(self._id, _pixels(picture), key=name, step=step)

    def close(self) -> None:
        self._client.set_terminated(self._id)


LOGGERS: Mapping[str, type[Logger]] = {
    "tensorboard": TensorBoard,
    "trackio": Trackio,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}
"""Name, as in `train.loggers` → what it is."""


def check_installed(names: Iterable[str]) -> None:
    """Check that the packages of loggers are installed.

    Raises:
        UsageError: one is not.
    """
    for name in names:
        if find_spec(LOGGERS[name].package) is None:
            raise UsageError(f"train.loggers: {name} is not installed: pip install 'gantk[{name}]'.")


def _pixels(picture: Tensor) -> Any:
    """`[H, W, 3]`, which every tracker takes."""
    return picture.expand(3, -1, -1).permute(1, 2, 0).contiguous().cpu().numpy()


def _plain(name: str) -> str:
    """A name with the characters that MLflow takes."""
    return "".join(each if each.isalnum() or each in "_-. :/" else "_" for each in name)
