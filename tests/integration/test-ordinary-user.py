# SPDX-License-Identifier: LGPL-2.1-or-later
"""A service without CAP_NET_ADMIN, as every user has one on the session bus: what needs no rights works, what needs
them fails with an error that says which, and changes nothing.

Root makes what an administrator would have made: a namespace with a link, a bridge, and two taps. Then everything, the bus,
the service, the cases, is an ordinary user."""
import json
import os
import pwd
import stat
import subprocess
import tempfile

import harness
import network
from harness import wait_until
from processes import FOLDER_VARIABLE

BRIDGE, OWN_TAP, OTHER_TAP = "bridge0", "tap-own", "tap-other"
TUN = "/dev/net/tun"
# Reasons: why what root is to make is not there, and why nobody can be another user.
UNMADE_VARIABLE, NO_USER_VARIABLE = "VMHERALD_TEST_UNMADE", "VMHERALD_TEST_NO_USER"


def ordinary_user():
    return pwd.getpwnam("nobody").pw_uid


def offer_tun():
    """Where everybody may open it, as on most systems."""
    if stat.S_IMODE(os.stat(TUN).st_mode) & 0o006 == 0o006:
        return
    # In our own mount namespace; its place goes with it.
    place = tempfile.mkdtemp(prefix="vmherald-test-dev-")
    network.ip("-t", "tmpfs", "tmpfs", place, program="mount")
    node = os.path.join(place, "tun")
    os.mknod(node, stat.S_IFCHR, os.stat(TUN).st_rdev)
    os.chmod(node, 0o666)
    network.ip("--bind", node, TUN, program="mount")
    network.ip(place, program="umount")
    os.rmdir(place)


def make_links(user):
    network.ip("link", "add", network.LOWER, "type", "veth", "peer", "name", network.PEER)
    network.ip("link", "set", network.LOWER, "up")
    network.add_bridge(BRIDGE)
    for name, owner in ((OWN_TAP, user), (OTHER_TAP, 0)):
        network.ip("tuntap", "add", "dev", name, "mode", "tap", "user", str(owner))
        network.ip("link", "set", name, "up")
    offer_tun()


class Case(harness.ServiceCase):
    def setUp(self):
        if NO_USER_VARIABLE in os.environ:
            self.skipTest(os.environ[NO_USER_VARIABLE])
        self.assertNotEqual(0, os.geteuid())
        super().setUp()

    def interfaces(self, domain):
        return domain.call("Network", "GetInterfaces", "(a{sv})", {})

    def run_domain(self, *interfaces):
        # On its bus a card can be plugged in without a port.
        domain = self.define("plain", machine="pc", interfaces=list(interfaces))
        domain.start(paused=True)
        return domain


class User(Case):
    def test_user(self):
        """QEMU's own network needs no rights."""
        domain = self.run_domain({"id": "net0", "type": "user"})
        wait_until(lambda: domain.get("Network", "Filters"), "the first look at the filter")
        found = self.interfaces(domain)["net0"]
        self.assertEqual("user", found["type"])
        self.assertEqual(found["mac"], found["guest"]["main-mac"])
        self.assertNotIn("host-interface", found)
        self.assertEqual("net1", domain.attach_interface({"type": "none"}))


class Links(Case):
    def setUp(self):
        if UNMADE_VARIABLE in os.environ:
            self.skipTest(os.environ[UNMADE_VARIABLE])
        super().setUp()
        self.links = network.links()

    def check_links(self):
        """The same links, and each one as it was."""
        def look():
            return {name: (link["ifindex"], link.get("master")) for name, link in network.links().items()}
        self.assertEqual({name: (link["ifindex"], link.get("master")) for name, link in self.links.items()},
                         look())

    def refused(self, interface, *words):
        """At a start, and when it is plugged in; nothing is left of either."""
        domain = self.define("refused", interfaces=[interface])
        starting = self.assert_fails("NotPermitted", domain.start)
        self.assertEqual("shut-off", domain.get("Domain", "State"))
        domain.undefine()
        domain = self.run_domain()
        before = domain.hmp("info network")
        for affect in ("live", "both"):
            plugging = self.assert_fails("NotPermitted", domain.attach_interface, interface, affect=affect)
            for text in (starting, plugging):
                for word in words:
                    self.assertIn(word, text)
        self.assertEqual({}, domain.get("Devices", "Devices"))
        self.assertEqual(before, domain.hmp("info network"))
        self.assertNotIn("interfaces", json.loads(domain.call("Domain", "GetDefinition", "(a{sv})", {})))
        domain.destroy()
        domain.undefine()
        self.check_links()
        return starting

    def test_macvtap(self):
        self.refused({"type": "macvtap", "source": network.LOWER}, "CAP_NET_ADMIN", "user", network.LOWER)

    def test_bridge(self):
        self.refused({"type": "bridge", "source": BRIDGE}, "CAP_NET_ADMIN", "user")

    def test_new_tap(self):
        self.refused({"type": "tap"}, "CAP_NET_ADMIN", "user")

    def test_tap_of_somebody_else(self):
        self.refused({"type": "tap", "source": OTHER_TAP}, "CAP_NET_ADMIN", OTHER_TAP)

    def test_own_tap(self):
        """It is used as it is, and stays."""
        self.assertIn("NO-CARRIER", network.link(OWN_TAP)["flags"])
        domain = self.run_domain({"id": "net0", "type": "tap", "source": OWN_TAP, "trust-guest-rx-filters": True})
        self.assertIn("LOWER_UP", network.link(OWN_TAP)["flags"])
        wait_until(lambda: domain.get("Network", "Filters"), "the first look at the filter")
        found = self.interfaces(domain)["net0"]
        self.assertEqual((OWN_TAP, OWN_TAP, True, []),
                         (found["source"], found["host-interface"], found["host"]["up"], found["differences"]))
        self.assertEqual(network.link(OWN_TAP)["address"], found["host"]["mac"])
        domain.destroy()
        wait_until(lambda: "NO-CARRIER" in network.link(OWN_TAP)["flags"], "QEMU to let go of the tap")
        self.check_links()

    def test_own_tap_plugged_in(self):
        domain = self.run_domain()
        name = domain.attach_interface({"type": "tap", "source": OWN_TAP})
        self.assertEqual("net0", name)
        self.assertIn("LOWER_UP", network.link(OWN_TAP)["flags"])
        domain.destroy()
        wait_until(lambda: "NO-CARRIER" in network.link(OWN_TAP)["flags"], "QEMU to let go of the tap")
        self.check_links()


def refuse(reason):
    os.environ.setdefault(UNMADE_VARIABLE, reason)


def main():
    if FOLDER_VARIABLE in os.environ:
        harness.main()
    if os.geteuid() != 0:
        refuse("only root can make the links that are there before")
        harness.main()
    user = ordinary_user()
    if subprocess.run(["test", "-r", __file__], user=user, check=False).returncode != 0:
        user = None
        os.environ[NO_USER_VARIABLE] = "an ordinary user cannot read the tests here"
    else:
        try:
            network.enter_new()
            make_links(user)
        except (OSError, RuntimeError) as error:
            refuse(f"the links that are there before cannot be made: {error}")
    harness.main(user=user)


if __name__ == "__main__":
    main()
