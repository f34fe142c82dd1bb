"""A search starts where another run ended, with its ρ or its weights and its normaliser; that run is read once."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from ec_evotorch import EvolvingConnectivity
from experiments.analysis import label_methods, load
from experiments.cli import main
from experiments.errors import UserError
from experiments.run_folder.checkpoints import find_checkpoints, read_checkpoint
from experiments.run_folder.policy import load_policy
from experiments.training.resume import resume
from experiments.zoo import resolve
from tests.experiments.training.tiny_runs import interruption, start, words

REAL = ["agent=rsnn", "agent.connections=real"]
SEARCHERS = ("es", "pgpe", "snes", "cem", "ppo")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs to start from: of bits and of real weights."""
    folder = tmp_path_factory.mktemp("runs")
    start("ec", f"run_dir={folder}/bits")
    start("es", *REAL, f"run_dir={folder}/reals")
    return folder


def state_at_the_end(run: Path) -> dict:
    return read_checkpoint(find_checkpoints(run)[-1]).search


def assert_same_normalizer(search, expected: dict) -> None:
    state = search.problem.normalizer.state_dict()
    assert state["count"] == expected["count"] > 0
    np.testing.assert_array_equal(state["sum"], expected["sum"])


def normalizer_of_search(run: Path) -> dict:
    return state_at_the_end(run)["problem"]["own"]["normalizer"]


def test_ec_starts_at_the_probabilities_and_with_the_normaliser_of_a_run(runs, begun):
    rho = EvolvingConnectivity.prob_in(state_at_the_end(runs / "bits"))
    search = begun("ec", f"searcher.prob_init={runs}/bits", "searcher.prob_min=0.2")
    assert torch.equal(search.status["prob"], rho.clamp(0.2, 0.8))
    assert_same_normalizer(search, normalizer_of_search(runs / "bits"))


def test_ec_goes_on_with_a_critic_and_without_it(runs, begun, tmp_path):
    rho = EvolvingConnectivity.prob_in(state_at_the_end(runs / "bits"))
    with_critic = begun("ec_critic", f"searcher.prob_init={runs}/bits", "searcher.prob_min=0.2")
    assert torch.equal(with_critic.status["prob"], rho.clamp(0.2, 0.8))
    assert_same_normalizer(with_critic, normalizer_of_search(runs / "bits"))
    run = start(
        "ec_critic",
        f"searcher.prob_init={runs}/bits",
        "searcher.prob_min=0.2",
        "budget=300",
        f"run_dir={tmp_path}/critic",
    )
    reached = EvolvingConnectivity.prob_in(state_at_the_end(run))
    assert not torch.equal(reached, with_critic.status["prob"])
    without = begun("ec", f"searcher.prob_init={run}")
    assert torch.equal(without.status["prob"], reached)
    assert_same_normalizer(without, normalizer_of_search(run))


@pytest.mark.parametrize("searcher", SEARCHERS)
def test_searchers_over_real_weights_start_at_the_policy_of_a_run(searcher, runs, begun):
    search = begun(searcher, *REAL, f"searcher.center_init={runs}/reals")
    assert torch.equal(search.status["center"], load_policy(runs / "reals").policy.solution)
    assert_same_normalizer(search, state_at_the_end(runs / "reals")["incumbent"]["normalizer"])
    mean = load_policy(runs / "reals").policy.observation_mean
    np.testing.assert_array_equal(search.problem.normalizer.mean, mean)
    assert search.problem.normalizer.count < normalizer_of_search(runs / "reals")["count"]  # an earlier one


def test_kernels_are_taken_one_by_one_into_another_environment(runs, begun):
    kernels = f"{{kernel_in: 0.25, kernel_h: {runs}/bits, kernel_out: 0.75}}"
    search = begun("ec", "env=inverted_double_pendulum", f"searcher.prob_init={kernels}")
    agent, source = search.problem.agent, load_policy(runs / "bits").policy.agent
    prob = agent.split(search.status["prob"][None])
    there = source.split(EvolvingConnectivity.prob_in(state_at_the_end(runs / "bits"))[None])
    assert (prob["kernel_in"] == 0.25).all()
    assert torch.equal(prob["kernel_h"], there["kernel_h"].clamp(1e-3, 1 - 1e-3))
    assert (prob["kernel_out"] == 0.75).all()
    assert search.problem.normalizer.count == 0  # another number of observations


def test_the_same_body_in_another_world_fits(runs, begun):
    search = begun("ec", f"searcher.prob_init={runs}/bits", "+env.reset_noise_scale=0.05")
    assert_same_normalizer(search, normalizer_of_search(runs / "bits"))


def test_a_network_of_the_zoo_is_a_start(begun):
    policy = load_policy(resolve(Path("zoo/inverted_pendulum"))).policy
    shape = [f"agent.num_neurons={policy.agent.parameter_shapes['kernel_h'][0]}"]
    search = begun("ec", *shape, "searcher.prob_init=zoo/inverted_pendulum")
    assert torch.equal(search.status["center"], policy.solution)
    normalizer = search.problem.normalizer
    np.testing.assert_allclose(normalizer.mean, policy.observation_mean, rtol=1e-12)
    np.testing.assert_allclose(normalizer.stdev, policy.observation_stdev, rtol=1e-9)


def test_a_run_is_resumed_without_the_one_it_began_from(runs, rows, unbroken, assert_same_end, tmp_path, capsys):
    shutil.copytree(runs / "bits", "source")
    more = ["searcher.prob_init=source"]
    whole = start("ec", *more, "run_dir=whole")
    with interruption(2):
        start("ec", *more, "run_dir=run")
    record = OmegaConf.load("run/config.yaml").started_from.source
    assert record.path == str(tmp_path / "source")
    assert len(record.sha256) == 64
    assert record.run.startswith("EC-RSNN on InvertedPendulum-v5, 1,000 steps, settings ")
    shutil.rmtree("source")
    shutil.move("run", "moved")
    shutil.rmtree("moved/checkpoints")  # so that it begins anew
    (Path("moved") / "metrics.csv").unlink()
    assert_same_end(resume(Path("moved")), whole)
    assert not rows(whole).mean_return.equals(rows(unbroken("ec")).mean_return)
    again = main(["train", "-m", *words("ec", *more, "run_dir=whole")])
    assert (again, "1 finished before" in capsys.readouterr().out) == (0, True)


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_lost_start_is_one_line_that_names_the_file(runs, damage):
    with interruption(2):
        start("ec", f"searcher.prob_init={runs}/bits", "run_dir=run")
    path = Path("run/start.safetensors")
    path.unlink() if damage == "missing" else path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"'run/start.safetensors': expected what the search began with: "):
        resume(Path("run"))


def test_runs_that_began_from_seeds_of_one_method_are_one_method(runs, write_run):
    for seed in (0, 1):
        folder = write_run(f"seed{seed}", {500: 1.0, 1000: 2.0}, "searcher.prob_init=source", seed=seed)
        config = OmegaConf.load(folder / "config.yaml")
        config.searcher.prob_init = f"source{seed}"
        config.started_from = {f"source{seed}": {"path": "/x", "sha256": "0", "run": "EC-RSNN on Hopper-v5"}}
        OmegaConf.save(config, folder / "config.yaml")
    write_run("plain", {500: 1.0, 1000: 2.0}, seed=0)
    methods = label_methods(load(["seed0", "seed1", "plain"])).unique().tolist()
    assert methods == ["EC-RSNN (prob_init=EC-RSNN on Hopper-v5)", "EC-RSNN (prob_init=0.5)"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["searcher.prob_init=nowhere"], "searcher.prob_init: expected the folder of a run, or zoo/NAME; there is no"),
        (
            ["searcher.prob_init=zoo/hoper"],
            r"searcher.prob_init: expected one of zoo/hopper.*did you mean 'zoo/hopper'",
        ),
        (["searcher.prob_init=empty"], r"searcher.prob_init: 'empty' holds no policy: 'empty/policy.json' is missing"),
        (["searcher.prob_init=RUNS/reals"], "prob_init: expected a run with one-bit connections, as of searcher=ec; "),
        (
            ["agent.num_neurons=9", "searcher.prob_init=RUNS/bits"],
            "does not fit: its kernel_in is 8 x 8, here it is 8 x 9",
        ),
        (
            ["env=hopper", "searcher.prob_init=RUNS/bits"],
            r"its kernel_in is 8 x 8, here it is 22 x 8; what fits can be taken by itself: "
            r"'searcher.prob_init=\{kernel_in: 0.5, kernel_h: .*/bits, kernel_out: 0.5\}'",
        ),
        (
            ["env=hopper", "searcher.prob_init={kernel_in: RUNS/bits, kernel_h: 0.5, kernel_out: 0.5}"],
            "searcher.prob_init.kernel_in: '.*/bits' does not fit: there it is 8 x 8, here 22 x 8",
        ),
        (
            ["searcher.prob_init={kernel_in: 0.5, kernel_x: RUNS/bits}"],
            "searcher.prob_init: expected a number for each of kernel_in, kernel_h, kernel_out, got",
        ),
        (
            ["searcher.prob_init=RUNS/bits", "problem.observation_normalization=false"],
            "was trained with normalised observations.*set problem.observation_normalization=true",
        ),
        (["searcher.prob_init=RUNS/bits", "searcher.prob_min=0.7"], "searcher.prob_min: expected"),
        (["searcher=es", "searcher.center_init=RUNS/bits"], "center_init: expected a run with real weights; '"),
        (
            ["searcher=es", "agent=gru", "searcher.center_init=RUNS/reals"],
            "center_init: expected a run with the kernels",
        ),
    ],
)
def test_what_is_no_start_is_one_line_and_nothing_is_written(runs, more, message, capsys):
    Path("empty").mkdir()
    given = [word.replace("RUNS", str(runs)) for word in more]
    searcher = "es" if "searcher=es" in more else "ec"
    real = REAL if searcher == "es" and "agent=gru" not in more else []
    assert main(["train", *words(searcher, "run_dir=run"), *real, *given]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error), error
    assert not Path("run").exists()


def test_numbers_of_a_kernel_may_have_its_shape(begun):
    problem = begun("ec").problem
    shapes = problem.parameter_shapes
    rho = {name: torch.rand(shape) * 0.5 + 0.25 for name, shape in shapes.items()}
    search = EvolvingConnectivity(problem, popsize=4, prob_init=rho | {"kernel_out": 0.5})
    expected = torch.cat([rho["kernel_in"].flatten(), rho["kernel_h"].flatten()])
    assert torch.equal(search.status["prob"][: len(expected)], expected)
    with pytest.raises(ValueError, match=r"prob_init.kernel_h: expected a number or shape \(8, 8\), got shape \(3,\)"):
        EvolvingConnectivity(problem, popsize=4, prob_init=rho | {"kernel_h": torch.rand(3)})
