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
            }
        )
    table = pd.DataFrame(rows, columns=COLUMNS[:-1])
    beyond_all = table.p_value <= 2 / (len(drawn) + 1)
    normal = np.minimum(2 * norm.sf(table.z.abs()), table.p_value)
    single = np.where(beyond_all, normal, table.p_value)
    return table.assign(p_holm=holm(np.where(table.z.isna(), np.nan, single)))
