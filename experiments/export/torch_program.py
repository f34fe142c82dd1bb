"""A policy as a PyTorch program, which loads where this package is not installed."""

import torch
from torch.export import ExportedProgram

from agents import RSNN
from ec_evotorch import Policy
from experiments.export.parts import compiled_agent, first_memory, kernels, memory_names, normalisation, scale


class PolicyModule(torch.nn.Module):
    """A policy as a function (observation, state) -> (action, next state).

    Args:
        policy: The policy.
    """

    def __init__(self, policy: Policy):
        super().__init__()
        self._agent = compiled_agent(policy)
        self._names = memory_names(self._agent)
        is_spiking = isinstance(self._agent, RSNN)  # its sums are in float64: converted once, not every step
        for name, array in kernels(policy).items():
            self.register_buffer(name, torch.from_numpy(array).to(torch.float64 if is_spiking else torch.float32))
        numbers = normalisation(policy)
        self.register_buffer("observation_mean", torch.as_tensor(numbers["mean"], dtype=torch.float64))
        self.register_buffer("observation_stdev", torch.as_tensor(numbers["stdev"], dtype=torch.float64))
        self._clip = float(numbers["clip"])
        middle, half_range = map(torch.from_numpy, scale(policy))
        self.register_buffer("action_middle", middle)
        self.register_buffer("action_half_range", half_range)

    def forward(
        self, observation: torch.Tensor, state: dict[str, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Acts for one environment step.

        Args:
            observation: (obs_length,) float64, as the environment gives it.
            state: The parts of the agent's state by name, each without a dimension for slots.

        Returns:
            The (act_length,) float32 action, as the environment takes it, and the next state.
        """
        x = ((observation - self.observation_mean) / self.observation_stdev).clamp(-self._clip, self._clip).float()
        parameters = {name: self.get_buffer(name) for name in self._agent.parameter_shapes}
        memory = tuple(state[name][None] for name in self._names)
        output, memory = self._agent.pure_step(parameters, x[None], memory)
        output = output[0]
        action = self.action_middle + self.action_half_range * output.clamp(-1.0, 1.0)
        action = torch.where(output.isnan(), self.action_middle, action)
        return action, dict(zip(self._names, (part[0] for part in memory), strict=True))


def torch_program(policy: Policy, seed: int = 0) -> ExportedProgram:
    """Returns a policy as an `ExportedProgram` of PyTorch.

    `program.module()(observation, state)` returns (action, next state), see `PolicyModule`; `program.example_inputs`
    are an observation of zeros and the state with which an episode begins. Both are saved with the program.
    `torch.export` takes the place of TorchScript, which PyTorch has deprecated.

    Args:
        policy: A policy whose agent is an `RSNN`, `RNN`, `GRU` or `LSTM`.
        seed: Seed of the episode whose first state it is.

    Raises:
        UserError: If the agent is another one.
    """
    module = PolicyModule(policy)
    observation = torch.zeros(policy.agent.obs_length, dtype=torch.float64)
    with torch.no_grad():
        program = torch.export.export(module, (observation, first_memory(policy, seed)))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # names files of this machine
    return program
