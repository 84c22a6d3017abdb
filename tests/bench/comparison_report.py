# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of a run beside others, and its JSON."""
import dataclasses
import json
import os

import report
from comparison import OURS
from contenders import CONTENDERS

NAMES = [contender.name for contender in CONTENDERS]
OTHERS = [name for name in NAMES if name != OURS]


def value(row, name):
    sign = "> " if name in row.bounded else ""
    return f"{sign}{report.number(row.values[name])} {row.unit}".rstrip()


def ratio(row, name):
    times = row.ratio(name)
    if times is None:
        return "-"
    return f"{'> ' if name in row.bounded else ''}{report.number(times)}"


def lines(results):
    yield f"{'':58}" + "".join(f"{name:>16}" for name in NAMES) + "   theirs / ours:" + \
        "".join(f"{name:>14}" for name in OTHERS)
    for module, rows in results:
        yield f"{module.NUMBER:>2}  {module.TITLE}"
        for row in rows:
            yield f"    {row.name:54}" + "".join(f"{value(row, name):>16}" for name in NAMES) + f"{'':17}" + \
                "".join(f"{ratio(row, name):>14}" for name in OTHERS)


def as_json(results, settings):
    return dict(report.run_as_json(settings), comparisons=[
        {"number": module.NUMBER, "title": module.TITLE,
         "rows": [dict(dataclasses.asdict(row), bounded=sorted(row.bounded),
                       ratios={name: row.ratio(name) for name in OTHERS}) for row in rows]}
        for module, rows in results])


def write(results, settings, folder):
    report.write_texts(lines(results), as_json(results, settings), folder, "bench-libvirt")
