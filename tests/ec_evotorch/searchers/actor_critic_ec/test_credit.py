"""Credit by currents: against a slow loop over networks and units, and against credit by whole networks."""

import numpy as np
import pytest
import torch

from ec_evotorch.distributions import expected_bits
from ec_evotorch.searchers.actor_critic_ec.credit import current_gradient, network_gradient
from tests.ec_evotorch.searchers.actor_critic_ec.credit_samples import AGENTS, EVERY, NUM_NETWORKS, RIDGE, samples


def slow_gradient(agent, networks, rho, utilities, transmitted):
    """Computes mean_m u_m E[θ_m − ρ | currents] unit by unit, each connection a row of its own."""
    kernels = {name: kernel[0].numpy().astype(float) for name, kernel in agent.split(rho[None]).items()}
    gradients = {name: np.zeros_like(kernel) for name, kernel in kernels.items()}
    for m in range(len(networks)):
        bits = {name: kernel[0].numpy() for name, kernel in agent.split(networks[m : m + 1]).items()}
        for sources in agent.current_sources():
            x = np.concatenate([sign * transmitted[name][m].numpy() for _, _, name, sign in sources], axis=1)
            x = x.astype(float)
            for unit in range(kernels[sources[0][0]].shape[1]):
                mean = np.concatenate([kernels[kernel][part, unit] for kernel, part, _, _ in sources])
                theta = np.concatenate([bits[kernel][part, unit] for kernel, part, _, _ in sources])
                variance = mean * (1 - mean)
                covariance = (x * variance) @ x.T
                covariance += RIDGE * np.trace(covariance) / len(x) * np.eye(len(x))
                expected = variance * (x.T @ np.linalg.solve(covariance, x @ (theta - mean)))
                for kernel, part, _, _ in sources:
                    values, expected = np.split(expected, [len(kernels[kernel][part])])
                    gradients[kernel][part, unit] += utilities[m].item() * values
    return agent.join({name: torch.from_numpy(kernel)[None] for name, kernel in gradients.items()})[0] / len(networks)


@EVERY
def test_the_gradient_is_that_of_a_slow_loop_over_networks_and_units(make):
    agent = make()
    networks, rho, utilities, transmitted = samples(agent)
    gradient = current_gradient(agent, networks, rho, utilities, transmitted, ridge=RIDGE)
    expected = slow_gradient(agent, networks, rho, utilities, transmitted)
    torch.testing.assert_close(gradient, expected.float(), rtol=1e-4, atol=1e-6)


@EVERY
def test_networks_taken_in_parts_have_the_gradient_of_all_at_once(make, monkeypatch):
    agent = make()
    networks, rho, utilities, transmitted = samples(agent)
    whole = current_gradient(agent, networks, rho, utilities, transmitted, ridge=RIDGE)
    monkeypatch.setattr(expected_bits, "_CHUNK_ELEMENTS", 1)
    parts = current_gradient(agent, networks, rho, utilities, transmitted, ridge=RIDGE)
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-6)


@EVERY
def test_nothing_that_it_is_given_is_changed(make):
    agent = make()
    networks, rho, utilities, transmitted = samples(agent)
    current_gradient(agent, networks, rho, utilities, transmitted, ridge=RIDGE)
    for given, expected in zip((networks, rho, utilities), samples(agent), strict=False):
        assert torch.equal(given, expected)
    assert all(torch.equal(steps, samples(agent)[3][name]) for name, steps in transmitted.items())


@pytest.mark.parametrize("huge", [1e20, 3e38, float("inf")])
def test_what_is_finite_stays_finite_however_much_is_transmitted(huge):
    agent = AGENTS["all connections"]()
    networks, rho, utilities, transmitted = samples(agent)
    silenced = torch.where(torch.arange(NUM_NETWORKS) == 0, 0.0, utilities)
    expected = current_gradient(agent, networks, rho, silenced, transmitted, ridge=RIDGE)
    transmitted["input"][0, :, 2] = torch.tensor([huge, -huge, huge])
    gradient = current_gradient(agent, networks, rho, utilities, transmitted, ridge=RIDGE)
    assert torch.isfinite(gradient).all()
    kernels, without = (agent.split(part[None])["kernel_h"] for part in (gradient, expected))
    torch.testing.assert_close(kernels, without, atol=1e-5, rtol=1e-4)  # what is small beside it gets no credit there


def test_opposite_inputs_get_opposite_credit():
    agent = AGENTS["all connections"]()
    networks, _, utilities, transmitted = samples(agent)
    rho = torch.full((agent.solution_length,), 0.5)
    kernel = agent.split(current_gradient(agent, networks, rho, utilities, transmitted, ridge=RIDGE)[None])["kernel_in"]
    assert kernel.any()
    torch.testing.assert_close(kernel[0, :3], -kernel[0, 3:])


def test_the_gradient_of_whole_networks_is_the_mean_of_their_deviations():
    networks, rho, utilities, _ = samples(AGENTS["all connections"]())
    expected = sum(u * (theta.float() - rho) for u, theta in zip(utilities, networks, strict=True)) / len(networks)
    torch.testing.assert_close(network_gradient(networks, rho, utilities), expected)


class Sum:
    """One unit that adds up what 20 connections transmit."""

    shape = (20, 1)

    def split(self, solutions):
        return {"kernel": solutions.reshape(-1, *self.shape)}

    def join(self, arrays):
        return arrays["kernel"].flatten(1)

    def current_sources(self):
        return [[("kernel", slice(None), "x", 1.0)]]


def test_its_mean_is_that_of_credit_by_networks_and_its_noise_is_less():
    """The utility of a network is its current in a random step, so that both gradients have the mean V x² / |x|."""
    generator, repetitions, size = torch.Generator().manual_seed(0), 4000, 20
    rho = torch.linspace(0.2, 0.8, size)
    variances = rho * (1 - rho)
    gradients = {"currents": [], "networks": []}
    x = torch.randn(1, 1, size, generator=generator)
    for _ in range(repetitions):
        networks = torch.rand(8, size, generator=generator) < rho
        utilities = (networks.float() - rho) @ x[0, 0]
        steps = {"x": x.expand(8, 1, size)}
        gradients["currents"].append(current_gradient(Sum(), networks, rho, utilities, steps, ridge=1e-6))
        gradients["networks"].append(network_gradient(networks, rho, utilities))
    expected = variances * x[0, 0]  # E[u (θ − ρ)] = V x
    spread = {}
    for name, drawn in gradients.items():
        drawn = torch.stack(drawn)
        # Six standard errors: a false alarm once in ten million seeds.
        assert ((drawn.mean(dim=0) - expected).abs() < 6 * drawn.std(dim=0) / repetitions**0.5 + 1e-6).all()
        spread[name] = drawn.var(dim=0).sum()
    assert spread["currents"] < 0.25 * spread["networks"]


def test_a_part_of_the_currents_says_nothing_of_other_kernels():
    agent = AGENTS["all connections"]()
    networks, rho, utilities, transmitted = samples(agent)
    silent = {name: torch.zeros_like(steps) if name != "rate" else steps for name, steps in transmitted.items()}
    gradient = agent.split(current_gradient(agent, networks, rho, utilities, silent, ridge=RIDGE)[None])
    assert not gradient["kernel_in"].any()
    assert not gradient["kernel_h"].any()
    assert gradient["kernel_out"].all()
