# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pictures of a run, as SVG: how far each row is from its limit, and how what was measured one by one is distributed."""
import html
import math
import os

WIDTH, LEFT, RIGHT = 900, 330, 90
BAR, ROW = 12, 22
COLOURS = ("#1f6fb2", "#c8553d", "#3f8f55", "#8a5fa8", "#a08020")
GOOD, BAD, INK, GRID = "#3f8f55", "#c8553d", "#222222", "#dddddd"
CURVE_MIN = 20                           # fewer numbers make no distribution


class Picture:
    def __init__(self, width, height, title):
        self.height = height
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                      f'font-family="sans-serif" font-size="12" fill="{INK}">',
                      f'<rect width="{width}" height="{height}" fill="white"/>']
        self.text(16, 24, title, size=15)

    def text(self, x, y, text, anchor="start", size=12, extra=""):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{extra}>'
                          f'{html.escape(text)}</text>')

    def line(self, x1, y1, x2, y2, colour=GRID, extra=""):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{extra}/>')

    def bar(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height}" fill="{colour}"/>')

    def curve(self, points, colour):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')

    def __str__(self):
        return "\n".join(self.parts + ["</svg>", ""])


def shortened(text, length):
    return text if len(text) <= length else text[:length - 1] + "…"


# ---- the whole table ----

def share_of_aim(row):
    """What was measured as a part of what it may be: up to 1 it is met, whichever way the aim goes. None: no aim."""
    compared = row.value if row.limit is None else row.ratio
    if row.at_most is not None:
        return compared / row.at_most if row.at_most else None
    if row.at_least is not None:
        return row.at_least / compared if compared else math.inf
    return None


def bars(results):
    """The rows that have an aim. Longer is worse, and the line is the aim."""
    rows = [(module, row, share_of_aim(row)) for module, rows in results for row in rows if share_of_aim(row) is not None]
    height = 76 + ROW * len(rows)
    picture = Picture(WIDTH, height, "What was measured, as a part of what the aim allows")
    scale = (WIDTH - LEFT - RIGHT) / 2.0             # twice the aim fits
    for tick in (0, 0.5, 1, 1.5, 2):
        x = LEFT + tick * scale
        picture.line(x, 40, x, height - 30)
        picture.text(x, height - 12, f"{tick:g}", "middle")
    for number, (module, row, share) in enumerate(rows):
        y = 48 + ROW * number
        picture.text(LEFT - 8, y + 10, shortened(f"{module.NUMBER}  {row.name}", 52), "end")
        picture.bar(LEFT, y, min(share, 2) * scale, BAR, GOOD if row.met else BAD)
        picture.text(LEFT + min(share, 2) * scale + 6, y + 10, f"{share:.2f}")
    picture.line(LEFT + scale, 40, LEFT + scale, height - 30, INK, ' stroke-width="1.5" stroke-dasharray="5 3"')
    picture.text(LEFT + scale + 4, 38, "aim", size=11)
    return str(picture)


# ---- distributions ----

def series(row):
    """name -> numbers, of those samples that are enough."""
    return {name: sorted(numbers) for name, numbers in row.samples.items()
            if isinstance(numbers, (list, tuple)) and len(numbers) >= CURVE_MIN and
            all(isinstance(number, (int, float)) for number in numbers)}


def ticks(low, high):
    """Of a logarithmic axis."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [factor * 10 ** exponent for exponent in exponents for factor in (1, 2, 5)
            if low <= factor * 10 ** exponent <= high]


def distributions(title, row):
    """Which part of them took at most so long."""
    left, top, width, height = 70, 50, 620, 330
    picture = Picture(WIDTH, 450, shortened(title, 100))
    found = series(row)
    # The first and the last hundredth would make the axis long for a few.
    least = max(1e-9, min(numbers[len(numbers) // 200] for numbers in found.values()))
    most = max(least * 1.5, max(numbers[-1 - len(numbers) // 200] for numbers in found.values()))
    span = math.log(most / least)

    def place(value):
        return left + width * min(1, max(0, math.log(max(value, least) / least) / span))
    for part in (0, 25, 50, 75, 99):
        y = top + height * (1 - part / 100)
        picture.line(left, y, left + width, y)
        picture.text(left - 8, y + 4, f"{part}", "end")
    for tick in ticks(least, most):
        picture.line(place(tick), top, place(tick), top + height)
        picture.text(place(tick), top + height + 18, f"{tick:,.6g}", "middle")
    picture.text(left + width / 2, top + height + 42, f"{row.unit or 'value'} (logarithmic)", "middle")
    picture.text(20, top + height / 2, "% of all, at most", "middle",
                 extra=f' transform="rotate(-90 20 {top + height / 2})"')
    for number, (name, numbers) in enumerate(found.items()):
        colour = COLOURS[number % len(COLOURS)]
        step = max(1, len(numbers) // 500)
        points = [(place(numbers[i]), top + height * (1 - (i + 1) / len(numbers)))
                  for i in [*range(0, len(numbers), step), len(numbers) - 1]]
        picture.curve(points, colour)
        y = top + 14 + 38 * number
        picture.bar(left + width + 20, y - 8, 14, 4, colour)
        picture.text(left + width + 40, y, shortened(name, 22))
        picture.text(left + width + 40, y + 15, f"median {numbers[len(numbers) // 2]:,.4g} {row.unit}", size=11)
    return str(picture)


def pictures(results):
    """File name -> SVG."""
    drawn = {}
    if any(share_of_aim(row) is not None for _, rows in results for row in rows):
        drawn["aims.svg"] = bars(results)
    for module, rows in results:
        for number, row in enumerate(rows):
            if series(row):
                drawn[f"figure-{module.NUMBER}-{number + 1}.svg"] = distributions(f"{module.TITLE}: {row.name}", row)
    return drawn


def write(results, folder):
    for name, picture in pictures(results).items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(picture)
