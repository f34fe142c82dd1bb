"""The YAMLs of methods, scales and figures: they say what the paper says, and every run of them can be built."""

import re
from pathlib import Path

import pytest
from omegaconf import DictConfig

from experiments.errors import UserError
from experiments.run_config.build import build
from experiments.run_config.compose import CONFIG_DIR, compose_config, compose_sweep
from experiments.run_config.settings import RunSettings


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in Path(CONFIG_DIR, group).glob("*.yaml"))


FIGURES, SCALES = choices("experiment"), choices("scale")
STUDIES = ("ec_settings",)  # whose seeds are never reported
WITHIN = {"fig4": "figS2", "fig5": "fig3"}  # whose runs are among those of another figure


def runs_of(figure: str, *words: str) -> list[list[str]]:
    """The words of each run of a figure without the figure's own."""
    runs = compose_sweep([f"experiment={figure}", *words])[1]
    return [[word for word in run if not word.startswith("experiment=")] for run in runs]


def scaled(scale: str, *words: str) -> DictConfig:
    return compose_config([f"scale={scale}", *words])


@pytest.mark.parametrize("method", choices("method"))
def test_a_method_is_named_after_its_agent_and_searcher(method):
    config = compose_config([f"method={method}"])
    kind, network = re.fullmatch("(.+?)_((?:rsnn|rnn|gru|lstm).*)", method).groups()
    assert config.searcher.name == {"sg": "ppo"}.get(kind, kind)
    assert config.agent.name == {"rsnn_1bit": "rsnn_sign"}.get(network, network)


def covering(runs: list[list[str]]) -> list[list[str]]:
    """Returns some of the runs, in which every word of all of them occurs."""
    seen, some = set(), []
    for run in runs:
        if not seen.issuperset(run):
            seen.update(run)
            some.append(run)
    return some


@pytest.mark.parametrize(
    ("scale", "composed", "built"),
    [
        ("paper", list, covering),
        *((scale, covering, covering) for scale in SCALES if scale != "paper"),
        *(pytest.param(scale, list, list, marks=pytest.mark.slow) for scale in SCALES),
    ],
)
@pytest.mark.parametrize("figure", [figure for figure in FIGURES if figure not in WITHIN])
def test_runs_of_a_figure_have_folders_of_their_own_and_can_be_built(figure, scale, composed, built):
    own = [f"experiment={figure}"] if figure in STUDIES else []  # which has folders of its own
    runs = composed(runs_of(figure, f"scale={scale}", "seed=0"))
    configs = [compose_config([*own, *words]) for words in runs]
    folders = {str(RunSettings.from_config(config).run_dir) for config in configs}
    assert len(folders) == len(configs)
    assert {folder.startswith("runs/paper/") for folder in folders} == {scale == "paper"}
    for words in built(runs):
        build(configs[runs.index(words)])


@pytest.mark.parametrize(("figure", "other"), WITHIN.items())
def test_a_figure_shows_runs_of_another(figure, other):
    assert {frozenset(words) for words in runs_of(figure)} <= {frozenset(words) for words in runs_of(other)}


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_has_three_seeds_and_a_study_of_settings_has_others(figure):
    seeds = range(100, 105) if figure in STUDIES else range(3)
    assert {word for words in runs_of(figure) for word in words if "seed" in word} == {f"seed={k}" for k in seeds}


def test_words_replace_what_a_figure_says():
    runs = runs_of("fig3", "env=ant", "method=snes_rsnn,cem_rsnn", "seed=7", "budget=5")
    assert runs == [["seed=7", "env=ant", f"method={method}", "budget=5"] for method in ("snes_rsnn", "cem_rsnn")]


def test_the_laptop_has_the_settings_of_the_searchers():
    assert compose_config(["scale=laptop"]) == compose_config([])


@pytest.mark.parametrize("method", ["ec_rsnn", "ec_rnn"])
def test_table_3(method):
    searcher = scaled("paper", f"method={method}").searcher
    assert (searcher.popsize, searcher.center_learning_rate, searcher.prob_min) == (10240, 0.15, 1e-3)


@pytest.mark.parametrize(
    ("method", "center_learning_rate", "stdev"),
    [
        ("es_rsnn", 0.15, 0.3),
        ("es_rsnn_1bit", 0.15, 0.3),
        *((f"es_{net}", 0.01, 0.02) for net in ("rnn", "gru", "lstm")),
    ],
)
def test_table_4(method, center_learning_rate, stdev):
    searcher = scaled("paper", f"method={method}").searcher
    assert (searcher.popsize, searcher.weight_decay) == (10240, 0.1)
    assert (searcher.center_learning_rate, searcher.stdev) == (center_learning_rate, stdev)


@pytest.mark.parametrize("method", ["sg_rsnn", "sg_rsnn_1bit", "ppo_gru"])
def test_table_5(method):
    config = scaled("paper", f"method={method}")
    table = {"batch_size": 2048, "bptt_length": 16, "center_learning_rate": 3e-4, "max_gradient_norm": 0.5}
    table |= {"discount": 0.99, "gae_lambda": 0.95, "clip": 0.2, "value_coefficient": 1.0, "entropy_coefficient": 1e-3}
    assert {key: config.searcher[key] for key in table} == table
    if method != "ppo_gru":
        assert (config.agent.surrogate.name, config.agent.surrogate.beta) == ("superspike", 10)


def test_table_6():
    sizes = {
        agent: scaled("paper", f"agent={agent}", "searcher=es").agent.num_neurons for agent in ("rsnn", "gru", "lstm")
    }
    assert sizes == {"rsnn": 256, "gru": 256, "lstm": 128}


def test_paper_budgets_are_generations_and_gradient_steps():
    assert scaled("paper", "method=ec_rsnn").budget == 10240 * 1000 * 1000  # popsize, longest episode, generations
    sg = scaled("paper", "method=sg_rsnn")
    gradient_steps = sg.budget / sg.searcher.batch_size * sg.searcher.num_epochs * sg.searcher.num_minibatches
    assert gradient_steps == 250_000


def test_what_the_paper_does_not_say_stays_ours():
    assert scaled("paper", "method=pgpe_rsnn").searcher == scaled("laptop", "method=pgpe_rsnn").searcher


def test_surrogates_have_folders_of_their_own():
    words = ["method=sg_rsnn", "agent.surrogate.beta=2", "agent.surrogate.gamma=0.8"]
    folder = "runs/hopper-rsnn-ppo-superspike-beta2-gamma0.8-seed0"
    assert compose_config(words).run_dir == folder
    assert compose_config([*words, "agent.surrogate.beta=2.0"]).run_dir == folder


def test_all_runs_can_be_put_elsewhere():
    assert compose_config(["runs=/far"]).run_dir == "/far/hopper-rsnn-ec-seed0"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["experiment=fig3,fig4"], "expected one value, got 'experiment=fig3,fig4'"),
        (["experiment=fig2"], r"experiment: expected one of comparison, .*; got 'fig2'"),
        (["hydra/launcher=nothing"], r"hydra/launcher: expected one of basic.*; got 'nothing'"),
        (["seed=interval(0,1)"], "does not support sweep type"),
    ],
)
def test_a_sweep_that_cannot_be_split_is_refused(words, message):
    with pytest.raises(UserError, match=message):
        compose_sweep(words)


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local", "submitit_slurm"])
def test_launchers_compose_with_a_figure(launcher):
    pytest.importorskip(f"hydra_plugins.hydra_{launcher.partition('_')[0]}_launcher")
    config, runs = compose_sweep(["experiment=figS3", "seed=0", f"hydra/launcher={launcher}"])
    assert config.hydra.runtime.choices["hydra/launcher"] == launcher
    assert [word for words in runs for word in words if "hydra" in word] == []
