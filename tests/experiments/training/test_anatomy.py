"""Rules, files and masks for the wiring: searched as any network, kept in the run's own folder, refused in one line."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.rsnn.anatomy import distance_rule, draw_positions
from experiments.analysis import label_methods, load
from experiments.cli import main
from experiments.evaluation.energy import fan_outs
from experiments.evaluation.faults import count_connections, flip_connections, silence_neurons
from experiments.evaluation.trained_network import load_network
from experiments.export.parts import kernels
from experiments.neuroscience.analysis import block_table, lesions_of, prob_init_of, rho_of, structure_table, wiring_of
from experiments.neuroscience.null_models import first_generation
from experiments.report.report import report
from experiments.run_config.compose import compose_config
from experiments.training.resume import resume
from experiments.training.run import train
from tests.experiments.training.tiny_runs import interruption, words

SHAPES = {"kernel_in": (8, 8), "kernel_h": (8, 8), "kernel_out": (8, 1)}
TABLE = "presynaptic,postsynaptic,probability\n" + "".join(
    f"{ends},0.{tenth}\n"
    for tenth, ends in enumerate(("in,E", "in,I", "E,E", "E,I", "I,E", "I,I", "E,out", "I,out"), start=1)
)
POSITIONS = draw_positions(8, 2, seed=0)
RULE = (
    "{kernel_in: 0.5, kernel_h: {rule: distance, p: 0.8, length: 0.5, positions: positions.csv}, kernel_out: rho.csv}"
)
GIVEN = ["+agent.excitatory_ratio=0.75", "+agent.connection_mask=mask.npz", f"searcher.prob_init={RULE}"]


def write_files() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    mask = {name: rng.random(shape) < 0.5 for name, shape in SHAPES.items()}
    np.savez("mask.npz", **mask)
    np.savez("rho.npz", **{name: np.full(shape, 0.25) for name, shape in SHAPES.items()})
    np.savetxt("positions.csv", POSITIONS, delimiter=",")
    np.savetxt("rho.csv", np.full((8, 1), 0.25), delimiter=",")
    Path("table.csv").write_text(TABLE)
    return mask


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    """A run with a mask, positions and probabilities from files; and the same, stopped and resumed elsewhere."""
    folder = tmp_path_factory.mktemp("masked")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        mask = write_files()
        run = train(compose_config(words("ec", *GIVEN, "run_dir=whole")))
        with interruption(2):
            train(compose_config(words("ec", *GIVEN, "run_dir=broken")))
        for name in ("mask.npz", "positions.csv", "rho.csv"):
            Path(name).unlink()
        shutil.move("broken", "moved")
        resume(Path("moved"))
        return folder / run, folder / "moved", mask


def rho_by_kernel(search) -> dict:
    return {name: rho[0] for name, rho in search.problem.agent.split(search.status["prob"][None]).items()}


def test_a_masked_run_is_resumed_to_the_same_end_without_its_files(masked, assert_same_end):
    whole, moved, _ = masked
    assert_same_end(moved, whole)


def test_only_what_can_exist_is_searched_saved_and_exported(masked):
    run, _, mask = masked
    network = load_network(run)
    policy, there = network.saved.policy, {name: kernel > 0 for name, kernel in network.probabilities.items()}
    assert len(policy.solution) == sum(kernel.sum() for kernel in mask.values())
    for name, kernel in mask.items():
        assert (there[name] == kernel).all()
        assert not (network.connections[name] & ~kernel).any()
        assert (kernels(policy)[name] == network.connections[name]).all()
        assert (fan_outs(policy.agent, policy.solution)[name] == network.connections[name].sum(axis=1)).all()


def test_faults_are_those_of_connections_that_can_exist(masked):
    policy = load_network(masked[0]).saved.policy
    agent, solution = policy.agent, policy.solution
    assert count_connections(agent) == len(solution)
    assert torch.equal(flip_connections(agent, solution, range(len(solution))), ~solution)
    silent = agent.split(silence_neurons(agent, solution, [1, 5])[None])
    before = agent.split(solution[None])
    for name in ("kernel_h", "kernel_out"):
        before[name][0, [1, 5]] = False
    assert all(torch.equal(silent[name], before[name]) for name in SHAPES)


def test_a_masked_network_is_analysed_over_what_can_exist(masked):
    run, _, mask = masked
    network = load_network(run)
    blocks = block_table(wiring_of(network), rho_of(network)).set_index("block")
    assert blocks["size"].sum() == sum(kernel.sum() for kernel in mask.values())
    e_e = network.connections["kernel_h"][:6, :6]
    assert blocks.density["E→E"] == pytest.approx(e_e.sum() / mask["kernel_h"][:6, :6].sum())
    assert np.isfinite(lesions_of(network, np.zeros(8, dtype=int), 2, seed=0).mean_return).all()


def test_the_null_model_of_generation_0_has_the_probabilities_of_rules_and_files(masked):
    for run in masked[:2]:  # also where it was moved and resumed
        network = load_network(run)
        prob_init = prob_init_of(run, network.agent)
        expected = distance_rule(POSITIONS, 0.8, 0.5).clip(np.float32(1e-3), np.float32(1 - 1e-3))
        np.testing.assert_allclose(prob_init["kernel_h"], expected * masked[2]["kernel_h"], rtol=1e-6)
        assert set(np.unique(prob_init["kernel_in"])) == {0.0, 0.5}
        assert set(np.unique(prob_init["kernel_out"])) == {0.0, 0.25}
        wiring = wiring_of(network)
        drawn = [first_generation(wiring, prob_init, np.random.default_rng(seed)).kernel_h for seed in range(400)]
        np.testing.assert_allclose(np.mean(drawn, axis=0), prob_init["kernel_h"], atol=0.13)  # five deviations
        structure = structure_table(wiring, rho_of(network), prob_init, 2, seed=0)
        assert "generation 0" in set(structure.null)


def test_the_report_counts_the_recurrent_connections_that_can_exist(masked):
    run, _, mask = masked
    kernel_h = load_network(run).connections["kernel_h"]
    possible = mask["kernel_h"].sum()
    share = f"{kernel_h.sum() / possible:.1%} of the recurrent connections that can exist do, which are {possible}. "
    assert share in report([run])


def test_a_table_of_runs_shows_digests_of_masks_and_files(masked, write_run):
    write_run("plain", {500: 1.0, 1000: 2.0}, seed=0)
    label, _ = label_methods(load([masked[0], "plain"])).unique()
    assert re.search(r"connection_mask.kernel_in=mask [0-9a-f]{12}[,)]", label), label
    assert re.search(r"prob_init.kernel_out=file [0-9a-f]{12}[,)]", label), label
    assert "bits_" not in label


def test_generation_0_has_the_probabilities_of_the_rules_and_files_within_the_bounds(begun):
    write_files()
    rho = rho_by_kernel(begun("ec", f"searcher.prob_init={RULE}", "searcher.prob_min=0.3"))
    assert (rho["kernel_in"] == 0.5).all()
    expected = distance_rule(POSITIONS, 0.8, 0.5).clip(np.float32(0.3), np.float32(0.7))
    np.testing.assert_allclose(rho["kernel_h"], expected, rtol=1e-6)
    assert (rho["kernel_out"] == np.float32(0.3)).all()


def test_a_connectome_table_gives_every_block_its_probability(begun):
    write_files()
    rho = rho_by_kernel(begun("ec", "searcher.prob_init=table.csv", "+agent.excitatory_ratio=0.75"))
    blocks = (rho["kernel_in"][:, :6], rho["kernel_in"][:, 6:], rho["kernel_h"][:6, :6], rho["kernel_h"][:6, 6:])
    blocks += (rho["kernel_h"][6:, :6], rho["kernel_h"][6:, 6:], rho["kernel_out"][:6], rho["kernel_out"][6:])
    for tenth, block in enumerate(blocks, start=1):
        assert (block == np.float32(tenth / 10)).all()


def test_arrays_and_blocks_with_distance_are_taken(begun):
    write_files()
    rho = rho_by_kernel(begun("ec", "searcher.prob_init=rho.npz"))
    assert all((kernel == 0.25).all() for kernel in rho.values())
    blocks = "{rule: distance, p: {E_E: 0.9, E_I: 0.8, I_E: 0.7, I_I: 0.6}, length: 2.0, dimensions: 3, seed: 5}"
    rho = rho_by_kernel(begun("ec", f"searcher.prob_init={{kernel_in: rho.npz, kernel_h: {blocks}, kernel_out: 0.5}}"))
    at_zero = np.block([[np.full((4, 4), 0.9), np.full((4, 4), 0.8)], [np.full((4, 4), 0.7), np.full((4, 4), 0.6)]])
    np.testing.assert_allclose(rho["kernel_h"], distance_rule(draw_positions(8, 3, 5), at_zero, 2.0), rtol=1e-6)


def of_h(value: str) -> str:
    return f"searcher.prob_init={{kernel_in: 0.5, kernel_h: {value}, kernel_out: 0.5}}"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (of_h("{rule: near, p: 1}"), "searcher.prob_init.kernel_h.rule: expected one of distance, blocks; got 'near'"),
        (
            of_h("{rule: distance, p: 0.5}"),
            "prob_init.kernel_h: expected the keys rule, p and length; length is missing",
        ),
        (
            of_h("{rule: distance, p: 2, length: 1}"),
            "prob_init.kernel_h.p: expected probabilities in [0, 1], got 2 to 2",
        ),
        (of_h("{rule: distance, p: 1, length: 0}"), "searcher.prob_init.kernel_h.length: expected a positive number"),
        (of_h("{rule: distance, p: 1, length: 1, far: 2}"), "kernel_h: expected the keys rule, p, length, dimensions"),
        (
            of_h("{rule: distance, p: 1, length: 1, positions: none.csv}"),
            "kernel_h.positions: 'none.csv': expected rows",
        ),
        (of_h("{rule: distance, p: 1, length: 1, positions: rho.csv, seed: 0}"), "expected either positions, or dimen"),
        (
            of_h("{rule: blocks, E_E: 0.1}"),
            "searcher.prob_init.kernel_h: blocks: expected a probability for each of E_E",
        ),
        (of_h("positions.csv"), "searcher.prob_init.kernel_h: expected 8 x 8 probabilities for kernel_h; got 8 x 2"),
        (of_h("table.csv"), "searcher.prob_init.kernel_h: 'table.csv': expected rows of numbers with commas"),
        (of_h("{p: 1}"), "searcher.prob_init.kernel_h: expected a number or one for each element, got {'p': 1}"),
        ("searcher.prob_init={rule: distance, p: 1, length: 1}", "expected rule=distance in the place of kernel_h"),
        ("searcher.prob_init=none.npz", "searcher.prob_init: 'none.npz': expected arrays of NumPy (npz): No such file"),
        ("searcher.prob_init=part.npz", "'part.npz': expected the arrays kernel_in, kernel_h, kernel_out"),
        ("searcher.prob_init=large.npz", "searcher.prob_init: expected probabilities from 0 to 1 for kernel_in"),
        ("searcher.prob_init=rho.csv", "'rho.csv': expected the columns presynaptic, postsynaptic, probability; got"),
        ("searcher.prob_init=twice.csv", "'twice.csv': expected one row for each block; got two of in_E"),
        ("searcher.prob_init=words.csv", "'words.csv': in_E: expected a number; got 'often'"),
        ("searcher.prob_init=pickled.npz", "searcher.prob_init: 'pickled.npz': expected arrays of NumPy (npz): "),
        (
            "+agent.connection_mask=none.npz",
            "agent.connection_mask: 'none.npz': expected arrays of NumPy (npz): No such",
        ),
        (
            "+agent.connection_mask=rho.npz",
            "agent.connection_mask.kernel_in: expected truth values, or 0 and 1, of shape",
        ),
        ("+agent.connection_mask=0.25", "agent.connection_mask: expected the keys density and seed, or an array of"),
        ("+agent.connection_mask=some", "agent.connection_mask: expected density and seed, a mask for each kernel, or"),
        (
            "+agent.connection_mask={kernel_h: rho.csv}",
            "agent.connection_mask.kernel_h: expected truth values, or 0 and",
        ),
        ("+agent.connection_mask={density: 2}", "agent.connection_mask.density: expected a number in [0, 1], got 2"),
        ("+agent.connection_mask={density: 0}", "agent.connection_mask: expected connections that can exist, got none"),
    ],
)
def test_what_is_no_rule_file_or_mask_is_one_line_and_nothing_is_written(word, message, capsys):
    write_files()
    np.savez("part.npz", kernel_h=np.ones((8, 8)))
    np.savez("large.npz", **{name: np.full(shape, 1.5) for name, shape in SHAPES.items()})
    np.savez("pickled.npz", **{name: np.array([None]) for name in SHAPES})
    Path("twice.csv").write_text(TABLE + "in,E,0.5\n")
    Path("words.csv").write_text(TABLE.replace("in,E,0.1", "in,E,often"))
    assert main(["train", *words("ec", "run_dir=run"), word]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error, error
    assert not Path("run").exists()
