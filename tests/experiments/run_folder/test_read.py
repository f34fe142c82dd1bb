"""A run is read to the bit, or refused: what is half written is left out, what is foreign is named."""

import csv

import pytest
from omegaconf import OmegaConf

from experiments.errors import ResultsWarning, UserError
from experiments.run_folder.metrics import COLUMNS, MetricsWriter
from experiments.run_folder.read import read_config, read_metrics, select


@pytest.fixture
def metrics_file(tmp_path):
    """A metrics.csv with three generations."""
    path = tmp_path / "metrics.csv"
    with MetricsWriter(path) as metrics:
        for generation in (1, 2, 3):
            row = {"generation": generation, "steps": 100 * generation, "episodes": generation}
            metrics.append({**row, "mean_return": generation / 3, "elapsed_seconds": 0.1 * generation})
    return path


def edit(path, change) -> None:
    path.write_text(change(path.read_text()))


def test_every_number_is_read_to_the_bit(metrics_file):
    with open(metrics_file, newline="") as file:
        written = list(csv.DictReader(file))
    metrics = read_metrics(metrics_file)
    assert tuple(metrics.columns) == COLUMNS
    for column in ("steps", "mean_return", "elapsed_seconds"):
        assert metrics[column].tolist() == [float(row[column]) for row in written]
    assert metrics.dtypes[["steps", "mean_return"]].tolist() == ["int64", "float64"]
    assert metrics.density.isna().all()


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_a_last_row_without_its_line_end_is_left_out(metrics_file, kept):
    rest, last = metrics_file.read_text().rstrip("\n").rsplit("\n", 1)
    metrics_file.write_text(f"{rest}\n{last[:kept] if kept > 0 else last}")
    with pytest.warns(ResultsWarning, match=r"metrics\.csv': the last row is half written"):
        assert read_metrics(metrics_file).generation.tolist() == [1, 2]


def test_a_last_row_with_too_few_cells_is_left_out(metrics_file):
    edit(metrics_file, lambda text: text + "4,400,4\n")
    with pytest.warns(ResultsWarning, match="half written"):
        assert read_metrics(metrics_file).generation.tolist() == [1, 2, 3]


def test_columns_that_an_earlier_version_did_not_write_are_blank(metrics_file):
    rows = [line.split(",") for line in metrics_file.read_text().splitlines()]
    place = COLUMNS.index("policy_loss")
    metrics_file.write_text("".join(",".join(row[:place] + row[place + 1 :]) + "\n" for row in rows))
    metrics = read_metrics(metrics_file)
    assert metrics.policy_loss.isna().all()
    assert metrics.mean_return.tolist() == [1 / 3, 2 / 3, 1.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "the file is empty"),
        (lambda text: "generation,steps", "the file is empty"),
        (lambda text: "a,b\n1,2\n", "it has 'a', 'b'; it lacks generation, steps"),
        (lambda text: text.replace("mean_return", "mean_reward", 1), "it has 'mean_reward'; it lacks mean_return"),
        (lambda text: text.replace("\n2,", "\n2,2,"), f"line 3: expected {len(COLUMNS)} cells; got {len(COLUMNS) + 1}"),
        (lambda text: text.replace("\n2,200", "\n2,many"), "column 'steps': expected cells of int64"),
        (lambda text: text.replace("\n2,200", "\n2,"), "column 'steps': expected cells of int64"),
        (lambda text: text.replace("\n2,200", "\n2,50"), "expected a column 'steps' that never falls"),
        (lambda text: text.replace("\n3,300", "\n2,300"), "generation 2 comes twice"),
    ],
)
def test_a_damaged_or_foreign_file_is_refused_by_name(metrics_file, change, message):
    edit(metrics_file, change)
    with pytest.raises(UserError, match=r"metrics\.csv'") as error:
        read_metrics(metrics_file)
    assert message in str(error.value)


def test_bytes_that_are_no_text_are_refused(metrics_file):
    metrics_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="expected a CSV file"):
        read_metrics(metrics_file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("env: [", "expected the configuration of a run"),
        ("- 1\n- 2\n", "expected the key 'env.id' with a name; got None"),
        ("env: {id: Hopper-v5}\n", "expected the key 'agent.name' with a name; got None"),
        ("env: {id: A}\nagent: {name: a}\nsearcher: {name: b}\nseed: x\n", "'seed' with a whole number; got 'x'"),
        (
            "env: {id: A}\nagent: {name: a}\nsearcher: {name: b}\nseed: 1\nbudget: -1\n",
            "budget: expected a number of at most 63 bits; got -1",
        ),
        (
            "env: {id: A}\nagent: {name: a}\nsearcher: {name: b}\nseed: 1\nbudget: 20",  # of 2000
            "expected the key 'versions' with keys of its own; got None",
        ),
    ],
)
def test_a_configuration_that_is_not_ours_is_refused_by_name(tmp_path, text, message):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=r"config\.yaml'") as error:
        read_config(tmp_path / "config.yaml")
    assert message in str(error.value)


def test_the_configuration_of_a_training_is_read_whole(finished_run):
    config = read_config(finished_run / "config.yaml")
    assert config == OmegaConf.to_container(OmegaConf.load(finished_run / "config.yaml"))
    assert select(config, "agent.num_neurons") == 16
    assert select(config, "agent.num_neurons.nope") is None
