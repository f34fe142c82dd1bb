"""Search distributions, and the functions of arrays that they are made of.

`bernoulli` and `gaussian` sample and estimate gradients, `utilities` ranks, and `weighted_sum` adds up the rows of a
population: all are functions of tensors. `SeparableBernoulli` and `AntitheticGaussian` put them together as what a
searcher learns, see `ec_evotorch.protocols.SeededDistribution`.
"""

from ec_evotorch.distributions.antithetic_gaussian import AntitheticGaussian
from ec_evotorch.distributions.separable_bernoulli import SeparableBernoulli

__all__ = ["AntitheticGaussian", "SeparableBernoulli"]
