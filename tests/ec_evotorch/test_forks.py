"""A process that is forked after a search searches as its parent does, or says at once what it cannot do."""

import os
import subprocess
import sys

import pytest
import torch

from ec_evotorch.distributions.bernoulli import sample_theta
from ec_evotorch.distributions.weighted_sum import sum_weighted_rows
from native import compiled

PROGRAM = """
import multiprocessing
from functools import partial

import numba
import torch

from agents import RSNN
from ec_evotorch import EvolvingConnectivity, RolloutProblem
from envs import make_vec


def train(seed):
    problem = RolloutProblem(partial(make_vec, "InvertedPendulum-v5"), partial(RSNN, num_neurons=8), seed=seed)
    searcher = EvolvingConnectivity(problem, popsize=8)
    searcher.run(2)
    torch.ones(1_000_000).exp().sum()  # so many numbers that PyTorch shares them out to threads
    return searcher.status["prob"].tolist()


def use_inherited(seed):
    return str(attempt(inherited.env.reset) or attempt(lambda: inherited.evaluate_center(center, 1)))


def attempt(call):
    try:
        call()
    except RuntimeError as error:
        return error


def close_inherited(seed):
    inherited.close()
    return inherited.env.closed


inherited = RolloutProblem(partial(make_vec, "InvertedPendulum-v5"), partial(RSNN, num_neurons=8), seed=0)
center = torch.zeros(inherited.solution_length, dtype=torch.bool)
expected = [train(seed) for seed in (1, 2)]
assert numba.threading_layer() == "LAYER", numba.threading_layer()
for _ in range(2):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(train, (1, 2)) == expected
        print(*pool.map(use_inherited, [0]))
        print(*pool.map(close_inherited, [0]))
assert [train(seed) for seed in (1, 2)] == expected
inherited.evaluate_center(center, 1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("layer", ["omp", pytest.param("workqueue", marks=pytest.mark.slow)])
def test_children_of_a_fork_after_a_search_search_alike_and_refuse_their_parents_environment(layer, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.replace("LAYER", layer))
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer, "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    refusals = [line for line in lines if "a fork does not copy its threads" in line]
    assert len(refusals) == lines.count("True") == 2


def test_kernels_give_the_same_bits_in_one_thread_without_numbas_layer(monkeypatch):
    rho = torch.rand(5000, generator=torch.Generator().manual_seed(0))
    weights = torch.linspace(-1, 1, 9, dtype=torch.float64)

    def results():
        theta = sample_theta(rho, torch.empty(9, 5000, dtype=torch.bool), key=7)
        return theta, sum_weighted_rows(theta, weights)

    in_threads = results()
    monkeypatch.setattr(compiled, "has_lost_threads", lambda: True)
    for alone, expected in zip(results(), in_threads, strict=True):
        assert torch.equal(alone, expected)
