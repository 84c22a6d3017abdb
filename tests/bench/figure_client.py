# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a program pays for listening by libvmherald, beside one that has the same match rules by sd-bus alone, and is told nothing of
what the bus has lost; and beside one that asks the service, when a rule begins, where its numbers are, as who wants to know
of a loss has to. What such a program takes beside the first is the share of the question, which the library cannot do without."""
import json

from figure import Row, median
from stage import Stage, run, say

NUMBER, TITLE = 10, "Listening by libvmherald"
FIRSTS, PAIRS, TOGETHER, EVENTS = 400, 10000, 10000, 100000
AIM = 1.2
BARE = "by sd-bus alone"
ASKING = "by sd-bus alone, with one question to the service"
CLIENTS = ("library", "bare", "asking")


class Sides:
    """What two clients take for the same, in turns: client -> what each of its rounds said."""

    def __init__(self, settings, read, *arguments, clients=("library", "bare")):
        self.said = {client: [] for client in clients}
        for number in range(settings.rounds):
            for client in clients if number % 2 == 0 else clients[::-1]:
                self.said[client].append(read(run("client-cost", client, *arguments)))

    def over_rounds(self, client, statistic):
        return median([statistic(said) for said in self.said[client]])

    def samples(self, statistic):
        return {client: [x for said in rounds for x in statistic(said)] for client, rounds in self.said.items()}


def pairs_of_numbers(text):
    return [tuple(float(number) for number in line.split()) for line in text.splitlines()]


def first(settings, uuid):
    count = settings.scaled(FIRSTS, 20)
    sides = Sides(settings, pairs_of_numbers, "first", count, uuid, clients=CLIENTS)
    for title, column, aim in (("from registering to the first event", 0, AIM), ("registering alone", 1, None)):
        def column_of(said, column=column):
            return [numbers[column] for numbers in said]

        def median_of(client, column_of=column_of):
            return sides.over_rounds(client, lambda said: median(column_of(said)))
        yield Row(title, median_of("library"), "us", median_of("bare"), BARE, at_most=aim,
                  samples=sides.samples(column_of))
        yield Row(f"{title} (asking)", median_of("library"), "us", median_of("asking"), ASKING, at_most=AIM)
        yield Row(f"{title}: what the question is of it", median_of("asking"), "us", median_of("bare"), BARE)


def pairs(settings):
    count = settings.scaled(PAIRS, 100)
    sides = Sides(settings, json.loads, "pairs", count, clients=CLIENTS)

    def each(client):
        return sides.over_rounds(client, lambda said: said["seconds"]) * 1e6 / count
    yield Row(f"{count:,} times registering and deregistering, each", each("library"), "us", each("bare"), BARE, at_most=AIM)
    yield Row(f"{count:,} of them (asking)", each("library"), "us", each("asking"), ASKING, at_most=AIM)
    yield Row(f"{count:,} of them: what the question is of it", each("asking"), "us", each("bare"), BARE)


def together(settings):
    count = settings.scaled(TOGETHER, 100)
    sides = Sides(settings, json.loads, "together", count, clients=CLIENTS)

    def each(client, what):
        return sides.over_rounds(client, lambda said: said[what]) * 1e6 / count
    yield Row(f"{count:,} registered at once, each", each("library", "seconds"), "us", each("asking", "seconds"), ASKING)
    yield Row("CPU of the program for that", each("library", "cpu"), "us", each("asking", "cpu"), ASKING)


def receive(settings, uuid, others):
    # dbus-daemon compares each event with each rule, which takes it a millisecond and more.
    count = settings.scaled(EVENTS // 20 if others else EVENTS, 1000)
    sides = Sides(settings, json.loads, "receive", count, uuid, others)
    beside = f", beside {others:,} others" if others else ""

    def cpu(client):
        return sides.over_rounds(client, lambda said: said["cpu"]) * 1e6 / count

    def rate(client):
        return count / sides.over_rounds(client, lambda said: said["seconds"])
    if not others:
        yield Row("events received in a storm of one domain", rate("library"), "/s", rate("bare"), BARE)
    yield Row(f"CPU of the program for an event{beside}", cpu("library"), "us", cpu("bare"), BARE)


def measure(settings):
    with Stage() as stage:
        path = stage.start().create_storms(1)[0].path
        uuid = path.rpartition("/_")[2].replace("_", "-")
        say("client: the first event")
        yield from first(settings, uuid)
        say("client: registering and deregistering")
        yield from pairs(settings)
        say("client: many at once")
        yield from together(settings)
        for others in (0, settings.scaled(TOGETHER, 100)):
            say(f"client: receiving, beside {others} others")
            yield from receive(settings, uuid, others)
