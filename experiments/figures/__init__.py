"""Figures of a paper's column width, of runs and of networks.

`curves`, `bars` and `heat_map` draw a table of `experiments.analysis.load`, and `learning_curve` one run. `matrices`,
`rho_over_training`, `rho_now`, `raster` and `degrees` draw a trained network, `robustness_curves`
a damaged one. Each returns a Matplotlib figure, and
`encode` turns it into a PNG or SVG file.
"""

from experiments.figures.bars import bars
from experiments.figures.curves import curve_points, curves
from experiments.figures.heat_map import heat_map, heat_map_cells
from experiments.figures.network import degrees, matrices, raster, rho_now, rho_over_training
from experiments.figures.robustness import robustness_curves
from experiments.figures.single_run import learning_curve
from experiments.figures.style import encode

__all__ = [
    "bars",
    "curve_points",
    "curves",
    "degrees",
    "encode",
    "heat_map",
    "heat_map_cells",
    "learning_curve",
    "matrices",
    "raster",
    "rho_now",
    "rho_over_training",
    "robustness_curves",
]
