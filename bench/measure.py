# SPDX-License-Identifier: PostgreSQL
"""Measures: what is played on each way through a proxy, in rounds that take turns, and how the outcome compares.

Every round is one after the other through all ways, in an order that moves on by one each time; ratios are taken within
a round and their median is what counts, so that a machine that is busy for a while does not favour anybody.
"""

import statistics
import time
from dataclasses import dataclass
from functools import partial

SUBJECT = "Rolegate"
# The first that takes part: HAProxy cannot end a PostgreSQL client's TLS.
YARDSTICKS = ("HAProxy", "PgBouncer")


@dataclass(frozen=True)
class Goal:
    """For the ratio to the yardstick, or for the subject's own value."""
    limit: float
    at_least: bool = False
    absolute: bool = False

    def __str__(self):
        return f"{'>=' if self.at_least else '<='} {self.limit:.2f}{' itself' if self.absolute else ''}"

    def is_met(self, value):
        return value >= self.limit if self.at_least else value <= self.limit


def at_least(limit):
    return Goal(limit, at_least=True)


def at_most(limit):
    return Goal(limit)


class Measure:
    """`play` gives figures by name for one way; `derive` may add some that need those of the others of the round.

    More is better of the figures in `higher`, less of all others. `goals` are by figure.
    """

    def __init__(self, label, ways, play, rounds, goals=None, higher=(), derive=None):
        self.label, self.ways, self.wanted = label, ways, rounds
        self.mode = ways[0].mode
        # They are set against HAProxy; where that cannot take part there is nothing to hold the subject to.
        self.goals = goals if goals and any(way.name == YARDSTICKS[0] for way in ways) else {}
        self.higher = higher
        self._play, self._derive = play, derive
        self.rounds = []    # [{contender: {figure: value}}]
        self.seconds = 0.0  # that it took so far

    def play_round(self, turn, say):
        found, begin = {}, time.monotonic()
        turn %= len(self.ways)
        for way in self.ways[turn:] + self.ways[:turn]:
            say(f"{self.label} ({self.mode}) through {way.name}")
            found[way.name] = self._play(way)
        if self._derive:
            self._derive(found)
        self.rounds.append(found)
        self.seconds += time.monotonic() - begin

    # Outcome

    @property
    def yardstick(self):
        return next(name for name in YARDSTICKS if name in self.rounds[0])

    def figures(self):
        return list(self.rounds[0][SUBJECT])

    def median(self, name, figure):
        """None where this contender has no such figure."""
        values = [r[name][figure] for r in self.rounds if figure in r.get(name, {})]
        return statistics.median(values) if values else None

    def ratio(self, figure):
        pairs = [r[SUBJECT][figure] / r[self.yardstick][figure] for r in self.rounds if r[self.yardstick][figure] > 0]
        return statistics.median(pairs) if pairs else float("nan")

    def judged(self, figure):
        """What the goal is about: the ratio or the value."""
        goal = self.goals.get(figure)
        return self.median(SUBJECT, figure) if goal and goal.absolute else self.ratio(figure)


def play_all(measures, say):
    most = max(measure.wanted for measure in measures)
    for number in range(most):
        for place, measure in enumerate(measures):
            if number < measure.wanted:
                measure.play_round(number + place, partial(say, f"round {number + 1} of {most}"))
