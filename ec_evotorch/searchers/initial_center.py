"""Where a search starts: numbers for all elements of a solution, for each of them, or for each kernel of a network."""

import math
from collections.abc import Mapping

import torch
from evotorch import Problem

from ec_evotorch.protocols import StructuredProblem


def make_initial_center(problem: Problem, center_init) -> torch.Tensor:
    """Makes the first centre of a search.

    Args:
        problem: Problem that is searched.
        center_init: A number for all elements, (L,) numbers, a number or numbers for each kernel, or None for
            `problem.generate_values(1)`.

    Returns:
        (L,) float32, a tensor of its own.

    Raises:
        ValueError: If `center_init` is something else, has another shape or is not finite.
    """
    if center_init is None:
        center_init = problem.generate_values(1)[0]
    center = number_or_vector("center_init", problem, center_init, of="element")
    if not torch.isfinite(center).all():
        raise ValueError("center_init: expected finite numbers, got NaN or infinity among them")
    return center.as_subclass(torch.Tensor).expand(problem.solution_length).clone()


def number_or_vector(name: str, problem: Problem, value, *, of: str) -> torch.Tensor:
    """Returns a number, or one for each element of a solution, as a float32 tensor () or (L,) on the problem's device.

    Args:
        name: Name of the argument, for the message.
        problem: Problem whose solutions have L elements.
        value: A number; an array, tensor or list of L numbers; or, if the problem is a `StructuredProblem`, a mapping
            from the name of each kernel to a number, or to numbers in its shape.
        of: What an element of a solution is called, for the message.

    Raises:
        ValueError: If the value is something else, such as text or a truth value, or has another shape, or does not
            name exactly the kernels that there are.
    """
    if isinstance(value, Mapping):
        return _vector_of_kernels(name, problem, value, of=of)
    return _number_or_shape(name, value, (problem.solution_length,), problem.device, of=of)


def _number_or_shape(name: str, value, shape: tuple[int, ...], device: torch.device, *, of: str) -> torch.Tensor:
    """Returns a float32 tensor () or of the shape."""
    try:
        as_given = torch.as_tensor(value)
        if as_given.dtype == torch.bool or as_given.is_complex():
            raise TypeError
        tensor = torch.as_tensor(value, dtype=torch.float32, device=device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name}: expected a number or one for each {of}, got {value!r}") from error
    if tensor.shape not in ((), shape):
        raise ValueError(f"{name}: expected a number or shape {tuple(shape)}, got shape {tuple(tensor.shape)}")
    return tensor


def _vector_of_kernels(name: str, problem: Problem, value: Mapping, *, of: str) -> torch.Tensor:
    shapes = problem.parameter_shapes if isinstance(problem, StructuredProblem) else None
    if shapes is None:
        raise ValueError(
            f"{name}: expected a number or one for each {of}, because this problem names no kernels; got {value!r}"
        )
    if set(value) != set(shapes):
        raise ValueError(f"{name}: expected a number for each of {', '.join(shapes)}, got {dict(value)!r}")
    parts = []
    for kernel, shape in shapes.items():
        part = _number_or_shape(f"{name}.{kernel}", value[kernel], tuple(shape), problem.device, of=of)
        if not torch.isfinite(part).all():
            wrong = (
                "finite numbers, got NaN or infinity among them" if part.ndim else f"a finite number, got {part.item()}"
            )
            raise ValueError(f"{name}.{kernel}: expected {wrong}")
        parts.append(part.as_subclass(torch.Tensor).reshape(-1).expand(math.prod(shape)))
    vector, mask = torch.cat(parts), getattr(problem, "connection_mask", None)
    if mask is None:
        return vector
    is_there = torch.cat([torch.as_tensor(mask[kernel]).flatten() for kernel in shapes])
    return vector[is_there.to(problem.device)]
