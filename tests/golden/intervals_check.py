"""How often the intervals of src/evaluate hold the truth, how often equal methods get a verdict, and what is found:
the tables of docs/statistics.md. Made-up students answer made-up images; nothing of tilepress is called, the same
formulas stand here in NumPy (tests/golden/stats.py ties them to the program's). Needs numpy and scipy; ten minutes.

    python intervals_check.py [coverage] [verdicts] [power]
"""

import sys

import numpy as np
from scipy import special, stats

random = np.random.default_rng(17)
SEEDS, IMAGES = (2, 3, 5, 10), (50, 100, 400, 1000)


def answers(worlds, seeds, images, accuracies, sd, own, common=2.0):
    """`worlds` times what students of these mean accuracies get right, [worlds, seeds, images] each, and the accuracies
    over all seeds and images. An answer is right where a sum of normal numbers is positive: of the image for all
    methods, of the image for this method (standard deviation `own`), of the seed for all methods (`common` points of
    accuracy), of the seed for this method (`sd` points), and of the answer."""
    normal = lambda *shape: random.standard_normal((worlds, *shape), dtype=np.float32)
    total = np.sqrt(2 + own**2)
    of_image, of_seed = normal(1, images), normal(seeds, 1)
    right, truth = [], []
    for accuracy in accuracies:
        z = special.ndtri(accuracy)
        point = total / 100 / (np.exp(-z * z / 2) / np.sqrt(2 * np.pi))
        shared = common * point if sd > 0 else 0
        sum = z * total + sd * point * normal(seeds, 1) + shared * of_seed
        right.append((sum + of_image + own * normal(1, images) + normal(seeds, images) > 0).astype(np.int8))
        truth.append(special.ndtr(z * total / np.sqrt(total**2 + (sd * point) ** 2 + shared**2)))
    return right, truth


class Layout:
    """Mean squares of answers by seed and image, in shares."""

    def __init__(self, y, least):
        _, self.n, self.m = y.shape
        y = y.astype(np.float64)
        self.mean, by_seed, by_image = y.mean((1, 2)), y.mean(2), y.mean(1)
        off = lambda of: ((of - self.mean[:, None]) ** 2).sum(1)
        seeds, images = self.m * off(by_seed), self.n * off(by_image)
        rest = np.maximum(((y - self.mean[:, None, None]) ** 2).sum((1, 2)) - seeds - images, 0)
        self.seeds, self.images = seeds / (self.n - 1), images / (self.m - 1)
        self.rest = rest / ((self.n - 1) * (self.m - 1))
        # Accuracies move in steps of one image.
        self.of_seeds = np.maximum(self.seeds / (self.n * self.m), least**2 / self.m**2 / self.n)
        self.of_images = np.maximum(self.images - self.rest, 0) / (self.n * self.m)

    def student(self, alpha=0.05):
        return stats.t.isf(alpha / 2, self.n - 1) * np.sqrt(self.of_seeds)

    def ours(self, alpha=0.05):
        return np.hypot(self.student(alpha), stats.t.isf(alpha / 2, self.m - 1) * np.sqrt(self.of_images))

    def satterthwaite(self, alpha=0.05):
        n, m = self.n, self.m
        variance = self.seeds / (n * m) + self.of_images
        parts = (self.seeds**2 / (n - 1) + self.images**2 / (m - 1) + self.rest**2 / ((n - 1) * (m - 1))) / (n * m) ** 2
        df = np.maximum(variance**2 / np.maximum(parts, 1e-300), 1)
        return stats.t.isf(alpha / 2, df) * np.sqrt(variance)

    def p(self, half):
        low, high = np.zeros_like(self.mean), np.ones_like(self.mean)
        for _ in range(30):
            middle = (low + high) / 2
            holds = half(middle) > abs(self.mean)
            low, high = np.where(holds, middle, low), np.where(holds, high, middle)
        return high

    def wilson(self):
        """Centre and half of an accuracy's interval."""
        own, z2 = self.mean * (1 - self.mean), stats.norm.ppf(0.975) ** 2
        c = np.where(own > 0, self.ours() ** 2 / np.maximum(own, 1e-12), z2 / self.m)
        c = np.maximum(c, z2 / (self.n * self.m))
        return (self.mean + c / 2) / (1 + c), np.sqrt(c * own + c * c / 4) / (1 + c)


def bootstrap(y, draws=799):
    """Ends of the percentile interval of the mean when seeds and images are both drawn with replacement."""
    _, n, m = y.shape
    of_seeds = random.multinomial(n, [1 / n] * n, draws).astype(np.float32) / n
    of_images = random.multinomial(m, [1 / m] * m, draws).astype(np.float32) / m
    means = [np.sum((of_seeds @ one.astype(np.float32)) * of_images, axis=1) for one in y]
    return np.quantile(np.array(means), [0.025, 0.975], axis=1)


def coverage(worlds=2000, drawn=300):
    print("coverage, lowest and mean of 16 settings in percent; (mean half width in points)")
    for n in SEEDS:
        for m in IMAGES:
            held, halves = {}, {}

            def note(name, hit, half):
                held.setdefault(name, []).append(100 * np.mean(hit))
                halves.setdefault(name, []).append(100 * np.mean(half))

            for accuracy, owns in ((0.45, (0.3, 1.5)), (0.15, (0.8,)), (0.95, (0.8,))):
                for sd in (0, 0.5, 1.5, 4):
                    for own in owns:
                        right, truth = answers(worlds, n, m, (accuracy, max(accuracy - 0.06, 0.05)), sd, own)
                        y, true = right[0] - right[1], truth[0] - truth[1]
                        of = Layout(y, 1 / np.sqrt(6))
                        for name in ("student", "satterthwaite", "ours"):
                            half = getattr(of, name)()
                            note(name, abs(of.mean - true) <= half, half)
                        low, high = bootstrap(y[:drawn])
                        note("bootstrap", (low <= true) & (true <= high), (high - low) / 2)
                        of = Layout(right[0], 1 / np.sqrt(12))
                        centre, half = of.wilson()
                        note("accuracy", abs(centre - truth[0]) <= half, half)
            cells = [f"{k} {min(v):.1f} {np.mean(v):.1f} ({np.mean(halves[k]):.1f})" for k, v in held.items()]
            print(f"{n:2} seeds {m:4} images:", "; ".join(cells), flush=True)


def verdicts(worlds=1000):
    print("reports of four equal methods, six pairs, with a verdict, in percent")
    for n in SEEDS:
        for m in IMAGES:
            rates = []
            for sd in (0.5, 1.5, 4):
                for own in (0.3, 1.0):
                    right, _ = answers(worlds, n, m, (0.45,) * 4, sd, own)
                    pairs = [Layout(right[i] - right[j], 1 / np.sqrt(6)) for i in range(4) for j in range(i)]
                    least = [np.min([of.p(half(of)) for of in pairs], axis=0) for half in (lambda of: of.student, lambda of: of.ours)]
                    # Where all are equal, Holm's first step decides whether there is a verdict.
                    rates.append([np.mean(p <= alpha) for p in least for alpha in (0.05, 0.05 / 6)])
            student, student_holm, ours, holm = 100 * np.mean(rates, axis=0)
            print(f"{n:2} seeds {m:4} images: Student {student:.1f}, with Holm {student_holm:.1f}; ours {ours:.1f}, with Holm {holm:.1f}", flush=True)


def power(worlds=1000):
    print("true differences that are found, in percent: one pair, and six pairs of four methods of which one is better")
    for n in SEEDS:
        for m in (100, 400, 1000):
            cells = []
            for points in (0.03, 0.06, 0.12):
                right, _ = answers(worlds, n, m, (0.45, 0.45 - points, 0.45 - points, 0.45 - points), 2.0, 0.7)
                pairs = [Layout(right[i] - right[j], 1 / np.sqrt(6)) for i in range(4) for j in range(i)]
                p = np.array([of.p(of.ours) for of in pairs])
                order = np.argsort(p, axis=0)
                sorted = np.take_along_axis(p, order, 0)
                adjusted = np.minimum(1, np.maximum.accumulate(sorted * np.arange(6, 0, -1)[:, None], axis=0))
                holm = np.empty_like(p)
                np.put_along_axis(holm, order, adjusted, 0)
                # The pairs with the better one are 0, 1 and 3.
                cells.append(f"{100 * points:.0f} points: {100 * np.mean(p[[0, 1, 3]] <= 0.05):.0f} / {100 * np.mean(holm[[0, 1, 3]] <= 0.05):.0f}")
            print(f"{n:2} seeds {m:4} images:", ", ".join(cells), flush=True)


for part in sys.argv[1:] or ["coverage", "verdicts", "power"]:
    {"coverage": coverage, "verdicts": verdicts, "power": power}[part]()
