"""rho_histogram.csv counts every connection at every evaluation."""

import numpy as np
import pytest

from experiments.errors import UserError
from experiments.run_folder.rho.histogram import BINS, histogram_row, read_rho_histogram


def test_every_connection_counts_once_in_the_bin_of_its_probability():
    (row,) = histogram_row(3, 70, np.float32([0.001, 0.019, 0.5, 0.999, 1.0])).to_dict("records")
    assert (row.pop("generation"), row.pop("steps")) == (3, 70)
    assert {edge: count for edge, count in row.items() if count} == {"0.00": 2, "0.50": 1, "0.98": 2}


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
