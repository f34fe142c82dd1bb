"""Any recurrent `torch.nn.Module` as an agent."""

import inspect
import warnings
import weakref
from dataclasses import dataclass
from functools import partial

import torch
from torch.func import functional_call, vmap
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map

from agents.agent import Agent
from agents.arguments import as_float32, check_generator
from native.arguments import check_whole

_UNREAD = -1  # member of a slot whose parameters are to be read at its next step
_ADVICE = "give the module a method initial_state() that returns its first hidden state"


@dataclass
class ModuleState:
    """State of B slots, updated in place; `output` is what the module returned at the last step, before clipping."""

    h: object  # the module's hidden state: tensors with a leading B in whatever tuples, lists and dictionaries it uses
    output: torch.Tensor  # (B, act_length) float32
    parameters: dict[str, torch.Tensor]  # name -> (B, *shape): the networks of the episodes that are being played
    members: torch.Tensor  # (B,) int64: whose parameters these are
    population: weakref.ref | None = None  # the tensor that they were read from
    version: int | None = None  # of that tensor at the time

    def __getstate__(self) -> dict:
        """A pickle holds no reference to the population: the parameters are read again from the one that is given."""
        return vars(self) | {"population": None, "version": None}


class ModuleAgent(Agent):
    """A module with `forward(x, h) -> (y, h)`, evaluated for all slots at once by `torch.func.vmap`.

    `x` is one (obs_length,) observation, `y` is one (act_length,) action, and `h` is any nesting of tuples, lists and
    dictionaries of tensors. A module that returns `y` alone has no memory. An episode begins with what the module's
    method `initial_state()` returns. Without such a method it begins with zeros, if these mean the same to the module
    as `h=None`. The module is in evaluation mode, and its buffers are constants.

    Operations that vmap cannot batch run in a loop over slots, so a cell is fast if it is written as matrix products.
    Torch's `RNNCell` and `GRUCell` loop inside. With `LSTMCell`, or where the program depends on its data, the whole
    module runs in a loop, and a warning says so.

    A solution holds the module's parameters in the order of `named_parameters()`.

    The parameters of a slot are read from the population when it begins an episode (`reset`), when its member changes,
    and when another tensor is passed or torch has changed it in place. They are not read at every step, which would
    take longer than the network itself. What NumPy writes into the population is seen from the next episode on.

    Attributes:
        batched: Whether vmap evaluates the module; otherwise it runs in a loop over slots.

    Args:
        obs_length: Number of observations.
        act_length: Number of actions.
        module: Function that is called as `module(obs_length=…, act_length=…)` and returns the `torch.nn.Module`.

    Raises:
        TypeError: If `module` does not make a `torch.nn.Module`, the module returns neither `(y, h)` nor `y`, or `h`
            holds anything but tensors.
        ValueError: If the module has no parameters or parameters of another data type than float32; its output has
            another shape than (act_length,); its hidden state changes its form or begins with something that depends
            on parameters; or it neither begins with zeros nor says with what.

    Source: `torch.func`, https://docs.pytorch.org/docs/stable/func.html
    """

    def __init__(self, obs_length: int, act_length: int, module):
        super().__init__(obs_length, act_length, torch.float32)
        self._make = partial(_make_module, module, obs_length, act_length)
        with torch.random.fork_rng(devices=[]):
            self._module = self._make()
        parameters = dict(self._module.named_parameters())
        if not parameters:
            raise ValueError("module: expected parameters to search over, got a module without any")
        for name, parameter in parameters.items():
            if parameter.dtype != torch.float32:
                raise ValueError(f"module: expected float32 parameters, got {parameter.dtype} for {name!r}")
        self.parameter_shapes = {name: tuple(parameter.shape) for name, parameter in parameters.items()}
        self._takes_h = len(inspect.signature(self._module.forward).parameters) > 1
        self._remembers, self._first_h = self._find_first_h()
        self.batched = self._find_whether_batched()

    def initial_state(self, batch_size: int, *, generator: torch.Generator | None = None) -> ModuleState:
        """Makes the module's first state in B slots, on the generator's device or else the CPU; nothing is drawn."""
        batch_size = check_whole("batch_size", batch_size)
        if generator is not None:
            check_generator(generator)
        device = torch.device("cpu") if generator is None else generator.device
        return ModuleState(
            h=tree_map(lambda leaf: leaf.to(device).repeat(batch_size, *[1] * leaf.ndim), self._first_h),
            output=torch.zeros(batch_size, self.act_length, dtype=torch.float32, device=device),
            parameters={
                name: torch.zeros(batch_size, *shape, dtype=torch.float32, device=device)
                for name, shape in self.parameter_shapes.items()
            },
            members=torch.full((batch_size,), _UNREAD, device=device),
        )

    def initial_solutions(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Makes (count, L) solutions as the module initialises itself; torch's own random state is not changed."""
        count = self._check_count(count, generator)
        solutions = torch.empty(count, self.solution_length, dtype=torch.float32)
        seeds = torch.randint(2**62, (count,), generator=generator, device=generator.device).tolist()
        with torch.random.fork_rng(devices=[]):
            for row, seed in zip(solutions, seeds, strict=True):
                torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every GPU as well
                row[:] = torch.cat([parameter.detach().flatten() for parameter in self._make().parameters()])
        return solutions.to(generator.device)

    def reset(self, state: ModuleState, slots, seeds) -> None:
        """Begins an episode in some slots with the module's first state.

        Args:
            state: The state of all slots, changed in place in these slots only.
            slots: Indices of the slots.
            seeds: Seeds of the episodes, which make no difference.
        """
        slots = self._check_reset(state, slots, seeds)[0].to(state.members.device)
        _write(state.h, slots, tree_map(lambda leaf: leaf.to(slots.device), self._first_h))
        state.output[slots] = 0
        state.members[slots] = _UNREAD

    def memory(self, state: ModuleState):
        """Returns the module's hidden state."""
        return state.h

    def _advance_one(self, parameters, x, memory):
        if self.batched:
            return vmap(self._forward, in_dims=(None, 0, 0))(parameters, x, memory)
        each = {name: part.expand(len(x), *part.shape) for name, part in parameters.items()}
        return self._loop(each, x, memory)

    @torch.no_grad()
    def _act(self, solutions, members, obs, state: ModuleState) -> torch.Tensor:
        device = state.output.device
        members = torch.tensor(members, device=device)
        self._read_parameters(solutions, members, state)
        actions = torch.zeros_like(state.output)
        active = torch.nonzero(members >= 0)[:, 0]
        if len(active) == 0:
            return actions
        inputs = (state.parameters, as_float32(obs).to(device), state.h)
        if len(active) < len(members):
            inputs = tree_map(lambda leaf: leaf[active], inputs)
        state.output[active], h = (vmap(self._forward) if self.batched else self._loop)(*inputs)
        _write(state.h, active, h)
        actions[active] = state.output[active].clamp(-1.0, 1.0)
        return actions

    def _forward(self, parameters: dict[str, torch.Tensor], x: torch.Tensor, h):
        """Returns y and h after a step of one slot with these parameters."""
        if self._remembers:
            return functional_call(self._module, parameters, (x, h))
        return functional_call(self._module, parameters, (x, None) if self._takes_h else (x,)), h

    def _loop(self, parameters: dict[str, torch.Tensor], x: torch.Tensor, h):
        """Computes what `vmap(self._forward)` would, slot by slot."""
        steps = [self._forward(*tree_map(lambda leaf, b=b: leaf[b], (parameters, x, h))) for b in range(len(x))]
        return tree_map(lambda *leaves: torch.stack(leaves), *steps)

    def _read_parameters(self, solutions: torch.Tensor, members: torch.Tensor, state: ModuleState) -> None:
        version = None if solutions.is_inference() else solutions._version
        if state.population is None or state.population() is not solutions or state.version != version:
            state.members[:] = _UNREAD
            state.population, state.version = weakref.ref(solutions), version
        changed = torch.nonzero((members != state.members) & (members >= 0))[:, 0]
        if len(changed):
            for name, part in self.split(solutions[members[changed]].as_subclass(torch.Tensor)).items():
                state.parameters[name][changed] = part
            state.members[changed] = members[changed]

    def _find_first_h(self):
        """Returns whether the module remembers anything, and its hidden state at the beginning of an episode."""
        x = torch.linspace(-1, 1, self.obs_length, dtype=torch.float32)
        if hasattr(self._module, "initial_state"):
            first = self._module.initial_state()
            _check_hidden(first)
            if any(leaf.requires_grad for leaf in tree_leaves(first)):
                raise ValueError("module: expected an initial_state() that does not depend on parameters")
        else:
            returned = self._begin(x)
            if isinstance(returned, torch.Tensor):
                self._check_output(returned)
                return False, ()
            _check_hidden(_check_pair(returned)[1])
            first = tree_map(torch.zeros_like, returned[1])
            with_zeros = self._module(x, tree_map(torch.clone, first))
            if not all(map(torch.allclose, tree_leaves(with_zeros), tree_leaves(returned))):
                raise ValueError(f"module: expected a hidden state of zeros to mean the same as h=None; {_ADVICE}")
        y, h = _check_pair(self._module(x, tree_map(torch.clone, first)))
        self._check_output(y)
        if _form(h) != _form(first):
            raise ValueError(f"module: expected a hidden state like its first, {_form(first)}, got {_form(h)}")
        return True, tree_map(torch.detach, first)

    def _begin(self, x: torch.Tensor):
        """Returns what the module returns at a first step without a hidden state."""
        if not self._takes_h:
            return self._module(x)
        try:
            return self._module(x, None)
        except Exception as error:
            raise ValueError(f"module: expected forward(x, None) to work, got {error!r}; or {_ADVICE}") from error

    @torch.no_grad()
    def _find_whether_batched(self) -> bool:
        state = self.initial_state(2)
        try:
            vmap(self._forward)(state.parameters, torch.zeros(2, self.obs_length, dtype=torch.float32), state.h)
        except RuntimeError as error:
            warnings.warn(f"module: runs in a loop over slots because vmap cannot batch it: {error}", stacklevel=3)
            return False
        return True

    def _check_output(self, y: torch.Tensor) -> None:
        if tuple(y.shape) != (self.act_length,):
            raise ValueError(f"module: expected an output of shape ({self.act_length},), got {tuple(y.shape)}")


def _make_module(make, obs_length: int, act_length: int) -> torch.nn.Module:
    module = make(obs_length=obs_length, act_length=act_length)
    if not isinstance(module, torch.nn.Module):
        raise TypeError(
            f"module: expected a callable that returns a torch.nn.Module, got {type(module).__name__} from it"
        )
    return module.eval()


def _check_pair(returned) -> tuple:
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise TypeError(f"module: expected forward(x, h) to return (y, h), got {type(returned).__name__}")
    return returned


def _check_hidden(h) -> None:
    for leaf in tree_leaves(h):
        if not isinstance(leaf, torch.Tensor):
            raise TypeError(f"module: expected a hidden state of tensors, got {type(leaf).__name__} in it")


def _form(h) -> tuple:
    """Returns the nesting of a hidden state and the shapes and data types of its tensors, which must not change."""
    leaves, nesting = tree_flatten(h)
    return nesting, [(tuple(leaf.shape), leaf.dtype) for leaf in leaves]


def _write(h, slots: torch.Tensor, values) -> None:
    """Writes values into some slots of a hidden state."""
    for leaf, value in zip(tree_leaves(h), tree_leaves(values), strict=True):
        leaf[slots] = value
