"""Golden numbers for src/evaluate: SciPy's t quantiles, intervals of a mean, paired intervals and Wilson
intervals. Writes stats.json beside this file. Needs numpy and scipy."""

import json
import pathlib

import numpy as np
from scipy import stats

quantiles = [
    {"p": p, "df": df, "t": float(stats.t.ppf(p, df))}
    for df in [1, 2, 3, 4, 5, 9, 19, 29, 99, 1000, 2.5]
    for p in [0.5, 0.6, 0.9, 0.95, 0.975, 0.995, 0.9995, 0.025]
]

samples = [
    [33.2, 37.3, 37.8],
    [40.4, 40.8, 42.2],
    [32.7, 28.8, 28.3],
    [50.0, 52.0],
    [10.25, 11.5, 9.75, 10.0, 12.125, 8.875, 10.5],
]
means = []
for values in samples:
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    means.append(
        {
            "values": values,
            "mean": float(np.mean(values)),
            "sd": float(np.std(values, ddof=1)),
            "interval": [float(low), float(high)],
        }
    )

paired = []
for a, b in [(samples[2], samples[1]), (samples[1], samples[0]), (samples[0], samples[2])]:
    interval = stats.ttest_rel(a, b).confidence_interval(0.95)
    paired.append({"a": a, "b": b, "interval": [float(interval.low), float(interval.high)]})

wilson = []
for successes, trials in [(0, 10), (10, 10), (299, 1000), (411, 1000), (1, 3), (5000, 10000)]:
    interval = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    wilson.append(
        {"successes": successes, "trials": trials, "interval": [float(interval.low), float(interval.high)]}
    )

path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(
    json.dumps({"quantiles": quantiles, "means": means, "paired": paired, "wilson": wilson}, indent=1) + "\n"
)
