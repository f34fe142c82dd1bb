"""Prunes a small trained network of scikit-learn: which of its 1,184 weights can go?"""

import torch
from evotorch import Problem
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from ec_evotorch import EvolvingConnectivity


def main(generations: int = 400) -> tuple[float, float]:
    """Searches; returns the fitness of the most probable mask, and that of the whole network."""
    x, y = load_digits(return_X_y=True)
    network = MLPClassifier([16], random_state=0, max_iter=300).fit(x, y)
    w1, w2, b1, b2, x = (torch.tensor(a, dtype=torch.float32) for a in [*network.coefs_, *network.intercepts_, x])

    def fitness(kept: torch.Tensor) -> torch.Tensor:
        """Returns the accuracy of each mask (N, 1184) on the training data, less 0.2 if all weights are kept."""
        k1, k2 = kept[:, :1024].reshape(-1, 64, 16), kept[:, 1024:].reshape(-1, 16, 10)
        digits = ((x @ (w1 * k1) + b1).relu() @ (w2 * k2) + b2).argmax(dim=2)
        return (digits == torch.tensor(y)).float().mean(dim=1) - 0.2 * kept.float().mean(dim=1)

    problem = Problem("max", fitness, solution_length=1184, dtype=torch.bool, vectorized=True, seed=0)
    searcher = EvolvingConnectivity(problem, popsize=50, center_learning_rate=0.1)
    searcher.run(generations)
    both = torch.stack([searcher.status["center"], torch.ones(1184, dtype=torch.bool)])
    pruned, whole = fitness(both).tolist()
    return pruned, whole


if __name__ == "__main__":
    print("fitness with the mask and without: {:.3f}, {:.3f}".format(*main()))
