"""What a copy of a search needs to know of a generation's evaluations, in few bytes."""

import numpy as np
import torch

_FAILED = -1
_FOLLOW_VALUES = ("raw", "normalized")  # ranking methods whose utilities depend on more than the order


def encode_scores(evals: torch.Tensor, ranking_method: str) -> np.ndarray:
    """Reduces evaluations to what `compute_utilities` looks at.

    Args:
        evals: (N,) floating point, NaN or infinite where an evaluation failed.
        ranking_method: Name of EvoTorch's ranking method, see `compute_utilities`.

    Returns:
        (N,) int32, the number of different smaller values among the finite evaluations, and −1 where an evaluation
        failed; or the evaluations as float64 if the utilities depend on their values.
    """
    values = evals.cpu().numpy().astype(np.float64)
    if ranking_method in _FOLLOW_VALUES:
        return values
    codes = np.full(len(values), _FAILED, dtype=np.int32)
    finite = np.isfinite(values)
    codes[finite] = np.unique(values[finite], return_inverse=True)[1]
    return codes


def decode_scores(scores: np.ndarray) -> torch.Tensor:
    """Returns (N,) float64 with the same utilities as the evaluations that were encoded; NaN where one failed."""
    if scores.dtype == np.int32:
        scores = np.where(scores == _FAILED, np.nan, scores)
    return torch.from_numpy(np.array(scores, dtype=np.float64))
