"""Train the runs of a sweep as jobs on a cluster, with submitit."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gantk import json_text
from gantk.errors import RunError, UsageError, WorkError, briefly
from gantk.files import check_no_link, read_whole, replace_file
from gantk.run.folder import Run
from gantk.sweeps.job import TrainingJob
from gantk.sweeps.work import Allowed, training_command
from gantk.written import parse_part, parse_value

if TYPE_CHECKING:
    import submitit

__all__ = ["Cluster"]

FILE, LOGS = "jobs.json", "jobs"

TIMES = ("timeout_min", "time")
AT_MOST = "max_num_timeout"
"""A parameter of the executor's constructor, unlike all others."""


class Cluster:
    """A cluster that trains the runs of a sweep.

    Args:
        text: a cluster of submitit with parameters, such as `slurm:partition=gpu,timeout_min=240`.
        folder: the folder of the sweep, in which the jobs are recorded.
        allowed: what the runs may do.

    Raises:
        UsageError: submitit is not installed, or refuses the cluster or a parameter.
    """

    def __init__(self, text: str, folder: Path, allowed: Allowed) -> None:
        try:
            from submitit.core.plugins import get_executors
        except ImportError as error:
            raise UsageError(f"--submit needs submitit ({briefly(error)}): pip install 'gantk[slurm]'.") from error
        logging.getLogger("submitit").setLevel(logging.ERROR)
        self._folder, self._known, self._allowed = folder, get_executors(), allowed
        self.name, written = parse_part(text)
        options = {name: parse_value(value) for name, value in written.items()}
        if not any(name in options for name in TIMES):
            raise UsageError(
                f"--submit {text}: set the time limit of a job in minutes, such as {self.name}:timeout_min=240."
            )
        self._made = {AT_MOST: options.pop(AT_MOST)} if AT_MOST in options else {}
        self._parameters = {"name": f"gantk-{folder.name}", **options}
        try:
            with tempfile.TemporaryDirectory() as trial:  # some executors create their folder immediately
                self._executor(Path(trial))
        except (ValueError, RuntimeError, NameError, AssertionError, TypeError) as error:
            raise UsageError(f"--submit {text}: {briefly(error)}.") from error

    def _executor(self, folder: Path) -> submitit.AutoExecutor:
        import submitit

        executor = submitit.AutoExecutor(folder, cluster=self.name, **self._own(self._made))
        executor.update_parameters(**self._own(self._parameters))
        return executor

    def _own(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return {f"{self.name}_{name}": value for name, value in options.items()}

    def hand_over(self, runs: Sequence[Run], say: Callable[[str], object]) -> dict[str, str]:
        """Submit runs, except those with pending or running jobs.

        Returns:
            run → its job and the state of the job, such as `job 123 pending`.

        Raises:
            WorkError: the cluster refuses the jobs.
        """
        known = self._read()
        opened = {name: self._job(**job) for name, job in known.items()}
        states = {name: state for name, job in opened.items() if (state := _state(job))}
        todo = [run for run in runs if run.path.name not in states]
        for run in todo:
            if run.path.name in opened:
                job = opened[run.path.name]
                say(f"{run}: job {job.job_id} ended before training was finished; see its log {job.paths.stderr}")
        if todo:
            for run, job in zip(todo, self._submit(todo), strict=True):
                known[run.path.name] = {"cluster": self.name, "job": job.job_id}
                states[run.path.name] = "submitted"
            self._write(known)
            say(f"submitted {len(todo)} of {len(runs)}: jobs {', '.join(known[run.path.name]['job'] for run in todo)}")
        return {str(run): f"job {known[run.path.name]['job']} {states[run.path.name]}" for run in runs}

    def _submit(self, runs: Sequence[Run]) -> list[Any]:
        jobs = []
        try:
            check_no_link(self._folder / LOGS)
            executor = self._executor(self._folder / LOGS / "%j")
            with executor.batch():
                for run in runs:
                    jobs.append(executor.submit(TrainingJob(training_command(run, self._allowed), os.getcwd())))
            return jobs
        except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
            raise WorkError(f"{self.name} refused the jobs: {briefly(error)}.") from error

    def _job(self, cluster: str, job: str) -> Any:
        if cluster not in self._known:
            raise UsageError(
                f"{self._folder / FILE} contains jobs of '{cluster}', which submitit does not support here."
            )
        return self._known[cluster].job_class(self._folder / LOGS / "%j", job)

    def _read(self) -> dict[str, dict[str, str]]:
        file = self._folder / FILE
        try:
            found: dict[str, dict[str, str]] = json_text.loads(read_whole(file))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise RunError(f"{file} is damaged ({error}): remove it after all jobs have ended.") from error
        return found

    def _write(self, jobs: Mapping[str, Mapping[str, str]]) -> None:
        replace_file(self._folder / FILE, json.dumps(jobs, indent=1).encode())


def _state(job: Any) -> str:
    """The state of a job; empty if it has ended."""
    import submitit

    if job.paths.result_pickle.exists():
        return ""
    if isinstance(job, submitit.LocalJob):  # only the process that started it knows its state
        return "running" if _alive(int(job.job_id)) else ""
    return "" if job.done() else str(job.state).lower()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
