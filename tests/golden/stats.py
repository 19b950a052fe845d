"""Golden numbers for src/evaluate: SciPy's t quantiles, intervals of a mean, paired intervals and Wilson
intervals; Holm's procedure; mean squares, intervals and p-values of answers by seed and image. Writes stats.json
beside this file. Needs numpy and scipy."""

import json
import pathlib

import numpy as np
from scipy import optimize, stats

quantiles = [
    {"p": p, "df": df, "t": float(stats.t.ppf(p, df))}
    for df in [1, 2, 3, 4, 5, 9, 19, 29, 99, 1000, 49_999, 2.5]
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
    test = stats.ttest_rel(a, b)
    interval = test.confidence_interval(0.95)
    paired.append(
        {"a": a, "b": b, "interval": [float(interval.low), float(interval.high)], "p": float(test.pvalue)}
    )

wilson = []
for successes, trials in [(0, 10), (10, 10), (299, 1000), (411, 1000), (1, 3), (5000, 10000)]:
    interval = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    wilson.append(
        {"successes": successes, "trials": trials, "interval": [float(interval.low), float(interval.high)]}
    )


def holm(p):
    """Holm's adjusted p-values, as his paper puts it: reject the smallest while m times it is small enough, and so on."""
    left = dict(enumerate(p))
    adjusted, bound = [0.0] * len(p), 0.0
    while left:
        at = min(left, key=left.get)
        bound = max(bound, min(1.0, len(left) * left[at]))
        adjusted[at] = bound
        del left[at]
    return adjusted


families = [[0.01], [0.01, 0.04, 0.03, 0.005], [0.2, 0.2, 0.001], [0.6, 0.9, 0.04, 0.051, 0.0499, 1e-6]]


def crossed(y, least_sd):
    """Mean squares of a two-way layout by projections, then the interval and p-value of the mean, in percent."""
    n, m = y.shape
    fit = lambda design: design @ np.linalg.lstsq(design, y.ravel(), rcond=None)[0]
    one = np.ones((n * m, 1))
    by_seed = np.kron(np.eye(n), np.ones((m, 1)))
    by_image = np.kron(np.ones((n, 1)), np.eye(m))
    mean = fit(one)
    seeds = np.sum((fit(by_seed) - mean) ** 2) / (n - 1)
    images = np.sum((fit(by_image) - mean) ** 2) / (m - 1)
    both = fit(np.hstack([by_seed, by_image]))
    rest = np.sum((y.ravel() - both) ** 2) / ((n - 1) * (m - 1))
    se_seeds = max(100 * np.sqrt(seeds / m), least_sd) / np.sqrt(n)
    se_images = 100 * np.sqrt(max(images - rest, 0) / (n * m))
    mean = 100 * y.mean()

    def half(alpha):
        return np.sqrt(
            (stats.t.isf(alpha / 2, n - 1) * se_seeds) ** 2 + (stats.t.isf(alpha / 2, m - 1) * se_images) ** 2
        )

    p = 1.0 if mean == 0 else optimize.brentq(lambda alpha: half(alpha) - abs(mean), 1e-12, 1 - 1e-12, xtol=1e-15)
    return mean, float(se_seeds), float(se_images), half, float(p)


def text(row):
    """A row of answers as `Correct` writes it."""
    return f"{len(row)}:{np.packbits(row, bitorder='little').tobytes().hex()}"


random = np.random.default_rng(17)
by_image = []
for n, m, level in [(2, 20, 0.5), (3, 50, 0.4), (5, 33, 0.8), (3, 400, 0.3)]:
    ease = random.normal(size=(1, m))
    a, b = (
        (random.normal(size=(n, m)) + ease + random.normal(0, 0.2, (n, 1)) < stats.norm.ppf(of)).astype(np.uint8)
        for of in (level, level - 0.15)
    )
    mean, se_seeds, se_images, half, p = crossed(a.astype(float) - b, 100 / m / np.sqrt(6))
    accuracy, _, _, of_accuracy, _ = crossed(a.astype(float), 100 / m / np.sqrt(12))
    # Wilson's interval: where the squared distance to the accuracy is the variance that a proportion there would have.
    share = accuracy / 100
    c = (of_accuracy(0.05) / 100) ** 2 / (share * (1 - share))
    ends = sorted(np.roots([1 + c, -(2 * share + c), share**2]))
    by_image.append(
        {
            "a": [text(row) for row in a],
            "b": [text(row) for row in b],
            "difference": float(mean),
            "seeds": se_seeds,
            "images": se_images,
            "interval": [float(mean - half(0.05)), float(mean + half(0.05))],
            "p": p,
            "accuracy": [float(100 * end) for end in ends],
        }
    )

path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(
    json.dumps(
        {
            "quantiles": quantiles,
            "means": means,
            "paired": paired,
            "wilson": wilson,
            "holm": [{"p": p, "adjusted": holm(p)} for p in families],
            "by_image": by_image,
        },
        indent=1,
    )
    + "\n"
)
