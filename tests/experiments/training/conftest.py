"""Runs that nothing interrupts, and the comparison of others with them."""

from pathlib import Path

import numpy as np
import pytest

from experiments.run_config.build import close_search
from experiments.run_config.compose import compose_config
from experiments.run_folder.archive import load_checkpoint
from experiments.run_folder.checkpoints import find_checkpoints
from experiments.run_folder.status import read_status
from experiments.training.run import build_search
from tests.experiments.training.tiny_runs import flat, start, words


@pytest.fixture
def assert_same_end(rows):
    """Compares all that two runs have come to: metrics but for the clocks, the policy, the state of the search."""

    def compare(folder: Path, unbroken: Path) -> None:
        assert rows(folder).equals(rows(unbroken))
        for name in ("policy.safetensors", "policy.json", "rho_histogram.csv", "rho_blocks.csv"):
            assert (folder / name).exists() == (unbroken / name).exists()
            assert not (unbroken / name).exists() or (folder / name).read_bytes() == (unbroken / name).read_bytes()
        ours, theirs = (flat(load_checkpoint(find_checkpoints(run)[-1])["search"]) for run in (folder, unbroken))
        assert list(ours) == list(theirs)
        for name, value in theirs.items():
            np.testing.assert_array_equal(ours[name], value, err_msg=name)
        assert read_status(folder) == read_status(unbroken)
        assert read_status(folder)["state"] == "finished"

    return compare


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The run of each searcher that nothing interrupts, made when first asked for."""
    folders = {}

    def get(searcher: str, *more: str) -> Path:
        if (searcher, more) not in folders:
            folders[searcher, more] = start(searcher, *more, f"run_dir={tmp_path_factory.mktemp(searcher)}/run")
        return folders[searcher, more]

    return get


@pytest.fixture
def begun(request):
    """Makes the search of a run, closed after the test."""

    def begin(searcher: str, *more: str):
        search = build_search(compose_config(words(searcher, *more)))
        request.addfinalizer(lambda: close_search(search))
        return search

    return begin
