# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was told can be fetched once more: by who comes late, and by who has missed something. The service keeps
few events here, so that its history is left behind soon."""
import os
import signal

import harness
import life
from harness import Gio, GLib, NAME, PATH

EVENTS_MAX = 64
SNAPSHOTS = 50
STOPS = 2000
MANAGER = f"{NAME}.Manager"


def comparable(value):
    """A signal of the recorder and an entry of the answer, in one form."""
    if isinstance(value, tuple) and not hasattr(value, "interface"):
        sequence, previous, time, path, interface, member, arguments = value
        assert arguments[-2] == (sequence, previous, time), value
        return path, interface, member, tuple(arguments)
    return value.path, value.interface, value.member, tuple(value.arguments)


def event_filter(any_of=None, **values):
    types = {"domain": "o", "after": "t"}
    keys = {key: GLib.Variant(types.get(key, "s"), value) for key, value in values.items()}
    if any_of is not None:
        keys["any-of"] = GLib.Variant("aa{sv}", [event_filter(**each) for each in any_of])
    return keys


class History(life.LifeCase):
    def get_events(self, after=0, limit=0, **values):
        return self.manager("GetEvents", "(ta{sv}u)", after, event_filter(**values), limit)

    def count_events(self, after=0, **values):
        return self.manager("CountEvents", "(ta{sv})", after, event_filter(**values))

    def last(self):
        return self.connection.get(PATH, MANAGER, "LastSequence")

    def oldest(self):
        return self.connection.get(PATH, MANAGER, "OldestSequence")

    def told(self, after):
        """What the recorder has, behind a call on its own connection that was answered behind it."""
        last = self.last()
        harness.wait_until(lambda: self.recorder.events() and
                           self.recorder.events()[-1].sequence >= last, "the signals")
        return [comparable(s) for s in self.recorder.events() if s.sequence > after]

    def make_events(self, domain, pairs):
        for _ in range(pairs):
            domain.call("Domain", "Suspend")
            domain.call("Domain", "Resume")

    def check_same(self, after):
        complete, last, events = self.get_events(after)
        self.assertTrue(complete)
        self.assertEqual(self.last(), last)
        self.assertEqual(self.told(after), [comparable(e) for e in events])
        return events

    def test_what_was_told(self):
        start = self.last()
        domain = self.define("a", machine="none")
        domain.start()
        self.make_events(domain, 2)
        events = self.check_same(start)
        self.assertEqual(list(range(start + 1, self.last() + 1)), [e[0] for e in events])
        self.assertEqual([], self.get_events(self.last())[2])
        self.assertEqual(events[3:], self.get_events(events[2][0])[2])

    def test_filters(self):
        start = self.last()
        domains = [self.define(name, machine="none") for name in "ab"]
        for domain in domains:
            domain.start()
            self.make_events(domain, 1)
        events = self.get_events(start)[2]

        def of(function):
            found = [e for e in events if function(e)]
            self.assertNotEqual([], found)
            self.assertLess(len(found), len(events))
            return True, self.last(), found

        def check(expected, **values):
            complete, last, events = expected
            self.assertEqual(expected, self.get_events(start, **values))
            self.assertEqual((complete, last, len(events)), self.count_events(start, **values))
        check(of(lambda e: e[3] == domains[1].path), domain=domains[1].path)
        check(of(lambda e: e[6][0] == "suspended"), arg0="suspended")
        check(of(lambda e: e[3] == domains[0].path and e[6][0] == "started"),
              domain=domains[0].path, arg0="started", interface=f"{NAME}.Domain", member="Lifecycle")
        for nothing in ({"interface": f"{NAME}.Block"}, {"member": "lifecycle"}, {"arg0": ""},
                        {"domain": f"{PATH}/domain/_00000000_0000_4000_8000_000000000000"},
                        {"any_of": [{"after": self.last()}]}):
            check((True, self.last(), []), **nothing)
        # Several subscriptions, each from where it stands.
        check(of(lambda e: e[6][0] in ("suspended", "defined")),
              any_of=[{"arg0": "suspended"}, {"arg0": "defined"}, {"member": "Reset"}])
        check(of(lambda e: e[6][0] == "suspended" and e[3] == domains[0].path),
              any_of=[{"domain": domains[0].path}], arg0="suspended")
        middle = events[len(events) // 2][0]
        check(of(lambda e: e[0] > (start if e[3] == domains[0].path else middle)),
              any_of=[{"domain": domains[0].path},
                      {"domain": domains[1].path, "after": middle}])

    def test_pages(self):
        start = self.last()
        domain = self.define("a", machine="none")
        domain.start()
        self.make_events(domain, 5)
        whole = self.get_events(start)[2]
        pages, after = [], start
        while after < self.last():
            complete, last, events = self.get_events(after, 3)
            self.assertTrue(complete)
            self.assertLessEqual(len(events), 3)
            self.assertGreater(last, after)
            pages += events
            after = last
        self.assertEqual(whole, pages)

    def test_left_behind(self):
        """complete says that something is not there any more; what is there still comes."""
        domain = self.define("a", machine="none")
        domain.start()
        start = self.last()
        self.make_events(domain, EVENTS_MAX)
        complete, last, events = self.get_events(start)
        self.assertFalse(complete)
        self.assertEqual(EVENTS_MAX, len(events))
        self.assertEqual(self.last(), last)
        self.assertEqual(self.oldest(), events[0][0])
        self.assertEqual(self.told(self.oldest() - 1), [comparable(e) for e in events])
        self.assertEqual((False, self.last(), EVENTS_MAX), self.count_events(start))
        self.assertEqual((True, self.last(), EVENTS_MAX), self.count_events(self.oldest() - 1))
        self.assertTrue(self.get_events(self.oldest() - 1)[0])
        self.assertFalse(self.get_events(self.oldest() - 2)[0])

    def test_left_behind_by_others(self):
        """Who asks for few is not told that something is missing because others had many."""
        quiet, loud = (self.define(name, machine="none") for name in ("quiet", "loud"))
        start = self.last()
        quiet.start()
        loud.start()
        seen = self.last()
        self.make_events(loud, EVENTS_MAX)
        nothing = True, self.last(), 0
        for asked in ({"domain": quiet.path}, {"member": "Reset"}, {"interface": f"{NAME}.Block"},
                      {"any_of": [{"domain": quiet.path}, {"domain": loud.path, "after": self.last()}]}):
            self.assertEqual(nothing, self.count_events(seen, **asked), asked)
            self.assertEqual((True, self.last(), []), self.get_events(seen, **asked), asked)
        self.assertFalse(self.count_events(start, domain=quiet.path)[0])
        self.assertFalse(self.count_events(seen, domain=loud.path)[0])
        self.assertFalse(self.count_events(seen, member="Lifecycle")[0])
        # What it was before the start of the service, nobody knows.
        self.connection.kill_service()
        self.assertFalse(self.count_events(seen, domain=quiet.path)[0])
        self.assertTrue(self.count_events(self.oldest() - 1, domain=quiet.path)[0])

    def test_refused(self):
        invalid = "InvalidArgument"
        for ask in (self.get_events, self.count_events):
            self.assert_fails(invalid, ask, self.last() + 1)
            self.assert_fails(invalid, ask, 2 ** 64 - 1)
            self.assert_fails(invalid, ask, domain="/somewhere")
            self.assert_fails(invalid, ask, sender="me")
            self.assert_fails(invalid, ask, after_all="me")
            self.assert_fails(invalid, ask, any_of=[])
            self.assert_fails(invalid, ask, any_of=[{}] * 65)
            text = self.assert_fails(invalid, ask, any_of=[{}, {"sender": "me"}])
            self.assertIn("any-of[1]: options: 'sender' is not known here", text)
            self.assertEqual((True, self.last()), ask(self.last(), any_of=[{}] * 64)[:2])
        self.assert_fails(invalid, self.manager, "GetEvents", "(ta{sv}u)", 0,
                          {"member": GLib.Variant("u", 5)}, 0)

    def test_killed(self):
        """The history, and the chain of each kind, go on over a kill of the service."""
        start = self.last()
        domain = self.define("a", machine="none")
        domain.start()
        self.make_events(domain, 3)
        before = self.get_events(start)[2]
        for _ in range(3):
            self.connection.kill_service()
            self.make_events(domain, 1)
            self.assertEqual(before, self.get_events(start)[2][:len(before)])
            before = self.check_same(start)
        last = {}
        for sequence, previous, _time, path, interface, member, arguments in before:
            key = path, interface, member
            self.assertEqual(last.get(key, previous), previous)
            of_domain = arguments[-1].get("domain-previous", previous)
            self.assertEqual(last.get(path, of_domain), of_domain)
            last[key] = last[path] = sequence

    def test_chain_of_a_domain(self):
        """Each names the one before it of its kind and of its domain, from the first on and over kills of the
        service; who comes again after he was undefined begins anew."""
        domains = [self.define(name, machine="none") for name in "ab"]
        for _ in range(2):
            for domain in domains:
                domain.start()
                self.make_events(domain, 2)
                domain.qmp("system_reset")
                self.recorder.wait("Domain.Reset", path=domain.path)
            self.connection.kill_service()
            for domain in domains:
                domain.destroy()
        life.settle(self.connection, self.recorder)
        events = self.recorder.events()
        life.check_stamps(self, events)
        first, second = (next(s for s in events if s.path == d.path and s.member == "Reset")
                         for d in domains)
        for reset in (first, second):
            self.assertEqual(0, reset.previous)
            self.assertIn("domain-previous", reset.arguments[-1])
        uuid = domains[0].get("Domain", "UUID")
        domains[0].undefine()
        mark = self.mark()
        self.define("a", machine="none", uuid=uuid)
        defined = self.recorder.wait("Domain.Lifecycle", "defined", path=domains[0].path, since=mark)
        self.assertEqual((0, 0), (defined.previous, defined.domain_previous))

    def test_snapshot(self):
        """Who listens, and then reads the state, has neither a hole nor a double: what was read is what the signals
        before it made of it, on one connection, however many of them wait because the bus was slow."""
        domain = self.define("a", machine="none", arguments=life.second_monitor("a"))
        domain.start()
        monitor = life.SecondMonitor("a")
        self.addCleanup(monitor.close)
        bus, seen, answers = self.connection.bus, ["running"], []
        subscription = bus.signal_subscribe(
            NAME, f"{NAME}.Domain", "Lifecycle", domain.path, None, Gio.DBusSignalFlags.NONE,
            lambda *arguments: seen.append(arguments[-1].unpack()[2]))
        self.addCleanup(bus.signal_unsubscribe, subscription)

        def read(member, path, interface, signature, arguments, state_of):
            bus.call(NAME, path, interface, member, GLib.Variant(signature, arguments), None,
                     Gio.DBusCallFlags.NONE, -1, None, lambda bus, result: answers.append(
                         (member, state_of(bus.call_finish(result).unpack()[0]), seen[-1])))
        daemon = self.connection.call_bus("GetConnectionUnixProcessID", "(s)", "org.freedesktop.DBus")
        os.kill(daemon, signal.SIGSTOP)
        try:
            for _ in range(STOPS):
                monitor.execute("stop")
                monitor.execute("cont")
            monitor.execute("stop")
            for _ in range(SNAPSHOTS):
                read("Get", domain.path, harness.PROPERTIES, "(ss)", (f"{NAME}.Domain", "State"),
                     lambda value: value)
                read("GetAll", domain.path, harness.PROPERTIES, "(s)", (f"{NAME}.Domain",),
                     lambda value: value["State"])
                read("GetManagedObjects", PATH, harness.OBJECT_MANAGER, "()", (),
                     lambda value: value[domain.path][f"{NAME}.Domain"]["State"])
                read("ListDomains", PATH, MANAGER, "(a{sv})", ({},), lambda value: value[0][3])
            bus.flush_sync(None)
        finally:
            os.kill(daemon, signal.SIGCONT)
        harness.wait_until(lambda: len(answers) == 4 * SNAPSHOTS and len(seen) == 2 * STOPS + 2,
                           "the answers and the signals")
        self.assertEqual([], [answer for answer in answers if answer[1] != answer[2]])

    def test_undefined_meanwhile(self):
        """Who comes too late for a domain still learns what became of it."""
        start = self.last()
        domain = self.define("a", machine="none")
        domain.undefine()
        events = self.get_events(start, domain=domain.path)[2]
        self.assertEqual(["defined", "undefined"], [e[6][0] for e in events])


if __name__ == "__main__":
    harness.main(f"--history-events={EVENTS_MAX}")
