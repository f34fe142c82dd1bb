"""Scores tell a copy of a search exactly what the evaluations told the search itself."""

import math

import numpy as np
import pytest
import torch
from evotorch.tools.ranking import rankers
from hypothesis import given
from hypothesis import strategies as st

from ec_evotorch.distributions.ranking import compute_utilities
from ec_evotorch.generation.rank_codes import decode_scores, encode_scores

EVALS = st.lists(st.sampled_from([0.0, -0.0, 1.0, 1.5, -2.0, 1e300, 5e-324, math.nan, math.inf]), min_size=2)


@given(EVALS, st.sampled_from(sorted(rankers)), st.sampled_from(["max", "min"]))
def test_utilities_of_scores_are_those_of_the_evaluations(evals, ranking_method, sense):
    evals = torch.tensor(evals, dtype=torch.float64)
    scores = decode_scores(encode_scores(evals, ranking_method))
    settings = {"objective_sense": sense, "ranking_method": ranking_method}
    assert torch.equal(compute_utilities(scores, **settings), compute_utilities(evals, **settings))


@pytest.mark.parametrize("ranking_method", ["centered", "linear", "nes"])
def test_ranks_take_four_bytes(ranking_method):
    codes = encode_scores(torch.tensor([0.5, math.nan, -3.0, 0.5]), ranking_method)
    assert codes.dtype == np.int32
    assert codes.tolist() == [1, -1, 0, 1]
