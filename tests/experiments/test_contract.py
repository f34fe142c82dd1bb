"""Every agent's YAML runs with every searcher's: same status, counters, determinism; or one line says why not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.errors import UserError
from experiments.evaluation.episodes import evaluate
from experiments.run_config.build import SOLUTIONS, build
from experiments.run_config.compose import CONFIG_DIR, compose_config
from experiments.run_folder.layout import CHECKPOINTS, EVALUATION, METRICS, RHO_BLOCKS, RHO_HISTOGRAM, RUN_FILES
from experiments.run_folder.metrics import CLOCKS, COLUMNS
from experiments.run_folder.policy import load_policy
from experiments.training.row import policy_of
from experiments.training.run import train

POPSIZE = 8  # two parents for the cross-entropy method
SMALL = {
    "rsnn": ["agent.num_neurons=8"],
    "rsnn_sign": ["agent.num_neurons=8"],
    "rnn": ["agent.num_neurons=8"],
    "gru": ["agent.num_neurons=8"],
    "lstm": ["agent.num_neurons=8"],
    "evotorch_net": ["agent.module.s='RNN(obs_length, 4) >> Linear(4, act_length)'"],
}
DIAGNOSTICS = {"ppo": ("stdev",), "ec_critic": (), "ec_staged": ()}  # besides those of the incumbent
SMALL_ITERATIONS = [f"searcher.{word}" for word in ("batch_size=256", "num_envs=4", "num_epochs=2")]
SMALL_SEARCHER = {name: SMALL_ITERATIONS for name in DIAGNOSTICS}
STATUS = (
    "center",
    "mean_eval",
    "median_eval",
    "mean_return",
    "median_return",
    "max_return",
    "mean_episode_length",
    "total_interaction_count",
    "total_episode_count",
)


STATUS_OF_POPULATIONS = ("pop_best_eval", "best_eval")


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in Path(CONFIG_DIR, group).glob("*.yaml"))


AGENTS, SEARCHERS = choices("agent"), choices("searcher")
ONLY_REAL = [agent for agent in AGENTS if agent not in ("rsnn", "rnn")]
WITH_POPULATION = [searcher for searcher in SEARCHERS if searcher not in SMALL_SEARCHER]
BOOLEAN = [searcher for searcher in SEARCHERS if searcher in ("ec", "ec_critic", "ec_staged")]
PAIRS = [(a, s) for a in AGENTS for s in SEARCHERS if not (s in BOOLEAN and a in ONLY_REAL)]


def words(agent: str, searcher: str) -> list[str]:
    return [
        "env=inverted_pendulum",
        f"agent={agent}",
        f"searcher={searcher}",
        *SMALL_SEARCHER.get(searcher, [f"searcher.popsize={POPSIZE}"]),
        "problem.num_threads=1",
        *SMALL.get(agent, []),
    ]


def two_generations(agent: str, searcher: str, num_envs: int):
    problem, search = build(compose_config([*words(agent, searcher), f"problem.num_envs={num_envs}"]))
    search.run(2)
    return problem, search


@pytest.mark.parametrize(("agent", "searcher"), PAIRS)
def test_a_pair_keeps_the_contract(agent, searcher):
    problem, search = two_generations(agent, searcher, num_envs=8)
    status = search.status
    names = STATUS + STATUS_OF_POPULATIONS if searcher in WITH_POPULATION else STATUS
    assert [name for name in names if name not in status] == []
    center, _ = policy_of(search)
    assert center.shape == (problem.agent.solution_length,)
    assert center.dtype == problem.dtype == SOLUTIONS[compose_config(words(agent, searcher)).searcher.solutions]
    assert status["iter"] == 2
    assert problem.normalizer.count == status["total_interaction_count"]
    if searcher in WITH_POPULATION:
        assert status["total_episode_count"] == 2 * POPSIZE <= status["total_interaction_count"]
    else:
        assert status["total_interaction_count"] == 2 * 256

    _, again = two_generations(agent, searcher, num_envs=3)
    assert torch.equal(policy_of(again)[0], center)
    assert [again.status[name] for name in names[1:]] == [status[name] for name in names[1:]]


@pytest.mark.parametrize("agent", ONLY_REAL)
@pytest.mark.parametrize("searcher", BOOLEAN)
def test_ec_says_in_one_line_that_an_agent_has_no_boolean_connections(searcher, agent):
    message = rf"searcher={searcher} searches over boolean solutions, but those of agent={agent}"
    with pytest.raises(UserError, match=message):
        build(compose_config(words(agent, searcher)))


@pytest.mark.parametrize("searcher", [searcher for searcher in SEARCHERS if searcher not in BOOLEAN])
def test_other_searchers_name_the_key_that_gives_real_connections(searcher):
    with pytest.raises(UserError, match=r"set agent\.connections=real, or choose another searcher="):
        build(compose_config([*words("rsnn", searcher), "agent.connections=boolean"]))


@pytest.mark.parametrize("searcher", BOOLEAN)
def test_ec_names_the_key_that_gives_boolean_connections(searcher):
    with pytest.raises(UserError, match=r"set agent\.connections=boolean"):
        build(compose_config([*words("rsnn", searcher), "agent.connections=real"]))


@pytest.mark.parametrize(
    ("agent", "searcher"),
    [("rsnn", "ec"), ("rsnn_sign", "es"), ("lstm", "pgpe"), ("rnn", "snes"), ("rsnn", "ppo"), ("rsnn", "ec_critic")],
)
def test_runs_look_alike_on_disk_and_their_policies_play_in_plain_gymnasium(agent, searcher, tmp_path):
    more = ["budget=1", "eval.final_episodes=2", "progress=false", f"run_dir={tmp_path}/run"]
    folder = train(compose_config([*words(agent, searcher), *more]))
    names = {path.name for path in folder.iterdir()}
    assert names == {*RUN_FILES, CHECKPOINTS, *([RHO_HISTOGRAM, RHO_BLOCKS] if searcher in BOOLEAN else [])} - {
        EVALUATION
    }
    metrics = pd.read_csv(folder / METRICS)
    assert tuple(metrics.columns) == (
        *COLUMNS,
        *DIAGNOSTICS.get(searcher, ("worst_eval",)),
        "incumbent_return",
        "incumbent_iter",
    )
    assert metrics[["generation", "steps", "mean_return", "center_return_mean", *CLOCKS]].notna().all(axis=None)
    assert np.isfinite(evaluate(folder, 2)["return"]).all()


@pytest.mark.parametrize("searcher", WITH_POPULATION)
def test_a_population_of_nobody_is_refused(searcher):
    with pytest.raises(UserError, match="popsize: expected"):
        build(compose_config([*words("rsnn", searcher), "searcher.popsize=0"]))


def test_a_search_that_fails_numerically_stops_with_a_reason_and_keeps_the_last_good_policy(tmp_path):
    one_parent = ["searcher.popsize=3", "problem.num_envs=3", "budget=1e5", "progress=false", f"run_dir={tmp_path}/run"]
    with pytest.raises(UserError, match="generation 2: the searcher's centre is no longer finite"):
        train(compose_config([*words("rsnn", "cem"), *one_parent]))
    assert len(pd.read_csv(tmp_path / "run" / METRICS)) == 1
    assert torch.isfinite(load_policy(tmp_path / "run").policy.solution).all()
