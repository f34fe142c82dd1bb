"""metrics.csv loses nothing, can be read at any moment, and never grows onto another run's."""

import csv
import math

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.errors import UserError
from experiments.run_folder.metrics import CLOCKS, COLUMNS, MetricsWriter


def test_clock_columns_are_the_last(tmp_path):
    with MetricsWriter(tmp_path / "metrics.csv"):
        header = (tmp_path / "metrics.csv").read_text().strip().split(",")
    assert tuple(header) == COLUMNS
    assert tuple(header[-2:]) == CLOCKS


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


def test_an_unknown_column_is_refused(tmp_path):
    with MetricsWriter(tmp_path / "metrics.csv") as metrics, pytest.raises(ValueError, match="got fitness"):
        metrics.append({"fitness": 1.0})
