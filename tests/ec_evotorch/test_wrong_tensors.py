"""What a kernel would misread is refused by name, before any memory is touched."""

import numpy as np
import pytest
import torch

from agents import RSNN
from ec_evotorch.distributions.bernoulli import check_probabilities, log_prob, rho_gradient, sample_theta
from ec_evotorch.distributions.ranking import compute_utilities
from ec_evotorch.distributions.weighted_sum import sum_weighted_rows
from ec_evotorch.rollout.policy import Policy

RHO, THETA = torch.full((50,), 0.5), torch.zeros(3, 50, dtype=torch.bool)
ROWS, WEIGHTS = torch.ones(3, 50), torch.ones(3, dtype=torch.float64)
AGENT = RSNN(4, 2, num_neurons=6)
SOLUTION = torch.zeros(AGENT.solution_length, dtype=torch.bool)
LOW, HIGH = -np.ones(2), np.ones(2)


@pytest.mark.parametrize("wrong", [None, "a", [0.5] * 50, np.full(50, 0.5), torch.zeros(50, dtype=torch.complex64)])
def test_probabilities_are_a_tensor_of_real_numbers(wrong):
    for call in (
        lambda: check_probabilities(wrong),
        lambda: sample_theta(wrong, THETA.clone(), 7),
        lambda: log_prob(THETA, wrong),
        lambda: rho_gradient(THETA, torch.ones(3), wrong),
    ):
        with pytest.raises(ValueError, match="rho: expected a tensor of floating-point numbers, got"):
            call()


@pytest.mark.parametrize("wrong", [None, "a", [True], THETA.numpy()])
def test_networks_are_a_tensor_of_bits(wrong):
    for name, call in (
        ("out", lambda: sample_theta(RHO, wrong, 7)),
        ("theta", lambda: log_prob(wrong, RHO)),
        ("theta", lambda: rho_gradient(wrong, torch.ones(3), RHO)),
    ):
        with pytest.raises(TypeError, match=rf"{name}: expected a tensor of dtype torch.bool, got"):
            call()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": None}, r"key: expected an integer in \[0, 2\*\*64\), got None"),
        ({"key": 1.5}, r"key: expected an integer in \[0, 2\*\*64\), got 1.5"),
        ({"generation": 1.5}, "generation: expected a whole number .*, got 1.5"),
        ({"generation": "a"}, "generation: expected a whole number .*, got 'a'"),
        ({"first_row": None}, "first_row: expected a whole number .*, got None"),
        ({"out": THETA[:1].expand(3, 50)}, "out: expected a tensor whose elements have places of their own"),
    ],
)
def test_what_sampling_cannot_follow_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        sample_theta(**({"rho": RHO, "out": THETA.clone(), "key": 7} | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": None}, "rows: expected a tensor of numbers, got None"),
        ({"rows": ROWS.numpy()}, "rows: expected a tensor of numbers, got a ndarray"),
        ({"rows": ROWS.half()}, "rows: expected one of torch.bool, torch.float32, torch.float64, got torch.float16"),
        ({"rows": ROWS.to(torch.complex64)}, "rows: expected a tensor of numbers, got torch.complex64"),
        ({"weights": None}, "weights: expected a tensor of numbers, got None"),
        ({"weights": WEIGHTS.float()}, "weights: expected torch.float64, got torch.float32"),
        ({"total": torch.zeros(60, dtype=torch.float64)}, r"total: expected .* of shape \(50,\), got .* \(60,\)"),
        ({"total": torch.zeros(50)}, "total: expected contiguous torch.float64 .*, got torch.float32"),
        ({"total": torch.zeros(100, dtype=torch.float64)[::2]}, "total: expected contiguous torch.float64"),
        ({"total": np.zeros(50)}, "total: expected a tensor of numbers, got a ndarray"),
    ],
)
def test_what_a_sum_would_read_or_write_beyond_its_end_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        sum_weighted_rows(**({"rows": ROWS, "weights": WEIGHTS} | change))


@pytest.mark.parametrize("wrong", [None, "a", [1.0, 2.0], np.ones(3)])
def test_fitnesses_and_utilities_are_tensors(wrong):
    with pytest.raises(ValueError, match="fitnesses: expected a tensor of real numbers"):
        compute_utilities(wrong, objective_sense="max", ranking_method="centered")
    with pytest.raises(ValueError, match="utilities: expected a tensor of real numbers"):
        rho_gradient(THETA, wrong, RHO)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"agent": None}, "agent: expected an agent, got None"),
        ({"solution": None}, r"solution: expected a tensor or array of torch.bool of shape \(96,\), got None"),
        ({"solution": "a"}, "solution: expected a tensor or array .*, got a str"),
        ({"action_low": None}, "action_low: expected numbers, got None"),
        ({"action_high": ["a", "b"]}, r"action_high: expected numbers, got \['a', 'b'\]"),
        ({"observation_mean": "a"}, "observation_mean: expected numbers, got 'a'"),
        ({"observation_mean": np.full(4, np.nan)}, "observation_mean: expected finite numbers, got"),
        ({"observation_stdev": np.zeros(4)}, "observation_stdev: expected positive numbers, got"),
        ({"observation_stdev": np.ones(4, complex)}, "observation_stdev: expected numbers, got"),
    ],
)
def test_what_makes_no_policy_is_named(change, message):
    sound = {"observation_mean": np.zeros(4), "observation_stdev": np.ones(4)}
    with pytest.raises(ValueError, match=message):
        Policy(**({"agent": AGENT, "solution": SOLUTION, "action_low": LOW, "action_high": HIGH} | sound | change))


@pytest.mark.parametrize(
    "wrong",
    [None, "a", 5.0, {}, ["a"] * 4, np.zeros(4, complex), np.zeros(4, object), np.array(["1"] * 4)],
)
def test_a_policy_acts_on_numbers_only(wrong):
    with pytest.raises(ValueError, match=r"observation: expected numbers of shape \(4,\), got"):
        Policy(AGENT, SOLUTION, LOW, HIGH)(wrong)


@pytest.mark.parametrize("shape", [(1, 4), (2, 4), (3,), (7,), (0,)])
def test_a_policy_acts_on_one_observation_only(shape):
    with pytest.raises(ValueError, match=r"observation: expected shape \(4,\), got"):
        Policy(AGENT, SOLUTION, LOW, HIGH)(np.zeros(shape))


@pytest.mark.parametrize("seed", [None, -1, 1.5, "a", True])
def test_the_seed_of_a_policy_is_a_whole_number(seed):
    with pytest.raises(ValueError, match="seed: expected a whole number of at least 0, got"):
        Policy(AGENT, SOLUTION, LOW, HIGH).reset(seed=seed)
