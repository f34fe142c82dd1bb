"""The folder of a run as training returns it: a path that also tells what the run has come to."""

from pathlib import Path

import pandas as pd

from experiments.errors import UserError
from experiments.run_folder.layout import METRICS, STATUS
from experiments.run_folder.read import read_metrics
from experiments.run_folder.status import read_status


class TrainedRun(type(Path())):
    """The path of a run folder, with what its files say now.

        run = train(compose_config(["env=hopper", "searcher=ec", "budget=1e5"]))
        run.score, run.status["best_evaluation"]["steps"], run.metrics.mean_return
        (run / "curve.png").exists()

    Everything is read from the folder when it is asked for, so that `TrainedRun("runs/demo")` tells the same of a run
    that another process has trained.
    """

    @property
    def status(self) -> dict:
        """The content of status.json: `state`, `steps`, `budget`, `reason`, `last_evaluation` and `best_evaluation`.

        The evaluations are None if there was none, else generation, steps, center_return_mean and center_return_std.

        Raises:
            UserError: If the file is missing or damaged.
        """
        try:
            return read_status(self)
        except FileNotFoundError:
            raise UserError(f"'{self}' holds no run: it has no {STATUS}") from None

    @property
    def metrics(self) -> pd.DataFrame:
        """The rows of metrics.csv, see `experiments.run_folder.read.read_metrics`.

        Raises:
            UserError: If the file is missing or damaged.
        """
        return read_metrics(self / METRICS)

    @property
    def score(self) -> float:
        """The mean return of the last evaluation in the environment's own reward, as in tables; NaN if there was none.

        Raises:
            UserError: As `metrics`.
        """
        returns = self.metrics.center_return_mean.dropna()
        return float(returns.iloc[-1]) if len(returns) else float("nan")
