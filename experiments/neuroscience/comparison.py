"""Whether a network differs from random ones: z-scores and p-values."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from experiments.analysis.exact_tests import holm

COLUMNS = ("measure", "observed", "null_mean", "null_std", "null_low", "null_high", "z", "p_value", "p_holm")


def compare(observed: Mapping[str, float], drawn: Sequence[Mapping[str, float]]) -> pd.DataFrame:
    """Compares measures of a network with those of random networks.

    Args:
        observed: Measure -> value.
        drawn: The same of each random network.

    Returns:
        A row for each measure that exists, with the columns

        - measure, observed
        - null_mean, null_std, null_low, null_high: Mean, standard deviation and 95 % range of the random networks.
        - z: (observed − null_mean) / null_std; NaN where these do not vary.
        - p_value: Two-sided: twice the smaller share of random networks, this one among them, that are at least or at
          most the observed value. Of N draws it is at least 2 / (N + 1).
        - p_holm: Corrected for the number of rows. Where no random network was as far out, it starts from 2 Φ(−|z|),
          as of a normal distribution, if that is smaller than `p_value`: with so many rows one could not wait for
          enough draws.

    Source: Phipson and Smyth (2010), "Permutation p-values should never be zero", https://doi.org/10.2202/1544-6115.1585.
    """
    rows = []
    for measure, value in observed.items():
        values = np.array([one[measure] for one in drawn], dtype=np.float64)
        values = values[np.isfinite(values)]
        if not np.isfinite(value) or not len(values):
            continue
        # Sums in another order may differ in the last digits where networks do not.
        tolerance = 1e-9 * max(1.0, abs(value))
        below, above = (values <= value + tolerance).sum() + 1, (values >= value - tolerance).sum() + 1
        std = values.std(ddof=1) if len(values) > 1 else np.nan
        varies = std > tolerance
        rows.append(
            {
                "measure": measure,
                "observed": value,
                "null_mean": values.mean(),
                "null_std": std,
                "null_low": np.quantile(values, 0.025),
                "null_high": np.quantile(values, 0.975),
                "z": (value - values.mean()) / std if varies else np.nan,
                "p_value": min(1.0, 2 * min(below, above) / (len(values) + 1)),
                "beyond_all": min(below, above) == 1,
            }
        )
    table = pd.DataFrame(rows, columns=[*COLUMNS[:-1], "beyond_all"])
    beyond_all = table.pop("beyond_all").astype(bool)
    normal = np.minimum(2 * norm.sf(table.z.abs()), table.p_value)
    single = np.where(beyond_all, normal, table.p_value)
    return table.assign(p_holm=holm(np.where(table.z.isna(), np.nan, single)))


def combine(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Combines the comparisons of several networks, such as those of several seeds, by Stouffer's method.

    A small deviation that every network has in the same direction shows here, and not in any single table.

    Args:
        tables: For each network a table of `compare`, with the columns `network` and `null` besides.

    Returns:
        A row for each network, null and measure that has a z in every table, with the columns network, null, measure,
        runs (number of tables), mean_observed, mean_z, z (Σ z / √runs), p_value (2 Φ(−|z|)) and p_holm (corrected for
        the number of rows).

    Source: Stouffer et al. (1949), "The American soldier", vol. 1, p. 45.
    """
    keys = ["network", "null", "measure"]
    groups = pd.concat([table.dropna(subset="z") for table in tables]).groupby(keys, sort=False)
    combined = groups.agg(runs=("z", "size"), mean_observed=("observed", "mean"), mean_z=("z", "mean")).reset_index()
    combined = combined[combined.runs == len(tables)].reset_index(drop=True)
    combined["z"] = combined.mean_z * np.sqrt(combined.runs)
    combined["p_value"] = 2 * norm.sf(combined.z.abs())
    return combined.assign(p_holm=holm(combined.p_value))
