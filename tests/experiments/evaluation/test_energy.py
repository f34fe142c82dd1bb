"""Energy is the paper's formula on counted spikes."""

import re

import gymnasium
import numpy as np
import pytest
import torch

from agents import RSNN
from experiments.cli import main
from experiments.errors import UserError
from experiments.evaluation.energy import (
    PAPER,
    PAPER_TRAINING,
    Activity,
    Chip,
    Training,
    episode_energy,
    fan_outs,
    load_chip,
    measure,
    trained,
    training_energy,
)
from experiments.evaluation.episodes import episode_seed, evaluate
from experiments.run_folder.policy import load_policy


def test_the_papers_numbers():
    chip = load_chip("loihi")
    by_hand = (81 * 256 * 4 * 33_200 + (23.6 + 128 * 1.7) * 256 * 0.025 * 33_200) * 1e-12
    assert episode_energy(chip, PAPER) == pytest.approx(by_hand) == pytest.approx(2.8e-3, rel=0.01)
    assert training_energy(chip, PAPER, PAPER_TRAINING) == pytest.approx(10_240 * 1_000 * by_hand)
    assert training_energy(chip, PAPER, PAPER_TRAINING) == pytest.approx(28e3, rel=0.03)


def test_a_chip_and_a_network_by_hand():
    chip = Chip(
        "", picojoules_per_neuron_update=1, picojoules_per_spike=10, picojoules_per_target=100, updates_per_neuron=2
    )
    activity = Activity(steps=5, num_neurons=3, time_steps=20, spike_rate=0.1, fan_out=4)  # 60 neuron steps, 6 spikes
    assert episode_energy(chip, activity) == pytest.approx(1e-12 * (60 * 2 + 6 * 10 + 6 * 4 * 100))
    assert training_energy(chip, activity, Training(generations=7, episodes=9, steps=10)) == pytest.approx(
        2 * episode_energy(chip, activity)
    )


@pytest.mark.parametrize("connections", ["boolean", "real", "sign"])
def test_a_connection_counts_whether_it_excites_or_inhibits(connections):
    agent = RSNN(1, 2, 2, connections)
    numbers = torch.tensor([[1.0, 0]] * agent.parameter_shapes["kernel_in"][0] + [[1, 1], [0, -1], [0, 0], [2, 0]])
    solution = numbers.flatten().bool() if connections == "boolean" else numbers.flatten()
    fans = fan_outs(agent, solution)
    assert fans["kernel_h"].tolist() == ([2, 0] if connections == "sign" else [2, 1])
    assert fans["kernel_out"].tolist() == [0, 1]
    assert set(fans["kernel_in"]) == {1}


def test_spikes_are_counted_in_the_episodes_of_evaluate(finished_run):
    """By playing them with agents that take a substep at a time."""
    policy, played = load_policy(finished_run).policy, evaluate(finished_run, 2, seed=3)
    agent = policy.agent
    single = RSNN(4, 1, 16, step_duration=agent.dt)
    counts, env = np.zeros(16), gymnasium.make("InvertedPendulum-v5")
    for episode in range(2):
        seed = episode_seed(3, episode)
        policy.reset(seed)
        state = single.initial_state(1, generator=torch.Generator())
        single.reset(state, [0], [seed])
        observation, _ = env.reset(seed=seed)
        over = False
        while not over:
            inputs = (observation - policy.observation_mean) / policy.observation_stdev
            inputs = torch.tensor(inputs.clip(-10, 10)[None], dtype=torch.float32)
            for _ in range(agent.substeps):
                single.step(policy.solution[None], np.array([0]), inputs, state)
                counts += (state.spikes != 0)[0].numpy()
            observation, _, terminated, truncated, _ = env.step(policy(observation))
            over = terminated or truncated
    measured = measure(finished_run, 2, seed=3)
    steps = played["length"].sum()
    assert measured.activity.steps == steps / 2
    assert measured.activity.time_steps == 33 * steps / 2
    assert measured.activity.spike_rate == counts.sum() / (16 * 33 * steps) > 0
    assert measured.mean_return == played["return"].mean()
    fans = fan_outs(agent, policy.solution)
    assert measured.fan_out_hidden == pytest.approx((fans["kernel_h"] * counts).sum() / counts.sum())
    assert measured.fan_out_out == pytest.approx((fans["kernel_out"] * counts).sum() / counts.sum())
    assert measured.activity.fan_out == measured.fan_out_hidden + measured.fan_out_out


def test_the_length_of_a_training_is_in_its_metrics(finished_run, rows):
    last = rows(finished_run).iloc[-1]
    assert trained(finished_run) == Training(int(last.generation), int(last.episodes), int(last.steps))


def test_the_command_shows_the_paper_and_the_run(finished_run, capsys):
    assert main(["energy"]) == 0
    assert "2.805 mJ" in (alone := capsys.readouterr().out)
    assert "28.723 kJ" in alone
    assert main(["energy", str(finished_run), "--episodes", "1"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"energy of training .*28\.723 kJ.*\d µJ", shown)
    assert re.search(rf"environment steps of training .*10,240,000,000 .* {trained(finished_run).steps:,} ", shown)


def test_other_chips_come_as_yaml(working_directory, capsys):
    constants = {"picojoules_per_neuron_update": 0, "picojoules_per_spike": 0, "picojoules_per_target": 1e3}
    lines = ["name: Mine", "updates_per_neuron: 1", *(f"{key}: {value}" for key, value in constants.items())]
    (working_directory / "mine.yaml").write_text("\n".join(lines))
    assert main(["energy", "--chip", "mine.yaml"]) == 0
    shown = capsys.readouterr().out
    assert "Mine" in shown
    assert "27.197 mJ" in shown  # 256 · 33,200 · 0.025 · 128 · 1 nJ
    assert episode_energy(load_chip("loihi_per_synapse"), PAPER) == pytest.approx(3.396e-3, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "expected YAML"),
        ("- 1", "expected the keys name, picojoules_per_neuron_update"),
        ("name: Mine", "expected the keys name, picojoules_per_neuron_update"),
        (None, "updates_per_neuron: expected a number, at least 0; got -4"),
    ],
)
def test_a_chip_that_is_not_one_is_refused_by_name(working_directory, text, message):
    keys = ("picojoules_per_neuron_update", "picojoules_per_spike", "picojoules_per_target")
    damaged = "name: Mine\nupdates_per_neuron: -4\n" + "".join(f"{key}: 1\n" for key in keys)
    (working_directory / "mine.yaml").write_text(damaged if text is None else text)
    with pytest.raises(UserError, match=r"'mine\.yaml'") as error:
        load_chip("mine.yaml")
    assert message in str(error.value)


def test_agents_without_spikes_are_refused(train_tiny, capsys):
    folder = train_tiny("agent=rnn", "budget=20", "run_dir=here")
    assert main(["energy", str(folder)]) == 2
    assert "'here': expected a spiking network (agent=rsnn or rsnn_sign); got RNN" in capsys.readouterr().err
