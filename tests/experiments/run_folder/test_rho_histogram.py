"""rho_histogram.csv counts every connection at every evaluation, and is cut back with its run."""

import numpy as np
import pytest

from experiments.errors import UserError
from experiments.run_folder.rho_histogram import BINS, RhoHistogram, read_rho_histogram


def test_every_connection_counts_once_in_the_bin_of_its_probability(tmp_path):
    path = tmp_path / "rho.csv"
    RhoHistogram(path).append(3, 70, np.float32([0.001, 0.019, 0.5, 0.999, 1.0]))
    (row,) = read_rho_histogram(path).to_dict("records")
    assert (row.pop("generation"), row.pop("steps")) == (3, 70)
    assert {edge: count for edge, count in row.items() if count} == {"0.00": 2, "0.50": 1, "0.98": 2}


def test_rows_from_the_generation_on_that_is_evaluated_again_are_cut_off(tmp_path):
    path = tmp_path / "rho.csv"
    whole = RhoHistogram(path)
    for generation in (1, 2, 3):
        whole.append(generation, 10 * generation, np.full(4, 0.1 * generation))
    unbroken = path.read_bytes()
    again = RhoHistogram.resume(path, 2)
    for generation in (2, 3):
        again.append(generation, 10 * generation, np.full(4, 0.1 * generation))
    assert path.read_bytes() == unbroken


def test_a_run_without_a_histogram_begins_one_when_resumed(tmp_path):
    RhoHistogram.resume(tmp_path / "rho.csv", 5).append(5, 50, np.zeros(2))
    assert read_rho_histogram(tmp_path / "rho.csv").generation.tolist() == [5]


def test_the_histogram_of_a_run_has_a_row_for_each_evaluation_of_its_centre(finished_run, rows):
    table, histogram = rows(finished_run), read_rho_histogram(finished_run / "rho_histogram.csv")
    evaluated = table[table.center_return_mean.notna()]
    assert histogram.generation.tolist() == evaluated.generation.tolist()
    assert histogram.steps.tolist() == evaluated.steps.tolist()
    assert set(histogram[list(BINS)].sum(axis=1)) == {2 * 4 * 16 + 16 * 16 + 16 * 1}


@pytest.mark.parametrize("text", ["", "generation,steps\n1,2\n", "not a table\n\x00", "1"])
def test_a_damaged_file_is_refused_and_named(tmp_path, text):
    (tmp_path / "rho.csv").write_text(text)
    with pytest.raises(UserError, match=r"rho\.csv"):
        read_rho_histogram(tmp_path / "rho.csv")
