#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pictures of a run, with numbers made up: they are well-formed, have as much in them as was measured, and all of it
lies within them."""
import math
import os
import tempfile
import types
import unittest
import xml.etree.ElementTree

import plot
from figure import Row

SVG = "{http://www.w3.org/2000/svg}"
MODULE = types.SimpleNamespace(NUMBER=4, TITLE="A <figure> & its title")
NUMBERS = [float(number) for number in range(1, 1001)]


def parsed(picture):
    """The root, which ElementTree makes of well-formed texts alone."""
    return xml.etree.ElementTree.fromstring(picture.encode())


def texts(root):
    return [element.text for element in root.iter(f"{SVG}text")]


def colours(root):
    return [element.get("fill") for element in root.iter(f"{SVG}rect")][1:]      # without the paper


def points(root):
    return [[tuple(map(float, point.split(","))) for point in line.get("points").split()]
            for line in root.iter(f"{SVG}polyline")]


class Aims(unittest.TestCase):
    def test_share(self):
        for wanted, row in ((0.5, Row("", 10, "ms", at_most=20)),
                            (0.8, Row("", 12, "ms", limit=10, at_most=1.5)),
                            (2, Row("", 40, "/s", limit=100, at_least=0.8)),
                            (math.inf, Row("", 0, "/s", limit=100, at_least=0.8)),
                            (None, Row("", 3, "calls", at_most=0)),
                            (None, Row("", 10, "ms"))):
            share = plot.share_of_aim(row)
            self.assertEqual(wanted, share if share is None else round(share, 9), row)

    def test_bars(self):
        """One for each row with an aim; what is far off stays within the picture, and its number is told."""
        rows = [Row("met <a> & \"b\"", 10, "ms", at_most=20), Row("missed", 90, "ms", at_most=20),
                Row("without", 10, "ms"), Row("nothing at all", 0, "/s", limit=100, at_least=0.8)]
        root = parsed(plot.bars([(MODULE, rows)]))
        self.assertEqual([plot.GOOD, plot.BAD, plot.BAD], colours(root))
        said = texts(root)
        for text in ("4  met <a> & \"b\"", "0.50", "4  missed", "4.50", "inf"):
            self.assertIn(text, said)
        self.assertNotIn("4  without", said)
        for bar in root.iter(f"{SVG}rect"):
            self.assertLessEqual(float(bar.get("x", 0)) + float(bar.get("width")), plot.WIDTH)
            self.assertLessEqual(float(bar.get("y", 0)) + float(bar.get("height")), float(root.get("height")))


class Distributions(unittest.TestCase):
    def draw(self, **samples):
        return parsed(plot.distributions("of <these>", Row("", 1, "µs", samples=samples)))

    def test_curve(self):
        """It goes from the best to the worst, and never back."""
        root = self.draw(ours=NUMBERS[::-1], theirs=[2 * number for number in NUMBERS])
        curves = points(root)
        self.assertEqual(2, len(curves))
        for curve in curves:
            self.assertEqual([x for x, _ in curve], sorted(x for x, _ in curve))
            self.assertEqual([y for _, y in curve], sorted((y for _, y in curve), reverse=True))
            self.assertTrue(all(0 <= x <= plot.WIDTH and 0 <= y <= float(root.get("height")) for x, y in curve))
        middles = [curve[len(curve) // 2][0] for curve in curves]
        self.assertLess(*middles)
        for text in ("of <these>", "ours", "theirs", "median 501 µs"):
            self.assertIn(text, texts(root))

    def test_all_the_same(self):
        for value in (0, 5):
            self.assertEqual(1, len(points(self.draw(ours=[value] * plot.CURVE_MIN))))

    def test_few_points(self):
        self.assertLess(len(points(self.draw(ours=list(range(1, 100001))))[0]), 1000)

    def test_ticks(self):
        self.assertEqual([2, 5, 10, 20], plot.ticks(1.5, 30))


class Files(unittest.TestCase):
    def test_which(self):
        """A distribution needs numbers, and enough of them."""
        rows = [Row("a", 1, "ms", at_most=2, samples={"few": NUMBERS[:plot.CURVE_MIN - 1], "words": ["a"] * 50}),
                Row("b", 1, "ms", samples={"ours": NUMBERS[:plot.CURVE_MIN], "few": [1, 2], "one": 3})]
        with tempfile.TemporaryDirectory() as folder:
            plot.write([(MODULE, rows)], folder)
            self.assertEqual(["aims.svg", "figure-4-2.svg"], sorted(os.listdir(folder)))
            for name, curves in (("aims.svg", 0), ("figure-4-2.svg", 1)):
                root = xml.etree.ElementTree.parse(os.path.join(folder, name)).getroot()
                self.assertEqual(f"{SVG}svg", root.tag)
                self.assertEqual(curves, len(points(root)))

    def test_nothing(self):
        self.assertEqual({}, plot.pictures([(MODULE, [Row("a", 1, "ms")]), (MODULE, [])]))


if __name__ == "__main__":
    unittest.main()
