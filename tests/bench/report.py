# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of a run, its JSON, and pictures of it."""
import dataclasses
import json
import os
import platform
import time

import plot


def number(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def aim(row):
    if row.at_most is not None:
        return f"<= {number(row.at_most)}"
    return f">= {number(row.at_least)}" if row.at_least is not None else ""


def lines(results):
    yield f"{'':58}{'measured':>16}{'limit':>16}{'ratio':>8}{'aim':>9}"
    for module, rows in results:
        yield f"{module.NUMBER:>2}  {module.TITLE}"
        for row in rows:
            limit = f"{number(row.limit)} {row.unit}" if row.limit is not None else ""
            ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
            verdict = {None: "", True: "  met", False: "  MISSED"}[row.met]
            yield (f"    {row.name:54}{number(row.value) + ' ' + row.unit:>16}{limit:>16}{ratio:>8}"
                   f"{aim(row):>9}{verdict}")
            if row.limit_name:
                yield f"    {'':54}{'':16}  limit: {row.limit_name}"


def run_as_json(settings):
    return {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "machine": {"processors": os.cpu_count(), "kernel": platform.release()},
            "settings": dataclasses.asdict(settings)}


def as_json(results, settings):
    return dict(run_as_json(settings), figures=[
        {"number": module.NUMBER, "title": module.TITLE,
         "rows": [dict(dataclasses.asdict(row), ratio=row.ratio, met=row.met) for row in rows]}
        for module, rows in results])


def write_texts(table, document, folder, name):
    """To the terminal, and to files of that name in the folder."""
    os.makedirs(folder, exist_ok=True)
    text = "".join(line.rstrip() + "\n" for line in table)
    print(text, end="")
    with open(os.path.join(folder, f"{name}.txt"), "w", encoding="utf-8") as file:
        file.write(text)
    with open(os.path.join(folder, f"{name}.json"), "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.write("\n")


def write(results, settings, folder):
    write_texts(lines(results), as_json(results, settings), folder, "bench")
    plot.write(results, folder)
