"""Returns with faults are those of a plain loop with the same damage, and the command says what was asked for."""

import gymnasium
import numpy as np
import pandas as pd
import pytest
import torch
from gymnasium.envs.mujoco.inverted_pendulum_v5 import InvertedPendulumEnv

from agents import ModuleAgent
from ec_evotorch import Policy
from experiments.cli import main
from experiments.errors import UserError
from experiments.evaluation.episodes import episode_seed, evaluate, load_policy_of_run, play_episode
from experiments.evaluation.faults import NoisyAgent, damaged_parts, flip_connections, silence_neurons
from experiments.evaluation.plain_env import make_env, with_env
from experiments.evaluation.robustness import robustness, robustness_summary
from experiments.evaluation.robustness_table import robustness_table
from experiments.figures import robustness_curves
from experiments.run_folder.policy import SavedPolicy

EPISODES, DRAWS, SEED = 3, 2, 4


@pytest.fixture
def saved(finished_run) -> SavedPolicy:
    return load_policy_of_run(finished_run)


@pytest.fixture(scope="module")
def played(finished_run) -> pd.DataFrame:
    levels = {"flip": [0.0, 0.1], "silence": [0.5, 0.25], "noise": [0.5]}
    return robustness(load_policy_of_run(finished_run), levels, EPISODES, DRAWS, SEED)


def returns(table: pd.DataFrame, fault: str, level: float, draw: int = 0) -> list[float]:
    rows = (table.fault == fault) & (table.level == level) & (table.draw == draw)
    return table[rows]["return"].tolist()


def plain_returns(saved: SavedPolicy, policy: Policy) -> list[float]:
    env = make_env(saved)
    return [play_episode(env, policy, episode_seed(SEED, episode))[0] for episode in range(EPISODES)]


def test_there_is_a_row_for_each_episode_of_each_draw(played):
    counts = played.groupby(["fault", "level"], sort=False).size().to_dict()
    each = EPISODES * DRAWS
    assert counts == {
        ("none", 0.0): EPISODES,
        ("flip", 0.1): each,
        ("silence", 0.25): each,
        ("silence", 0.5): each,
        ("noise", 0.5): each,
    }
    assert played.groupby("fault", sort=False).damaged.max().to_dict() == {
        "none": 0,
        "flip": 40,
        "silence": 8,
        "noise": 0,
    }


def test_without_damage_returns_are_those_of_evaluate_to_the_last_bit(played, finished_run):
    assert returns(played, "none", 0.0) == evaluate(finished_run, EPISODES, SEED)["return"].tolist()


@pytest.mark.parametrize("draw", range(DRAWS))
def test_returns_are_those_of_a_plain_loop_with_the_same_damage(played, saved, draw):
    policy, agent = saved.policy, saved.policy.agent
    bounds = policy.action_low, policy.action_high, policy.observation_mean, policy.observation_stdev
    flips = damaged_parts("flip", agent.solution_length, 0.1, SEED, draw)
    silent = damaged_parts("silence", agent.num_neurons, 0.5, SEED, draw)
    flipped = Policy(agent, flip_connections(agent, policy.solution, flips), *bounds)
    silenced = Policy(agent, silence_neurons(agent, policy.solution, silent), *bounds)
    assert returns(played, "flip", 0.1, draw) == plain_returns(saved, flipped)
    assert returns(played, "silence", 0.5, draw) == plain_returns(saved, silenced)
    noisy = NoisyAgent(agent)
    noisy.stdev, noisy.draw = 0.5, draw
    policy.agent = noisy
    assert returns(played, "noise", 0.5, draw) == plain_returns(saved, policy)


def test_draws_differ(played):
    for fault, level in (("flip", 0.1), ("noise", 0.5)):
        assert returns(played, fault, level, 0) != returns(played, fault, level, 1)


def test_a_summary_has_a_mean_over_draws_and_episodes_and_a_share_of_the_undamaged_one(played):
    summary = robustness_summary(played)
    assert summary.fault.tolist() == ["none", "flip", "silence", "silence", "noise"]
    flips = played[played.fault == "flip"]["return"]
    assert summary["mean"][1] == pytest.approx(flips.mean())
    assert summary.share[1] == pytest.approx(flips.mean() / played[played.fault == "none"]["return"].mean())
    assert (summary.low <= summary["mean"]).all()
    assert (summary["mean"] <= summary.high).all()


def test_failed_episodes_are_counted_and_left_out(played):
    table = played.copy()
    table.loc[table.fault == "noise", "return"] = [np.nan, 1.0, 2.0, 3.0, 4.0, 5.0]
    summary = robustness_summary(table)
    assert (summary["mean"].iloc[-1], summary.failed.tolist()) == (3.0, [0, 0, 0, 0, 1])
    assert (
        robustness_table("X-v0", summary, 100, 10).notes[-1]
        == "Episodes without a finite return, which are left out: 1."
    )


def test_another_id_leaves_the_keywords_of_training_out(saved):
    assert with_env(saved, {}).env == saved.env
    longer = with_env(saved, {"max_episode_steps": 7})
    assert longer.env == saved.env | {"max_episode_steps": 7}
    assert with_env(longer, {"id": "Hopper-v5", "healthy_reward": 2}).env == {"id": "Hopper-v5", "healthy_reward": 2}


def test_neurons_of_a_module_and_noise_without_normalisation_are_refused(saved):
    agent = ModuleAgent(4, 1, lambda obs_length, act_length: torch.nn.Linear(obs_length, act_length))
    module = SavedPolicy(Policy(agent, torch.zeros(5), np.array([-3.0]), np.array([3.0])), saved.env)
    with pytest.raises(UserError, match="--silence: expected an agent RSNN, RNN, GRU or LSTM; got ModuleAgent"):
        robustness(module, {"silence": [0.1]}, 1, 1)
    with pytest.raises(UserError, match="--noise: expected a policy whose observations are normalised"):
        robustness(module, {"noise": [0.1]}, 1, 1)
    assert len(robustness(module, {"flip": [0.5]}, 1, 1)) == 2


# --- the command ---


def test_the_command_prints_a_table_and_writes_rows_and_a_figure(finished_run, capsys):
    before = {path: path.stat().st_mtime_ns for path in finished_run.iterdir()}
    words = ["--episodes", "3", "--seed", "4", "--draws", "2", "--flip", "0,0.1", "--silence", "0.25,5e-1"]
    assert main(["evaluate", str(finished_run), *words, "--csv", "rows.csv", "--plot", "figure.svg"]) == 0
    out = capsys.readouterr().out
    assert "InvertedPendulum-v5: return against damage" in out
    assert [line.split()[:2] for line in out.splitlines() if "connections" in line or "silent" in line] == [
        ["flipped", "connections"],
        ["silent", "neurons"],
        ["silent", "neurons"],
    ]
    rows = pd.read_csv("rows.csv")
    expected = robustness(load_policy_of_run(finished_run), {"flip": [0.1], "silence": [0.25, 0.5]}, 3, 2, 4)
    assert rows["return"].tolist() == expected["return"].tolist()
    with open("figure.svg", encoding="utf-8") as file:
        assert "neurons silent (%)" in file.read()
    assert {path: path.stat().st_mtime_ns for path in finished_run.iterdir()} == before


def test_the_command_plays_in_another_environment_and_saves_nothing(finished_run, capsys):
    before = {path: path.stat().st_mtime_ns for path in finished_run.iterdir()}
    words = ["evaluate", str(finished_run), "--episodes", "2", "--csv", "rows.csv"]
    assert main([*words, "--env", "max_episode_steps=2"]) == 0
    assert (pd.read_csv("rows.csv").length <= 2).all()
    assert {path: path.stat().st_mtime_ns for path in finished_run.iterdir()} == before
    assert "InvertedPendulum-v5: 2 plain episodes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--env", "id=Hopper-v5"], "env: expected an observation of shape (4,) for this policy; Hopper-v5 has"),
        (["--env", "id=Hoper-v5"], "did you mean 'Hopper-v5'?"),
        (["--env", "gravity=3"], "env.gravity: "),
        (["--env", "id=Hopper-v5", "--flip", "0.1"], "env: expected an observation of shape (4,)"),
        (["--draws", "3"], "--draws: expected only with one of --flip, --silence, --noise; got none of them"),
        (["--plot", "a.png"], "--plot: expected only with one of --flip"),
        (["--plot", "a.png", "--flip", "0"], "--plot: expected a level above 0"),
        (["--flip", "0.1", "--workers", "2"], "--workers: expected only without --flip, --silence, --noise"),
    ],
)
def test_a_wrong_word_is_one_line_and_writes_nothing(words, message, finished_run, working_directory, capsys):
    assert main(["evaluate", str(finished_run), "--episodes", "1", *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("ec-evotorch: error: ")
    assert said.count("\n") == 1
    assert message in said
    assert list(working_directory.iterdir()) == []


def falling(fault_level_mean):
    rows = [("none", 0.0, -200.0), *fault_level_mean]
    columns = {"damaged": 1, "draw": 0, "length": 9}
    return pd.DataFrame([{"fault": f, "level": level, "return": mean, **columns} for f, level, mean in rows])


def test_returns_below_0_have_no_shares_and_are_all_in_the_picture():
    episodes = falling([("flip", 0.1, -1600.0), ("noise", 0.5, 900.0)])
    summary = robustness_summary(episodes)
    assert summary.share.isna().all()
    assert [row[4] for row in robustness_table("Pendulum-v1", summary, 10, 0).rows] == [""] * 3
    panels = robustness_curves("Pendulum-v1", summary, episodes).axes
    assert len(panels) == 2
    for axes in panels:
        low, high = axes.get_ylim()
        assert low < -1600 < 900 < high


class Broken(InvertedPendulumEnv):
    """Breaks in its second step, which nothing tries before it is played."""

    def step(self, action):
        self.count = getattr(self, "count", 0) + 1
        if self.count > 1:
            raise RuntimeError("a wheel fell off")
        return super().step(action)


def test_an_error_in_the_environment_is_one_line(finished_run, capsys, monkeypatch):
    monkeypatch.setitem(gymnasium.registry, "Broken-v0", gymnasium.envs.registration.EnvSpec("Broken-v0", Broken))
    words = ["evaluate", str(finished_run), "--episodes", "1", "--draws", "1", "--flip", "0.1"]
    assert main([*words, "--env", "id=Broken-v0"]) == 2
    assert capsys.readouterr().err == "ec-evotorch: error: the policy cannot play: RuntimeError: a wheel fell off\n"
