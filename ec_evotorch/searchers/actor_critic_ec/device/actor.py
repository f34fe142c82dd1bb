"""Acting on a device with networks that are drawn anew every few steps, and the credit that they get."""

from collections.abc import Iterator

import torch

from ec_evotorch.distributions.warp_bernoulli import seeded_rho_gradient
from ec_evotorch.generation.seeded_rows import SeededRows
from ec_evotorch.rollout.device.members import SampledMembers
from ec_evotorch.searchers.actor_critic_ec.credit import mix, parts_of_gradient
from ec_evotorch.searchers.actor_critic_ec.credit_record import CreditRecord
from native.warp_device import load_warp, on_warp_stream

wp = load_warp()

_WORD = 32  # bits
_CHUNK_BITS = 2**28  # of networks that are in memory at the same time, each as a number of 32 bits


class DeviceNetworkActor:
    """Acts in B slots, in each with a network for K steps and then with the next one.

    Network m = k B + b acts in slot b in the k-th stretch. The networks are rows of a generation, which are made where
    they are needed.

    Args:
        agent: The agent.
        rows: The networks of all stretches.
        num_envs: B.
        hold_steps: K.
        device: Device of Warp.
        credit: Which credit the networks are to get, for which the agent says enough.
    """

    def __init__(self, agent, rows: SeededRows, num_envs: int, hold_steps: int, device, *, credit: str):
        self._agent, self._rows, self._hold_steps, self._device = agent, rows, hold_steps, device
        self._members = SampledMembers(rows.distribution, torch.bool, num_envs, device)
        self._members.set(rows)
        self._every = torch.ones(num_envs, dtype=torch.bool, device=str(device))
        self._numbers = torch.arange(num_envs, device=str(device))
        self._outputs = torch.zeros(num_envs, agent.act_length, dtype=torch.float32, device=str(device))
        self._credit, self._record = credit, CreditRecord(agent, credit)

    def launch_act(self, t: int, observations: torch.Tensor, networks) -> torch.Tensor:
        """Acts, see `ec_evotorch.searchers.actor_critic_ec.device.collector.DeviceActor`."""
        if t % self._hold_steps == 0:
            numbers = self._numbers + t // self._hold_steps * len(self._numbers)
            every = wp.from_torch(self._every)
            self._members.launch_take(wp.from_torch(numbers), every)
            networks.launch_load(self._members.taken, every)
        self._record.before_step(networks.state)
        networks.launch_step(wp.from_torch(observations), wp.from_torch(self._outputs))
        self._record.after_step(observations, networks.state)
        return self._outputs

    def gradient(self, rho: torch.Tensor, utilities: torch.Tensor, *, ridge: float) -> torch.Tensor:
        """Computes what `credit_gradient` does with the networks that acted, (L,) float32.

        Args:
            rho: (L,) float32, from which the networks were drawn, in the host's memory.
            utilities: (M,) float32 of the networks, in the host's memory.
            ridge: As for `credit_gradient`.
        """
        if self._credit == "networks":
            where = {"generation": self._rows.generation, "device": str(self._device)}
            return seeded_rho_gradient(utilities, rho, self._rows.key, **where)
        with on_warp_stream(self._device):
            return self._gradient_of_parts(rho, utilities, ridge)

    def _gradient_of_parts(self, rho: torch.Tensor, utilities: torch.Tensor, ridge: float) -> torch.Tensor:
        rho, utilities = (tensor.to(str(self._device)) for tensor in (rho, utilities))
        record = self._record.by_network(self._hold_steps)
        totals = []
        for part, networks in self._sample_parts(len(utilities)):
            steps = {name: values[part] for name, values in record.items()}
            given = (self._credit, self._agent, networks, rho, utilities[part], steps)
            gradients = parts_of_gradient(*given, ridge=ridge)
            totals = totals or [torch.zeros_like(rho) for _ in gradients]
            for total, gradient in zip(totals, gradients, strict=True):
                total += gradient * (len(networks) / len(utilities))
        return mix(self._agent, totals).cpu()

    def _sample_parts(self, num_networks: int) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yields slices of the networks and their bits, (m, L) bool on the device."""
        rows, device = self._rows, str(self._device)
        distribution, length = rows.distribution, len(rows.distribution.vector)
        sampler = distribution.on_device(self._device)
        distribution.set_rows(sampler, rows.key, rows.generation, rows.popsize)
        chunk = max(1, _CHUNK_BITS // length)
        shifts = torch.arange(_WORD, dtype=torch.int32, device=device)
        for start in range(0, num_networks, chunk):
            part = slice(start, min(start + chunk, num_networks))
            numbers = torch.arange(part.start, part.stop, device=device)
            packed = torch.empty((len(numbers), -(-length // _WORD)), dtype=torch.int32, device=device)
            every = torch.ones(len(numbers), dtype=torch.bool, device=device)
            words = wp.from_torch(packed, dtype=wp.uint32)
            sampler.launch_sample(wp.from_torch(numbers), wp.from_torch(every), words)
            bits = (packed[:, :, None] >> shifts) & 1
            yield part, bits.flatten(1)[:, :length].bool()
