# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who does the same work: vmherald, libvirt as its own clients see it, and libvirt as it is on the bus by libvirt-dbus. Each is a
stage with real QEMUs, and no two of them are there at the same time.

    with contender() as c:
        guest = c.start().create("name")"""
import contextlib
import os
import shutil

import buses
import figure_activation
import real
import stage
from client import Domain, options
from guests import Guest, emulator_of
from libvirt_stage import Libvirt, LibvirtDBus


class Ours:
    name = "vmherald"

    def __init__(self):
        self.stage = stage.Stage()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        try:
            return self.stage.__exit__(*error)
        finally:
            # As libvirt's: the next one would map all of a history in which there was a storm.
            shutil.rmtree(os.path.join(os.environ["XDG_RUNTIME_DIR"], "vmherald"), ignore_errors=True)

    def start(self):
        self.stage.start()
        return self

    def create(self, name):
        return Guest(name, real.create(self.stage, name).path, emulator_of(name))

    def pids(self):
        return [self.stage.pid]

    def receiver(self):
        return real.Receiver()

    def told(self, events):
        return events

    def reads(self, guest, count):
        """The command that asks for the state so often, and says how many microseconds each took."""
        return [stage.program("caller"), str(count), "get", guest.where]

    @contextlib.contextmanager
    def pending(self, guest, count):
        """So many calls wait for that QEMU, which does not answer."""
        domain = Domain(self.stage.connection, guest.where, guest.name)
        calls = [domain.send("Monitor", "Execute", "(ssa{sv})", "query-status", "",
                             options(timeout=int(stage.SECONDS * 1e6))) for _ in range(count)]
        # The service has them all when it answers what came behind them.
        self.stage.connection.call(stage.PATH, "org.freedesktop.DBus.Peer", "Ping")
        yield
        self.stage.connection.call(stage.PATH, "org.freedesktop.DBus.Peer", "Ping")
        if any(call.finished for call in calls):
            raise AssertionError("a call did not wait for QEMU")

    @staticmethod
    def first_reply():
        """Milliseconds from nothing to the first answer: the bus starts it."""
        with stage.Stage(buses.Daemon, services=figure_activation.services()) as place:
            place.callback(figure_activation.end_activated, place, stage.NAME)
            return figure_activation.activate(place, stage.NAME, stage.PATH)


CONTENDERS = (Ours, Libvirt, LibvirtDBus)
