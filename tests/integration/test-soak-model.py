# SPDX-License-Identifier: LGPL-2.1-or-later
"""The model that judges a soak run finds what is wrong, and nothing that is right."""
import unittest

from client import NAME, OBJECT_MANAGER, PATH, PROPERTIES, Signal
from soak_model import (ABSENT, CUT, OFF, OK, PAUSED, PERSISTENT, RUNNING, TRANSIENT, Belief, State,
                        Violation)
from soak_picture import Picture
from soak_plan import KILLING_ROUNDS, KILL_WEIGHTS, Plan

DEFINED = State(PERSISTENT, OFF, revision=1)


class BeliefCase(unittest.TestCase):
    def setUp(self):
        self.belief = Belief(DEFINED)

    def do(self, name, outcome, *arguments, **flags):
        self.belief.answer(self.belief.begin(name, *arguments, **flags), outcome)

    def refuses(self, name, outcome, *arguments):
        with self.assertRaises(Violation):
            self.do(name, outcome, *arguments)

    def settles(self, *states):
        """The truth may be each of these, and nothing else."""
        self.assertEqual(set(states), self.belief.outcomes())


class OneAfterTheOther(BeliefCase):
    def test_life(self):
        self.do("start", OK, False)
        self.settles(DEFINED._replace(run=RUNNING))
        self.do("suspend", OK)
        self.do("suspend", "WrongState")
        self.do("resume", OK)
        self.do("destroy", OK)
        self.settles(DEFINED)
        self.do("undefine", OK)
        self.settles(State())

    def test_answers_that_cannot_be(self):
        for name, outcome, arguments in (("suspend", OK, ()), ("start", "WrongState", (False,)),
                                         ("start", "StartFailed", (False,)), ("destroy", OK, ()),
                                         ("undefine", "UnknownObject", ()),
                                         ("create", OK, (False,)), ("drop-saved", OK, ()),
                                         ("set-autostart", "WrongState", (True,))):
            with self.subTest(name):
                self.setUp()
                self.refuses(name, outcome, *arguments)

    def test_answers_of_a_running_domain_that_cannot_be(self):
        for name, outcome, arguments in (("suspend", "WrongState", ()), ("start", OK, (False,)),
                                         ("query", "MonitorLost", ()), ("undefine", OK, ()),
                                         ("suspend", "MonitorTimeout", ()),
                                         ("detach", OK, ("d0",)),
                                         ("define", OK, (1, 2, False))):
            with self.subTest(name):
                self.setUp()
                self.do("start", OK, False)
                self.refuses(name, outcome, *arguments)

    def test_states_that_cannot_be(self):
        self.do("start", OK, False)
        for wrong in (DEFINED, DEFINED._replace(run=PAUSED), State(),
                      DEFINED._replace(run=RUNNING, revision=2)):
            with self.assertRaises(Violation):
                self.belief.settle(wrong)
        self.belief.settle(DEFINED._replace(run=RUNNING))

    def test_transient(self):
        self.belief = Belief()
        self.do("create", OK, True)
        self.settles(State(TRANSIENT, PAUSED))
        self.do("save", "WrongState")
        self.do("destroy", OK)
        self.settles(State())

    def test_devices(self):
        self.do("start", OK, False)
        self.do("attach", OK, "d0")
        self.do("attach", "DeviceExists", "d0")
        self.settles(DEFINED._replace(run=RUNNING, devices=frozenset({"d0"})))
        self.do("destroy", OK)
        self.settles(DEFINED)

    def test_saved(self):
        self.do("start", OK, False)
        self.do("save", OK)
        self.settles(DEFINED._replace(saved=True))
        self.do("start", OK, False)
        self.settles(DEFINED._replace(run=RUNNING))


class AtOnce(BeliefCase):
    def test_either_order(self):
        self.do("start", OK, False)
        suspend, resume = self.belief.begin("suspend"), self.belief.begin("resume")
        self.belief.answer(resume, OK)
        self.belief.answer(suspend, OK)
        self.settles(DEFINED._replace(run=RUNNING))

    def test_no_order(self):
        self.do("start", OK, False)
        one, other = self.belief.begin("suspend"), self.belief.begin("suspend")
        self.belief.answer(one, OK)
        with self.assertRaises(Violation):
            self.belief.answer(other, "UnknownObject")

    def test_call_that_ends_with_the_run(self):
        self.do("start", OK, False)
        query, destroy = self.belief.begin("query"), self.belief.begin("destroy")
        self.belief.answer(query, "MonitorLost")
        self.belief.answer(destroy, OK)
        self.settles(DEFINED)


class Disturbed(BeliefCase):
    def test_service_killed(self):
        """Nobody knows how far it came; but what is believed is still little."""
        number = self.belief.begin("define", 0, 2, True)
        self.belief.expect("service-died")
        self.belief.answer(number, CUT)
        self.settles(DEFINED, DEFINED._replace(revision=2, autostart=True))

    def test_killed_while_starting(self):
        number = self.belief.begin("start", False)
        self.belief.expect("service-died")
        self.belief.answer(number, CUT)
        self.assertIn(DEFINED, self.belief.outcomes())
        self.assertIn(DEFINED._replace(run=RUNNING), self.belief.outcomes())
        self.assertNotIn(State(), self.belief.outcomes())

    def test_qemu_killed(self):
        self.do("start", OK, False)
        self.belief.begin("died", False, awaited=False)
        self.settles(DEFINED)

    def test_qemu_killed_and_started_again(self):
        self.do("start", OK, False)
        self.belief.begin("died", True, awaited=False)
        self.settles(DEFINED._replace(run=RUNNING))
        with self.assertRaises(Violation):
            self.belief.settle(DEFINED)

    def test_reload_must_start(self):
        self.do("set-autostart", OK, True)
        self.belief.begin("autostart", awaited=False)
        self.settles(DEFINED._replace(run=RUNNING, autostart=True))

    def test_reload_may_start(self):
        self.do("set-autostart", OK, True)
        self.belief.expect("autostart")
        off = DEFINED._replace(autostart=True)
        self.settles(off, off._replace(run=RUNNING))
        self.belief.settle(off)
        self.settles(off)

    def test_killed_while_undefining(self):
        """What was saved may be left, but not if it was answered."""
        saved = DEFINED._replace(saved=True)
        self.belief = Belief(saved)
        number = self.belief.begin("undefine")
        self.belief.answer(number, CUT)
        self.settles(saved, State(saved=True), State())
        self.belief = Belief(saved)
        self.do("undefine", OK)
        self.settles(State())

    def test_hung(self):
        self.do("start", OK, False)
        self.do("suspend", "MonitorTimeout", foggy=True)
        self.belief.begin("suspend", awaited=False, lenient=True)
        self.settles(DEFINED._replace(run=RUNNING), DEFINED._replace(run=PAUSED))

    def test_still_waiting(self):
        self.belief.begin("start", False)
        with self.assertRaises(Violation):
            self.belief.settle(DEFINED)


DOMAIN_PATH = PATH + "/domain/_1"


class PictureCase(unittest.TestCase):
    def setUp(self):
        self.picture = Picture()
        self.sequence = 0
        self.previous = 0
        self.added("shut-off")

    def added(self, state):
        self.picture.take(Signal(PATH, OBJECT_MANAGER, "InterfacesAdded", "oa{sa{sv}}", (
            DOMAIN_PATH, {f"{NAME}.Domain": {"State": state, "PID": 0}})))

    def changed(self, **values):
        self.picture.take(Signal(DOMAIN_PATH, PROPERTIES, "PropertiesChanged", "sa{sv}as",
                                 (f"{NAME}.Domain", values, [])))

    def told(self, event, state, skip=0, previous=None):
        self.sequence += 1 + skip
        stamp = (self.sequence, self.previous if previous is None else previous, 0)
        self.previous = self.sequence
        self.picture.take(Signal(DOMAIN_PATH, f"{NAME}.Domain", "Lifecycle", "sss(ttt)a{sv}",
                                 (event, "reason", state, stamp, {})))

    def enter(self, event, state):
        self.changed(State=state)
        self.told(event, state)

    def run_up(self):
        self.enter("starting", "starting")
        self.enter("started", "running")

    def test_good(self):
        self.run_up()
        self.enter("suspended", "paused")
        self.enter("resumed", "running")
        self.enter("shutdown", "shutting-down")
        self.enter("stopped", "shut-off")
        self.run_up()
        self.assertEqual([], self.picture.differences(
            {DOMAIN_PATH: {f"{NAME}.Domain": {"State": "running", "PID": 0}}}))

    def test_events_out_of_place(self):
        for before, event in ((0, "started"), (0, "stopped"), (1, "resumed"), (1, "starting"),
                              (2, "started"), (2, "starting")):
            with self.subTest(f"{event} after {before}"):
                self.setUp()
                if before:
                    self.enter("starting", "starting")
                if before == 2:
                    self.enter("started", "running")
                with self.assertRaises(Violation):
                    self.enter(event, "running")

    def test_stopped_twice(self):
        self.run_up()
        self.enter("stopped", "shut-off")
        with self.assertRaises(Violation):
            self.enter("stopped", "shut-off")

    def test_state_not_told_before(self):
        with self.assertRaises(Violation):
            self.told("starting", "starting")

    def test_hole(self):
        self.run_up()
        self.changed(State="paused")
        with self.assertRaises(Violation):
            self.told("suspended", "paused", skip=1)

    def test_backwards(self):
        self.run_up()
        self.changed(State="paused")
        with self.assertRaises(Violation):
            self.told("suspended", "paused", skip=-1)

    def test_previous(self):
        self.run_up()
        self.changed(State="paused")
        with self.assertRaises(Violation):
            self.told("suspended", "paused", previous=1)

    def restart(self, killed, state):
        self.picture.service_gone(killed)
        self.added(state)

    def test_previous_over_a_kill(self):
        """It may be one of those that were lost, or none, of a domain that is new; and then it is as ever."""
        for previous, is_good in ((2, True), (3, True), (4, True), (0, True), (1, False), (5, False)):
            with self.subTest(previous=previous):
                self.setUp()
                self.run_up()
                self.restart(True, "running")
                self.changed(State="paused")
                if is_good:
                    self.told("suspended", "paused", skip=2, previous=previous)
                    self.changed(State="running")
                    with self.assertRaises(Violation):
                        self.told("resumed", "running", previous=previous)
                else:
                    with self.assertRaises(Violation):
                        self.told("suspended", "paused", skip=2, previous=previous)

    def test_previous_over_an_end(self):
        """Nothing was lost, so it is what it was."""
        self.run_up()
        self.restart(False, "running")
        self.changed(State="paused")
        with self.assertRaises(Violation):
            self.told("suspended", "paused", previous=0)

    def test_killed_service_may_lose_what_it_had_not_sent(self):
        self.run_up()
        self.restart(True, "running")
        self.changed(State="paused")
        self.told("suspended", "paused", skip=3)
        self.assertEqual(3, self.picture.holes)
        # But only there.
        self.changed(State="running")
        with self.assertRaises(Violation):
            self.told("resumed", "running", skip=1)

    def test_terminated_service_loses_nothing(self):
        self.run_up()
        self.restart(False, "running")
        self.changed(State="paused")
        with self.assertRaises(Violation):
            self.told("suspended", "paused", skip=1)

    def test_found_in_the_state_after_what_is_told(self):
        """A new service shows a domain as it is when its name is there, and then tells what led to it."""
        self.restart(True, "running")
        self.told("started", "paused")
        self.told("resumed", "running")
        with self.assertRaises(Violation):
            self.told("suspended", "paused")

    def test_objects(self):
        with self.assertRaises(Violation):
            self.added("running")
        self.picture.take(Signal(PATH, OBJECT_MANAGER, "InterfacesRemoved", "oas",
                                 (DOMAIN_PATH, [f"{NAME}.Domain"])))
        with self.assertRaises(Violation):
            self.changed(State="running")

    def test_differences(self):
        for managed in ({}, {DOMAIN_PATH: {f"{NAME}.Domain": {"State": "running", "PID": 0}}},
                        {DOMAIN_PATH: {f"{NAME}.Domain": {"State": "shut-off"}}}):
            self.assertEqual(1, len(self.picture.differences(managed)))


class PlanCase(unittest.TestCase):
    def steps(self, seed, rounds=2 * len(KILLING_ROUNDS)):
        plan = Plan(seed, 10)
        return [plan.round_steps() for _ in range(rounds)]

    def test_same_seed_same_steps(self):
        self.assertEqual(self.steps(1), self.steps(1))
        self.assertNotEqual(self.steps(1), self.steps(2))

    def test_what_is_stopped_goes_on(self):
        for steps in self.steps(3):
            hung = set()
            for step in steps:
                if step.action == "hang":
                    hung.add(step.slot)
                elif step.action == "go-on":
                    hung.remove(step.slot)
                else:
                    # It would wait for ever for what is under way.
                    self.assertFalse(step.slot in hung and not step.overlap, step)
            self.assertEqual(set(), hung)

    def test_kills_in_their_rounds(self):
        kills = [any(step.action in KILL_WEIGHTS for step in steps)
                 for steps in self.steps(4, 4 * len(KILLING_ROUNDS))]
        self.assertTrue(any(kills))
        for number, killed in enumerate(kills):
            self.assertFalse(killed and not KILLING_ROUNDS[number % len(KILLING_ROUNDS)])

    def test_everything_comes(self):
        actions = {step.action for steps in self.steps(5, 40) for step in steps}
        for action in ("define", "create", "start", "destroy", "kill", "hang", "go-on", "attach",
                       "save", "edited", "service-kill", "garbage", "steal", "vanish-start"):
            self.assertIn(action, actions)
        self.assertEqual(ABSENT, State().kind)


if __name__ == "__main__":
    unittest.main()
