"""Runs are logged where they are asked to, and nowhere else; what is logged changes no result."""

import ast
import re
import sys
import types
from pathlib import Path

import pandas as pd
import pytest
from evotorch import Problem
from evotorch.algorithms import SNES
from evotorch.decorators import vectorized
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ec_evotorch import TensorBoardLogger
from experiments.cli import main
from experiments.errors import UserError
from experiments.run_config.compose import compose_config
from experiments.run_folder.read import read_metrics
from experiments.training import loggers
from experiments.training.loggers import Live, live_logging, to_wandb
from experiments.training.resume import resume
from experiments.training.run import train

ROOT = Path(__file__).resolve().parents[3]


def events(folder) -> dict[str, pd.Series]:
    """Reads what TensorBoard shows: name -> values by step."""
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    logged = {name: accumulator.Scalars(name) for name in accumulator.Tags()["scalars"]}
    return {name: pd.Series({event.step: event.value for event in series}) for name, series in logged.items()}


def assert_logged(folder) -> None:
    metrics, logged = read_metrics(folder / "metrics.csv").set_index("steps"), events(folder / "tensorboard")
    for name in ("mean_return", "center_return_mean", "density"):
        expected = metrics[name].dropna()
        assert logged[name].index.tolist() == expected.index.tolist(), name
        assert logged[name].tolist() == pytest.approx(expected.tolist(), rel=1e-6), name


def test_a_run_says_nothing_to_anybody_unless_asked(finished_run):
    assert compose_config([]).logger is None
    assert not (finished_run / "tensorboard").exists()


def test_tensorboard_shows_the_rows_of_metrics_csv_over_environment_steps(train_tiny, finished_run, rows):
    folder = train_tiny("logger=tensorboard")
    assert_logged(folder)
    assert rows(folder).equals(rows(finished_run))


def test_a_resumed_run_goes_on_in_the_same_events(train_tiny):
    folder = train_tiny("logger=tensorboard", "budget=250")
    resume(folder, ["budget=500"])
    assert len(list((folder / "tensorboard").iterdir())) == 2
    assert_logged(folder)


def test_runs_of_before_there_were_loggers_go_on(tiny_run, finished_run, rows):
    config = compose_config([*tiny_run, "run_dir=run", "budget=250"])
    del config.logger
    folder = train(config)
    assert "logger" not in (folder / "config.yaml").read_text()
    assert rows(resume(folder, ["budget=500"])).generation.equals(rows(finished_run).generation)


def test_a_resumed_run_cannot_change_its_logger(finished_run):
    with pytest.raises(UserError, match=r"only budget= and early_stop= may change on resuming, got logger"):
        resume(finished_run, ["logger=tensorboard"])


def test_overwriting_a_run_deletes_its_events(train_tiny):
    folder = train_tiny("logger=tensorboard", "budget=100")
    train_tiny("budget=100", "overwrite=true")
    assert not (folder / "tensorboard").exists()


def test_the_logger_takes_any_searcher_of_evotorch(tmp_path):
    problem = Problem("min", vectorized(lambda x: (x**2).sum(dim=1)), solution_length=3, initial_bounds=(-1, 1), seed=0)
    searcher = SNES(problem, stdev_init=1.0, popsize=10)
    logger = TensorBoardLogger(searcher, tmp_path, interval=2)
    searcher.run(4)
    logger.close()
    logged = events(tmp_path)
    assert logged["mean_eval"].index.tolist() == [2, 4]
    assert "pop_best" not in logged


def test_a_missing_package_is_one_line_that_names_the_extra(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    assert main(["train", "logger=wandb", "run_dir=run"]) == 2
    assert capsys.readouterr().err == (
        "ec-evotorch: error: logger=wandb needs the package 'wandb': pip install 'ec-evotorch[wandb]'\n"
    )
    assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match=r"'tensorboard': pip install 'ec-evotorch\[live\]'"):
        live_logging({"name": "tensorboard"})


@pytest.mark.parametrize("logger", [5, {}, {"name": "tensorbord"}, {"name": None}])
def test_another_logger_is_refused(logger):
    with pytest.raises(UserError, match=r"logger: expected"):
        live_logging(logger)


def test_optional_packages_are_imported_within_functions_only():
    optional = re.compile(r"(import|from) (tensorboard|wandb|torch\.utils\.tensorboard)")
    files = [path for room in ("ec_evotorch", "experiments") for path in (ROOT / room).glob("*.py")]
    lines = [(path.name, ast.unparse(node)) for path in files for node in ast.parse(path.read_text()).body]
    assert lines
    assert not [line for line in lines if optional.match(line[1])]


@pytest.fixture
def fake_wandb(monkeypatch):
    """Stands for the package, and writes down what it is told."""
    told = []
    fake = types.SimpleNamespace(
        Error=RuntimeError,
        init=lambda **keywords: told.append(("init", keywords)),
        log=lambda row: told.append(("log", row)),
        define_metric=lambda name, step_metric: told.append(("axis", name, step_metric)),
        finish=lambda: told.append(("finish",)),
    )

    class WandbLogger:  # as EvoTorch's, which is there only where wandb is
        def __init__(self, searcher, **keywords):
            fake.init(**keywords)
            searcher.log_hook.append(fake.log)

    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.setattr("evotorch.logging.WandbLogger", WandbLogger, raising=False)
    return fake, told


def test_wandb_is_told_the_rows_of_one_run_however_often_it_is_resumed(fake_wandb, tmp_path):
    _, told = fake_wandb
    ids = []
    for steps in (1, 2):
        told.clear()
        rows = Live()
        with to_wandb(rows, tmp_path, project="hops", mode="offline"):
            rows.log({"steps": steps, "mean_return": 0.5, "center_return_mean": None})
        (_, keywords), *rest = told
        assert (keywords["project"], keywords["mode"], keywords["resume"]) == ("hops", "offline", "allow")
        assert rest == [("axis", "*", "steps"), ("log", {"steps": steps, "mean_return": 0.5}), ("finish",)]
        ids.append(keywords["id"])
    assert ids[0] == ids[1]


def test_what_wandb_refuses_is_one_line(fake_wandb, tmp_path):
    def refuse(**keywords):
        raise RuntimeError("no account")

    fake_wandb[0].init = refuse
    with pytest.raises(UserError, match=r"^logger=wandb: no account$"), to_wandb(Live(), tmp_path):
        pass
