"""A policy is read back as it was saved, and a file that is not whole is refused in one line."""

import json

import numpy as np
import pytest
import safetensors.numpy
import torch

from agents import RSNN
from ec_evotorch import Policy
from experiments.run_config.compose import compose_config
from experiments.run_folder.policy import checksum, load_policy, save_policy

OBS_LENGTH, ACT_LENGTH, NUM_NEURONS = 3, 2, 8


def make_policy(connections: str, normalised: bool = True) -> Policy:
    agent = RSNN(OBS_LENGTH, ACT_LENGTH, num_neurons=NUM_NEURONS, connections=connections)
    values = torch.randn(agent.solution_length, generator=torch.Generator().manual_seed(0))
    normaliser = {"observation_mean": np.arange(3) / 7, "observation_stdev": np.arange(1, 4) / 3} if normalised else {}
    low, high = np.full(ACT_LENGTH, -0.4, np.float32), np.full(ACT_LENGTH, 0.4, np.float32)
    return Policy(agent, values > 0 if agent.dtype == torch.bool else values, low, high, **normaliser)


def save(folder, connections: str = "boolean", normalised: bool = True) -> Policy:
    policy = make_policy(connections, normalised)
    words = [f"agent.num_neurons={NUM_NEURONS}", f"agent.connections={connections}", "env.healthy_reward=2"]
    config = compose_config(words)
    save_policy(folder, policy, config.agent, config.env)
    return policy


def rewrite(folder, change) -> None:
    """Changes policy.json and gives it the checksum that fits."""
    description = json.loads((folder / "policy.json").read_text())
    change(description)
    description["sha256"] = checksum(description, (folder / "policy.safetensors").read_bytes())
    (folder / "policy.json").write_text(json.dumps(description))


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("connections", ["boolean", "real"])
def test_a_policy_is_read_back_as_it_was_saved(tmp_path, connections, normalised):
    saved, loaded = save(tmp_path, connections, normalised), load_policy(tmp_path).policy
    assert torch.equal(loaded.solution, saved.solution)
    assert loaded.solution.dtype == saved.solution.dtype
    for name in ("action_low", "action_high", "observation_mean", "observation_stdev"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(saved, name))


def test_a_policy_that_was_read_back_acts_as_before(tmp_path):
    observations = np.random.default_rng(0).normal(size=(20, OBS_LENGTH))
    actions = []
    for policy in (save(tmp_path), load_policy(tmp_path).policy):
        policy.reset(seed=5)
        actions.append([policy(observation) for observation in observations])
    np.testing.assert_array_equal(*actions)


def test_the_environment_is_read_back_with_its_keywords(tmp_path):
    save(tmp_path)
    assert load_policy(tmp_path).env == {"id": "Hopper-v5", "healthy_reward": 2}


def test_a_boolean_connection_takes_one_bit(tmp_path):
    policy = save(tmp_path, normalised=False)
    assert (tmp_path / "policy.safetensors").stat().st_size < policy.agent.solution_length / 8 + 400


@pytest.mark.parametrize("name", ["policy.safetensors", "policy.json"])
def test_no_single_flipped_bit_goes_unseen(tmp_path, name):
    save(tmp_path)
    whole = (tmp_path / name).read_bytes()
    for position in np.linspace(0, len(whole) - 3, 40).astype(int):  # the last two bytes of the JSON are "}\n"
        if whole[position : position + 1].isspace():  # between JSON's words, where a tab is as good as a blank
            continue
        damaged = bytearray(whole)
        damaged[position] ^= 1
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(ValueError, match=r"^'.*\Z"):
            load_policy(tmp_path)


@pytest.mark.parametrize("name", ["policy.safetensors", "policy.json"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path, name, share):
    save(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="policy"):
        load_policy(tmp_path)


@pytest.mark.parametrize("name", ["policy.safetensors", "policy.json"])
def test_a_missing_file_is_named(tmp_path, name):
    save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        load_policy(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("format"), "expected an ec-evotorch policy"),
        (
            lambda d: d.update(format_version=99),
            "expected format_version 1 or 2; got 99; a newer version of ec-evotorch",
        ),
        (lambda d: d.pop("action_length"), "expected the key 'action_length' with a int; got None"),
        (lambda d: d.update(dtype="int8"), "dtype: expected one of bool, float32; got 'int8'"),
        (lambda d: d["env"].pop("id"), "env: expected the key 'id'"),
        (lambda d: d["agent"].pop("_target_"), "agent: expected the key '_target_'"),
        (lambda d: d["agent"].update(_target_="os.getcwd"), "agent._target_: expected a name in"),
        (lambda d: d["agent"].update(foo=1), "foo"),
        (lambda d: d["agent"].update(connections="real"), "expected a solution of"),
        (lambda d: d["agent"].update(num_neurons=9), "expected a solution of"),
    ],
)
def test_a_description_that_does_not_fit_is_refused_with_the_reason(tmp_path, change, message):
    save(tmp_path)
    rewrite(tmp_path, change)
    with pytest.raises(ValueError, match=r"policy\.json") as error:
        load_policy(tmp_path)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("solution"), "expected the array 'solution'; got action_high"),
        (lambda a: a.update(solution=a["solution"][:-1]), "solution: expected shape"),
        (lambda a: a.update(solution=a["solution"].astype(np.int32)), "solution: expected dtype uint8; got int32"),
        (lambda a: a.update(action_low=np.zeros(5)), "action_low: expected shape (2,); got (5,)"),
        (lambda a: a.pop("observation_stdev"), "expected the array 'observation_stdev'"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_with_the_reason(tmp_path, change, message):
    save(tmp_path)
    arrays = safetensors.numpy.load_file(tmp_path / "policy.safetensors")
    change(arrays)
    (tmp_path / "policy.safetensors").write_bytes(safetensors.numpy.save(arrays))
    rewrite(tmp_path, lambda description: None)
    with pytest.raises(ValueError, match=r"policy\.safetensors") as error:
        load_policy(tmp_path)
    assert message in str(error.value)
