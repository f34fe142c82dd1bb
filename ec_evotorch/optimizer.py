"""EvoTorch's optimizers, made from what a user may write for one."""

import torch
from evotorch.optimizers import get_optimizer_class


def make_optimizer(optimizer, config: dict | None, *, stepsize: float, solution_length: int, device):
    """Makes the optimizer of a float32 vector.

    Args:
        optimizer: "adam", "sgd", "clipup" or another of EvoTorch's names; a class or function that takes its keywords
            (stepsize, solution_length, dtype, device); an object with `ascent(gradient)`, which has its own step size;
            or None for plain ascent.
        config: further keywords for a name, class or function, such as {"beta1": 0.9, "beta2": 0.99}.
        stepsize: step size.
        solution_length: L.
        device: where the vector lives.

    Returns:
        An object with `ascent(gradient)`, (L,) -> (L,); or None as it was given.

    Raises:
        ValueError: if a name is unknown, or a config is given where nothing is made.
        TypeError: if `optimizer` is none of the above.
    """
    if optimizer is None or (hasattr(optimizer, "ascent") and not isinstance(optimizer, type)):
        if config is not None:
            raise ValueError(f"optimizer_config: expected None with optimizer={optimizer!r}, got {config!r}")
        return optimizer
    if isinstance(optimizer, str):
        try:
            optimizer = get_optimizer_class(optimizer)
        except ValueError:
            raise ValueError(
                f'optimizer: expected "adam", "sgd", "clipup" or another of EvoTorch\'s names, got {optimizer!r}'
            ) from None
    if not callable(optimizer):
        raise TypeError(f"optimizer: expected a name, a class, an object with ascent() or None, got {optimizer!r}")
    return optimizer(
        stepsize=float(stepsize), solution_length=solution_length, dtype=torch.float32, device=device, **(config or {})
    )
