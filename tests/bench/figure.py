# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is measured, and what it is measured against.

A figure is a module figure_NAME.py with

    NUMBER, TITLE                 its place in the table, and the line above its rows
    measure(settings)             yields Rows

All that a row compares was measured in the same run, in turns: hours apart, the same machine is up to twice as
fast, so seconds by themselves say nothing."""
import dataclasses
import statistics


@dataclasses.dataclass
class Settings:
    """How thoroughly: rounds of each comparison, of which the median counts, and how much there is of each thing, as a
    part of what the aims are for (1.0)."""
    rounds: int = 5
    scale: float = 1.0

    def scaled(self, number, least=1):
        return max(least, round(number * self.scale))


@dataclasses.dataclass
class Row:
    """One line of the table. at_most, at_least: the aim, for the ratio of value to limit if there is a limit, for the value
    itself if there is none. Without an aim a row is there to be read. samples: name -> numbers, for the plots and for
    whoever looks into the JSON."""
    name: str
    value: float
    unit: str
    limit: float = None
    limit_name: str = ""
    at_most: float = None
    at_least: float = None
    samples: dict = dataclasses.field(default_factory=dict)

    @property
    def ratio(self):
        return self.value / self.limit if self.limit else None

    @property
    def met(self):
        """None without an aim."""
        compared = self.value if self.limit is None else self.ratio
        if self.at_most is not None:
            return compared <= self.at_most
        if self.at_least is not None:
            return compared >= self.at_least
        return None


def median(numbers):
    return statistics.median(numbers)


def percentile(numbers, percent):
    """The smallest that so many per cent do not exceed."""
    ordered = sorted(numbers)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
