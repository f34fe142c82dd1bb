"""The tables of ρ over training are cut back with their run, to the bit, and begin late in a run that had none."""

import numpy as np
import pytest

from experiments.errors import UserError
from experiments.run_folder.rho.blocks import read_rho_blocks
from experiments.run_folder.rho.histogram import read_rho_histogram
from experiments.run_folder.rho.history import RhoHistory

BLOCKS = {"a": np.array([0, 2]), "nan": np.array([1, 3, 4])}


def rho(generation):
    return np.random.default_rng(generation).random(5, dtype=np.float32)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_rows_from_the_generation_on_that_is_evaluated_again_are_cut_off(tmp_path):
    whole = RhoHistory(tmp_path)
    for generation in (1, 2, 3):
        whole.append(generation, 10 * generation, rho(generation), BLOCKS)
    unbroken = contents(tmp_path)
    assert set(unbroken) == {"rho_histogram.csv", "rho_blocks.csv"}
    again = RhoHistory(tmp_path)
    again.cut(2)
    for generation in (2, 3):
        again.append(generation, 10 * generation, rho(generation), BLOCKS)
    assert contents(tmp_path) == unbroken


def test_tables_from_which_all_rows_are_cut_begin_anew(tmp_path):
    RhoHistory(tmp_path).append(1, 10, rho(1), BLOCKS)
    unbroken = contents(tmp_path)
    again = RhoHistory(tmp_path)
    again.cut(1)
    again.append(1, 10, rho(1), BLOCKS)
    assert contents(tmp_path) == unbroken


def test_a_run_without_tables_begins_them_when_resumed(tmp_path):
    history = RhoHistory(tmp_path)
    history.cut(5)
    history.append(5, 50, rho(5), BLOCKS)
    assert read_rho_histogram(tmp_path / "rho_histogram.csv").generation.tolist() == [5]
    assert read_rho_blocks(tmp_path / "rho_blocks.csv").generation.tolist() == [5, 5]


def test_a_search_without_blocks_has_a_histogram_only(tmp_path):
    RhoHistory(tmp_path).append(1, 10, rho(1), {})
    assert set(contents(tmp_path)) == {"rho_histogram.csv"}


@pytest.mark.parametrize("name", ["rho_histogram.csv", "rho_blocks.csv"])
def test_a_damaged_table_is_not_continued(tmp_path, name):
    (tmp_path / name).write_text("damaged")
    with pytest.raises(UserError, match=f"{name}.*; without the file, a run goes on"):
        RhoHistory(tmp_path).cut(1)
