"""rho_blocks.csv says how far each block of connections was decided at every evaluation."""

import numpy as np
import pytest

from experiments.errors import UserError
from experiments.run_folder.rho.blocks import COLUMNS, block_rows, entropy, read_rho_blocks
from experiments.run_folder.rho.histogram import BINS, EDGES, read_rho_histogram

HEADER = ",".join(COLUMNS) + "\n"


def test_entropy_by_hand():
    assert entropy(np.array([0.0, 0.5, 1.0, 0.25])) == pytest.approx((1 + 0.25 * 2 + 0.75 * np.log2(4 / 3)) / 4)


def test_no_entropy_is_above_1_by_rounding():
    entropies = [entropy(np.full(size, 0.5)) for size in range(1, 300)]
    assert max(entropies) == 1.0
    assert min(entropies) > 1.0 - 1e-12


def test_each_block_is_summarized_and_one_without_connections_is_left_out():
    blocks = {"a": np.array([0, 3]), "b": np.array([1, 2, 4]), "none": np.array([], dtype=np.int64)}
    table = block_rows(3, 70, np.float32([0.5, 0.0, 1.0, 0.95, 0.25]), blocks)
    assert tuple(table.columns) == COLUMNS
    assert table[["generation", "steps", "block", "size"]].to_numpy().tolist() == [[3, 70, "a", 2], [3, 70, "b", 3]]
    assert table.mean_rho.tolist() == pytest.approx([0.725, 1.25 / 3])
    assert table.decided.tolist() == pytest.approx([1 / 2, 2 / 3])
    assert table.entropy.tolist() == pytest.approx([(1 + 0.2863969571) / 2, 0.8112781245 / 3])


def test_the_blocks_of_a_run_are_those_of_dale_at_each_evaluation(finished_run, rows):
    blocks = read_rho_blocks(finished_run / "rho_blocks.csv")
    sizes = blocks.groupby("block", sort=False)["size"].unique().map(list).to_dict()
    kinds = {"in→E": [64], "in→I": [64], "E→E": [64], "E→I": [64], "I→E": [64], "I→I": [64], "E→out": [8], "I→out": [8]}
    assert sizes == kinds
    evaluated = rows(finished_run).dropna(subset="center_return_mean")
    assert blocks.steps.unique().tolist() == evaluated.steps.tolist()
    for row in evaluated.itertuples():
        here = blocks[blocks.generation == row.generation]
        assert np.average(here.mean_rho, weights=here["size"]) == pytest.approx(row.density, rel=1e-5)
        assert np.average(here.entropy, weights=here["size"]) == pytest.approx(row.entropy, rel=1e-5)
    histogram = read_rho_histogram(finished_run / "rho_histogram.csv")
    last = blocks[blocks.steps == histogram.steps.iloc[-1]]
    outside = np.abs((EDGES[1:] + EDGES[:-1]) / 2 - 0.5) > 0.4
    assert (last.decided * last["size"]).sum() == histogram[list(BINS)].iloc[-1][outside].sum()


def test_connections_that_cannot_exist_are_in_no_block(train_tiny):
    folder = train_tiny("run_dir=run", "+agent.connection_mask={density: {kernel_h: 0.25, kernel_out: 0.0}, seed: 0}")
    blocks = read_rho_blocks(folder / "rho_blocks.csv")
    sizes = blocks[blocks.generation == blocks.generation.max()].set_index("block")["size"]
    assert list(sizes.index) == ["in→E", "in→I", "E→E", "E→I", "I→E", "I→I"]
    assert sizes[2:].sum() == 16 * 16 / 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "generation,steps\n1,2\n",
        "not a table\n\x00",
        HEADER + "1,10,a,2,0.5,1.5,0\n",
        HEADER + "1,10,a,-2,0.5,1,0\n",
        HEADER + "1,10,a,2,nan,1,0\n",
        HEADER + "1,10,a,2,0.5,1,0\n1,10,a,2,0.5,1,0\n",
        HEADER + "2,20,a,2,0.5,1,0\n1,10,a,2,0.5,1,0\n",
    ],
)
def test_a_damaged_file_is_refused_and_named(tmp_path, text):
    (tmp_path / "rho.csv").write_text(text)
    with pytest.raises(UserError, match=r"rho\.csv"):
        read_rho_blocks(tmp_path / "rho.csv")
