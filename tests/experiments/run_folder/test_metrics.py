"""metrics.csv loses nothing, can be read at any moment, and never grows onto another run's."""

import csv
import math

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.errors import UserError
from experiments.run_folder.metrics import CLOCKS, COLUMNS, MetricsWriter


def header_of(path) -> tuple[str, ...]:
    return tuple(path.read_text().splitlines()[0].split(","))


def test_the_columns_of_every_run_come_first_and_end_with_the_clocks(tmp_path):
    with MetricsWriter(tmp_path / "metrics.csv"):
        assert header_of(tmp_path / "metrics.csv") == COLUMNS
    assert COLUMNS[-2:] == CLOCKS


def test_the_first_row_adds_the_diagnostics_of_the_searcher_behind_them(tmp_path):
    with MetricsWriter(tmp_path / "metrics.csv") as metrics:
        metrics.append({"generation": 1, "temperature": 0.5, "restarts": 3})
        metrics.append({"generation": 2, "restarts": 4, "temperature": None})
        assert metrics.diagnostics == ("temperature", "restarts")
    assert header_of(tmp_path / "metrics.csv") == (*COLUMNS, "temperature", "restarts")
    rows = (tmp_path / "metrics.csv").read_text().splitlines()[1:]
    assert [row.split(",")[-2:] for row in rows] == [["0.5", "3"], ["", "4"]]


@pytest.mark.parametrize("first", [{}, {"temperature": 0.5}])
def test_a_resumed_file_keeps_its_columns(tmp_path, first):
    path = tmp_path / "metrics.csv"
    with MetricsWriter(path) as metrics:
        metrics.append({"generation": 1, **first})
        size, sha256 = metrics.size, metrics.sha256
        metrics.append({"generation": 2})
    with MetricsWriter.resume(path, size, sha256) as metrics:
        assert metrics.diagnostics == tuple(first)
        metrics.append({"generation": 3, **first})
    assert header_of(path) == (*COLUMNS, *first)
    assert [row.split(",")[0] for row in path.read_text().splitlines()[1:]] == ["1", "3"]


def test_a_file_that_is_resumed_before_its_first_row_gets_new_columns(tmp_path):
    path = tmp_path / "metrics.csv"
    with MetricsWriter(path) as metrics:
        size, sha256 = metrics.size, metrics.sha256
        metrics.append({"generation": 1, "temperature": 0.5})
    with MetricsWriter.resume(path, size, sha256) as metrics:
        assert header_of(path) == COLUMNS
        metrics.append({"generation": 1, "pressure": 1.0})
        assert metrics.diagnostics == ("pressure",)
    assert len(path.read_text().splitlines()) == 2


def test_a_row_can_be_read_as_soon_as_it_is_written(tmp_path):
    with MetricsWriter(tmp_path / "metrics.csv") as metrics:
        metrics.append({"generation": 1, "steps": 10})
        assert pd.read_csv(tmp_path / "metrics.csv").steps.tolist() == [10]


@pytest.mark.parametrize(
    "value", [0.1, 1 / 3, -1e-300, 123456789.123456789, math.inf, np.float32(0.1), torch.tensor(0.1)]
)
def test_a_float_is_read_back_bit_for_bit(tmp_path, value):
    with MetricsWriter(tmp_path / "metrics.csv") as metrics:
        metrics.append({"mean_return": value})
    with open(tmp_path / "metrics.csv", newline="") as file:
        assert float(next(csv.DictReader(file))["mean_return"]) == float(value)


def test_what_was_not_measured_is_blank(tmp_path):
    with MetricsWriter(tmp_path / "metrics.csv") as metrics:
        metrics.append({"generation": 1, "center_return_mean": None})
    assert (tmp_path / "metrics.csv").read_text().splitlines()[1] == "1" + "," * (len(COLUMNS) - 1)


def test_rows_are_never_appended_to_a_file_that_is_there(tmp_path):
    (tmp_path / "metrics.csv").write_text("mine")
    with pytest.raises(UserError, match=r"metrics.csv': File exists"):
        MetricsWriter(tmp_path / "metrics.csv")


def test_a_column_that_the_first_row_did_not_have_is_refused(tmp_path):
    with MetricsWriter(tmp_path / "metrics.csv") as metrics:
        metrics.append({"generation": 1})
        with pytest.raises(ValueError, match="got fitness"):
            metrics.append({"generation": 2, "fitness": 1.0})
