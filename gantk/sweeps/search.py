"""A search among builds: Optuna chooses, every trial is an ordinary run, and its curve decides whether it goes on.

Several processes may search in one folder: each takes the next trial, and holds a lock as long as it trains it.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from gantk.errors import GantkError, Interrupted, RunError, UsageError, WorkError, briefly
from gantk.report.tuning import Found, said_of
from gantk.seeds import derive_seed
from gantk.sweeps.folder import check_record, write_record
from gantk.sweeps.found import counted, found_in
from gantk.sweeps.objective import Objective
from gantk.sweeps.space import Space
from gantk.sweeps.trial import Training

if TYPE_CHECKING:
    import optuna

__all__ = ["search"]

FILE, STUDY, LOCK = "tune.toml", "study.sqlite3", ".lock"

PATIENCE = 60.0
"""Seconds to wait for another process that chooses or writes."""

FEWEST = 5
"""Finished trials, before which none is pruned."""

WARM = 30
"""Percent of a training, before which it is not pruned: what a GAN draws in the beginning says little."""

DRAWS = 1000
"""Builds that are drawn at random to find one that has not been tried."""


def search(
    folder: Path,
    space: Space,
    objective: Objective,
    trials: int,
    without: Sequence[str],
    say: Callable[[str], object],
) -> Found:
    """Go on with the search in a folder, which is made where it does not exist, up to a number of trials.

    Args:
        folder: of the runs; the study lies in it, too.
        space: what is chosen from.
        objective: what is better.
        trials: how many there are to be, those of earlier calls included.
        without: parts of the recipe that are left out.
        say: is told what happens.

    Raises:
        UsageError: Optuna is not installed, or the folder holds another search or something else.
        WorkError: all trials failed.
        Interrupted: SIGINT or SIGTERM came; the trial that was being trained is saved.
    """
    try:
        import optuna
    except ImportError as error:
        raise UsageError(f"gantk tune needs Optuna ({briefly(error)}): pip install 'gantk[tune]'.") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    record = {**space.record(), "without": list(without), "by": [objective.figure]}
    check_record(folder / FILE, "search", record)
    write_record(folder / FILE, record)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="optuna")
        with _alone(folder):
            study = _opened(folder / STUDY, objective)
        _Search(folder, space, Training(folder, objective, without), say, study).go_on(trials)
        found = found_in(study, folder, space, objective)
    if all(trial.state == "failed" for trial in found.trials):
        if not any(trial.run for trial in found.trials):  # nothing was built: the call is mended, not resumed
            for file in (folder / FILE, folder / STUDY, folder / LOCK):
                file.unlink(missing_ok=True)
        raise WorkError(f"all {len(found.trials)} trials failed; the first: {found.trials[0].reason}.")
    return found


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Only one process at a time chooses; the system lets go where it is killed."""
    try:
        with FileLock(folder / LOCK, timeout=PATIENCE):
            yield
    except Timeout:
        raise RunError(f"{folder} is held by another process for {PATIENCE:.0f} s: is it stopped?") from None


def _opened(file: Path, objective: Objective) -> optuna.Study:
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return optuna.create_study(
            storage=optuna.storages.RDBStorage(
                f"sqlite:///{file.absolute()}", engine_kwargs={"connect_args": {"timeout": PATIENCE}}
            ),
            study_name="tune",
            direction="minimize" if objective.better == "lower" else "maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=FEWEST, n_warmup_steps=WARM),
        )
    except (optuna.exceptions.OptunaError, SQLAlchemyError, RuntimeError) as error:
        raise RunError(f"{file} cannot be read as a study ({briefly(error)}): choose another -o.") from error


@dataclass
class _Taken:
    """A trial that this process trains."""

    trial: optuna.Trial
    lock: FileLock
    again: bool
    """Whether another process began it, and was stopped."""

    def release(self) -> None:
        self.lock.release()
        Path(self.lock.lock_file).unlink(missing_ok=True)


@dataclass
class _Search:
    folder: Path
    space: Space
    training: Training
    say: Callable[[str], object]
    study: optuna.Study

    def go_on(self, trials: int) -> None:
        """Resume what was being trained, and try what is new, as long as there is something to take."""
        while taken := self._next(trials):
            try:
                self._try(taken, trials)
            finally:
                taken.release()

    def _next(self, trials: int) -> _Taken | None:
        with _alone(self.folder):
            return self._left() or self._new(trials)

    def _left(self) -> _Taken | None:
        """A trial that nobody trains any longer."""
        import optuna

        for frozen in self.study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            if "name" not in frozen.user_attrs:  # it was killed while it was chosen
                self.study.tell(frozen.number, state=optuna.trial.TrialState.FAIL)
            elif lock := self._lock(frozen.number):
                return _Taken(optuna.Trial(self.study, frozen._trial_id), lock, again=True)
        return None

    def _new(self, trials: int) -> _Taken | None:
        """A trial whose values, as they are written, nobody has tried."""
        import optuna

        while len(known := counted(self.study)) < trials:
            tried = {trial.user_attrs["name"] for trial in known}
            # Seeded by its number, so that a search that was stopped goes on as one that was not.
            number = len(self.study.get_trials(deepcopy=False))
            self._seed(number)
            trial = self.study.ask()
            point = self.space.choose(trial)
            if point.cell.name not in tried and (lock := self._lock(trial.number)):
                trial.set_user_attr("values", dict(point.values))
                trial.set_user_attr("name", point.cell.name)
                return _Taken(trial, lock, again=False)
            self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
            if not self._enqueue_new(tried, random.Random(derive_seed(self._first_seed, "new", number))):
                self.say(f"all {len(tried)} combinations that were found have been tried")
                break
        return None

    def _lock(self, number: int) -> FileLock | None:
        lock = FileLock(self.folder / f".trial-{number}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            return None
        return lock

    @property
    def _first_seed(self) -> int:
        return self.space.grid.seeds[0]

    def _seed(self, number: int) -> None:
        import optuna

        self.study.sampler = optuna.samplers.TPESampler(seed=derive_seed(self._first_seed, "trial", number) % 2**32)

    def _enqueue_new(self, tried: set[str], rng: random.Random) -> bool:
        """Have values tried next that nobody tried, where there are any."""
        for _ in range(DRAWS):
            point, chosen = self.space.at_random(rng)
            if point.cell.name not in tried:
                self.study.enqueue_trial(chosen)
                return True
        return False

    def _try(self, taken: _Taken, trials: int) -> None:
        import optuna

        trial, states = taken.trial, optuna.trial.TrialState
        point = self.space.choose(trial)  # what has been chosen is not chosen again
        (number, known) = next(
            (at, each.intermediate_values)
            for at, each in enumerate(counted(self.study), 1)
            if each.number == trial.number
        )
        doing = "resuming" if taken.again else "trial"
        self.say(f"{doing} {number} of {max(number, trials)}: {said_of(point.values)}")
        try:
            pruned, score = self.training(trial, point.cell, known)
        except Interrupted as error:
            said = str(error).partition("; resume with")[0]
            raise Interrupted(f"{said}; resume with the same gantk tune", error.signal_number) from error
        except (GantkError, RuntimeError) as error:  # the latter as where a device has too little memory
            trial.set_user_attr("reason", briefly(error))
            self.study.tell(trial, state=states.FAIL)
            self.say(f"trial {number} failed: {briefly(error)}")
            return
        if pruned:
            self.study.tell(trial, state=states.PRUNED)
        else:
            self.study.tell(trial, score)
        self.say(f"trial {number} {'pruned' if pruned else 'finished'}: {self.training.objective.figure} {score:.4g}")
