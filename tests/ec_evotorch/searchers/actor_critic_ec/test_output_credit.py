"""Credit by outputs: against a slow loop over networks and steps, and against credit by whole networks."""

import numpy as np
import pytest
import torch

from agents import RSNN
from ec_evotorch.searchers.actor_critic_ec.credit import credit_gradient, current_gradient, network_gradient
from ec_evotorch.searchers.actor_critic_ec.credit_record import CREDITS
from ec_evotorch.searchers.actor_critic_ec.output_credit import output_gradient
from tests.ec_evotorch.searchers.actor_critic_ec.credit_samples import AGENTS, EVERY, NUM_STEPS, RIDGE, samples


def slow_gradient(agent, networks, rho, utilities, record):
    """Computes the mean of u_m E[θ_m − ρ | D] step by step, each connection a row of its own."""
    kernels = {name: kernel[0].double().numpy() for name, kernel in agent.split(rho[None]).items()}
    hidden = np.concatenate([kernels["kernel_in"], kernels["kernel_h"]])
    outputs, gradients = kernels["kernel_out"], {name: np.zeros_like(kernel) for name, kernel in kernels.items()}
    for m in range(len(networks)):
        bits = {name: kernel[0].double().numpy() for name, kernel in agent.split(networks[m : m + 1]).items()}
        deviation = np.concatenate([bits["kernel_in"], bits["kernel_h"]]) - hidden
        for k in range(NUM_STEPS):
            seen, recurrent, rate, membranes = (
                record[name][m, k].double().numpy() for name in ("input", "recurrent", "rate", "membranes")
            )
            x = np.concatenate([seen, -seen, recurrent])
            paired = np.concatenate([seen, recurrent])  # what reaches a unit through ±: the variances of both add up
            spread = (hidden * (1 - hidden))[:3] + (hidden * (1 - hidden))[3:6]
            variance = (paired**2) @ np.concatenate([spread, (hidden * (1 - hidden))[6:]])
            given = (torch.from_numpy(part[None]).float() for part in (membranes, x @ hidden, np.sqrt(variance)))
            slopes = agent.responses(*given)[1][0].double().numpy()
            effect = slopes[:, None] * outputs  # of a unit of current, (neurons, outputs)
            deviations = (x @ deviation) @ effect + rate @ (bits["kernel_out"] - outputs)
            covariance = effect.T @ (variance[:, None] * effect)
            covariance += np.diag((rate**2) @ (outputs * (1 - outputs)))
            covariance += RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
            solved = utilities[m].item() * np.linalg.solve(covariance, deviations)
            expected = hidden * (1 - hidden) * np.outer(x, effect @ solved)
            gradients["kernel_in"] += expected[:6]
            gradients["kernel_h"] += expected[6:]
            gradients["kernel_out"] += outputs * (1 - outputs) * np.outer(rate, solved)
    joined = agent.join({name: torch.from_numpy(kernel)[None] for name, kernel in gradients.items()})[0]
    return joined / (len(networks) * NUM_STEPS)


@EVERY
def test_the_gradient_is_that_of_a_slow_loop_over_networks_and_steps(make):
    agent = make()
    gradient = output_gradient(agent, *samples(agent), ridge=RIDGE)
    assert all(kernel.any() for kernel in agent.split(gradient[None]).values())
    torch.testing.assert_close(gradient, slow_gradient(agent, *samples(agent)).float(), rtol=1e-3, atol=1e-6)


@EVERY
def test_nothing_that_it_is_given_is_changed(make):
    agent = make()
    networks, rho, utilities, record = samples(agent)
    output_gradient(agent, networks, rho, utilities, record, ridge=RIDGE)
    for given, expected in zip((networks, rho, utilities), samples(agent), strict=False):
        assert torch.equal(given, expected)
    assert all(torch.equal(steps, samples(agent)[3][name]) for name, steps in record.items())


@pytest.mark.parametrize("huge", [1e20, 3e38, float("inf")])
@pytest.mark.parametrize("name", ["input", "recurrent"])
def test_what_is_finite_stays_finite_however_much_is_transmitted(name, huge):
    agent = AGENTS["all connections"]()
    networks, rho, utilities, record = samples(agent)
    record[name][0, :, 2] = torch.tensor([huge, -huge, huge])
    assert torch.isfinite(output_gradient(agent, networks, rho, utilities, record, ridge=RIDGE)).all()


def test_a_silent_network_gets_no_credit():
    agent = AGENTS["all connections"]()
    networks, rho, utilities, record = samples(agent)
    record = {name: torch.zeros_like(steps) for name, steps in record.items()}
    assert not output_gradient(agent, networks, rho, utilities, record, ridge=RIDGE).any()


def test_opposite_inputs_get_opposite_credit():
    agent = AGENTS["all connections"]()
    networks, _, utilities, record = samples(agent)
    rho = torch.full((agent.solution_length,), 0.5)
    kernel = agent.split(output_gradient(agent, networks, rho, utilities, record, ridge=RIDGE)[None])["kernel_in"]
    assert kernel.any()
    torch.testing.assert_close(kernel[0, :3], -kernel[0, 3:])


def test_its_mean_points_where_that_of_credit_by_networks_does_and_its_noise_is_less():
    """Utilities are a linear function of the outputs after one step; 100 batches of 64 networks."""
    agent = RSNN(4, 2, 20, gain_out=2.0)
    generator = torch.Generator().manual_seed(0)
    rho = torch.full((agent.solution_length,), 0.5)
    gradients = {"outputs": [], "currents": [], "networks": []}
    observations = 3.0 * torch.randn(64, 4, generator=generator)
    for _ in range(100):
        networks = torch.rand(64, agent.solution_length, generator=generator) < rho
        state = agent.initial_state(64, generator=torch.Generator().manual_seed(1))
        record = {"membranes": agent.membranes(state)}
        agent.step(networks, np.arange(64), observations, state)
        record = {name: part[:, None] for name, part in (record | agent.transmitted(observations, state)).items()}
        utilities = agent.readout(state) @ torch.tensor([1.0, -0.5])
        utilities = utilities - utilities.mean()
        for credit, found in gradients.items():
            found.append(credit_gradient(credit, agent, networks, rho, utilities, record, ridge=RIDGE))
    means = {credit: torch.stack(found).mean(dim=0) for credit, found in gradients.items()}
    noise = {
        credit: (torch.stack(found).std(dim=0).norm() / means[credit].norm()) for credit, found in gradients.items()
    }
    without_recurrence = agent.split(torch.ones(1, agent.solution_length))
    without_recurrence["kernel_h"][:] = 0.0
    first_order = agent.join(without_recurrence)[0] > 0
    alike = torch.nn.functional.cosine_similarity(
        means["outputs"][first_order], means["networks"][first_order], dim=0
    ).item()
    assert alike > 0.9
    assert noise["outputs"] < 0.5 * noise["currents"] < 0.5 * noise["networks"]


def test_the_kinds_of_credit_are_told_apart():
    agent = AGENTS["all connections"]()
    given = samples(agent)
    by = {credit: credit_gradient(credit, agent, *given, ridge=RIDGE) for credit in CREDITS}
    assert torch.equal(by["outputs"], output_gradient(agent, *given, ridge=RIDGE))
    assert torch.equal(by["currents"], current_gradient(agent, *given, ridge=RIDGE))
    assert torch.equal(by["networks"], network_gradient(*given[:3]))
    assert not torch.equal(by["outputs"], by["currents"])


def test_mixed_credit_adds_half_as_much_by_outputs_in_each_kernel():
    agent = AGENTS["all connections"]()
    given = samples(agent)
    mixed, currents, outputs = (
        agent.split(credit_gradient(credit, agent, *given, ridge=RIDGE)[None])
        for credit in ("mixed", "currents", "outputs")
    )
    for name, kernel in mixed.items():
        added = kernel - currents[name]
        assert added.norm().item() == pytest.approx(0.5 * currents[name].norm().item(), rel=1e-4)
        assert torch.nn.functional.cosine_similarity(added.flatten(), outputs[name].flatten(), dim=0) > 0.9999


def test_mixed_credit_is_that_of_currents_where_outputs_say_nothing():
    agent = AGENTS["all connections"]()
    networks, rho, utilities, record = samples(agent)
    given = (networks, rho, utilities, record | {"rate": torch.zeros_like(record["rate"])})
    agent.responses = lambda membranes, means, stdevs: ("rate", torch.zeros_like(means))
    mixed, currents = (credit_gradient(credit, agent, *given, ridge=RIDGE) for credit in ("mixed", "currents"))
    assert torch.equal(mixed, currents)
    assert currents.any()
