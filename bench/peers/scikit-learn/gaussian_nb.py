"""Times GaussianNB.predict_proba of scikit-learn on a made-up catalogue.

usage: gaussian_nb.py TRACKS FEATURES ROUNDS

Prints two numbers, in milliseconds: the best round in blocks of 4,096 rows, and the best round on all rows at once.
"""

import sys
import time

import numpy
from sklearn.naive_bayes import GaussianNB

BLOCK = 4_096
FITTED = 2_000


def main() -> None:
    tracks, features, rounds = (int(argument) for argument in sys.argv[1:4])
    random = numpy.random.default_rng(1)
    rows = random.uniform(-4.0, 4.0, (tracks, features))
    labels = rows[:FITTED, 0] > 0.0
    model = GaussianNB().fit(rows[:FITTED], labels)
    print(best(rounds, lambda: in_blocks(model, rows)), best(rounds, lambda: model.predict_proba(rows)))


def in_blocks(model: GaussianNB, rows: numpy.ndarray) -> None:
    for first in range(0, len(rows), BLOCK):
        model.predict_proba(rows[first : first + BLOCK])


def best(rounds: int, work) -> float:
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took) * 1_000.0


main()
