"""Selects features for a linear classifier of scikit-learn: which of 30 measurements tell tumours apart?"""

import sklearn.datasets
import torch
from evotorch import Problem
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import cross_val_score

from ec_evotorch import EvolvingConnectivity


def main(generations: int = 40, popsize: int = 50) -> tuple[float, torch.Tensor]:
    """Searches; returns the best fitness, and the most probable choice of features, (30,) bool."""
    x, y = sklearn.datasets.load_breast_cancer(return_X_y=True)

    def fitness(chosen: torch.Tensor) -> float:
        """Returns the accuracy of five-fold cross-validation on the chosen features, less 0.002 for each of them."""
        if not chosen.any():
            return 0.0
        scores = cross_val_score(LinearDiscriminantAnalysis(), x[:, chosen.numpy()], y)
        return scores.mean() - 0.002 * int(chosen.sum())

    problem = Problem("max", fitness, solution_length=x.shape[1], dtype=torch.bool, seed=0)
    searcher = EvolvingConnectivity(problem, popsize=popsize, center_learning_rate=0.05)
    searcher.run(generations)
    return searcher.status["best_eval"], searcher.status["center"]


if __name__ == "__main__":
    best, center = main()
    print(f"best fitness {best:.3f}; features in the centre: {center.nonzero().flatten().tolist()}")
