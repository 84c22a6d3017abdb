# SPDX-License-Identifier: LGPL-2.1-or-later
"""What others take for the same work: a comparison is a module beside_NAME.py with NUMBER, TITLE and measure(settings), as a
figure (figure.py), but yields Comparisons."""
import dataclasses

from contenders import CONTENDERS
from figure import median
from real import TOLD
from stage import say

OURS = CONTENDERS[0].name


@dataclasses.dataclass
class Comparison:
    """One line: what each contender took, by its name. bounded: the names of those who had not done it when they were waited for
    no longer, so that it is more than the value. samples: name -> numbers."""
    name: str
    unit: str
    values: dict
    bounded: set = dataclasses.field(default_factory=set)
    samples: dict = dataclasses.field(default_factory=dict)

    def ratio(self, name):
        """Of theirs to ours, None if there is none."""
        ours = self.values[OURS]
        return self.values[name] / ours if ours else None


def in_turns(rounds, what, measure):
    """contender name -> what measure(contender class) said in each round. Each is first as often as it is last."""
    results = {contender.name: [] for contender in CONTENDERS}
    for number in range(rounds):
        for contender in CONTENDERS if number % 2 == 0 else reversed(CONTENDERS):
            say(f"{what}: round {number + 1}, {contender.name}")
            results[contender.name].append(measure(contender))
    return results


def medians(results, value):
    """contender name -> the median of value(result) of its rounds."""
    return {name: median([value(result) for result in of_rounds]) for name, of_rounds in results.items()}


def match(guests, emitted, told):
    """Gives what was told the stamps of what was emitted, guest by guest and in order, for some tell none; returns what was told.
    Whoever leaves one out is found out by the next, for STOP and RESUME take turns."""
    matched = []
    for number, guest in enumerate(guests):
        of_guest = iter([event for event in told if event.where == guest.where])
        had = next(of_guest, None)
        for event in (event for event in emitted if event.where == str(number)):
            if had and had.name == TOLD[event.name]:
                had.time = event.time
                matched.append(had)
                had = next(of_guest, None)
        if had:
            raise AssertionError(f"{guest.name}: {had.name} was told, and was not due")
    return matched
