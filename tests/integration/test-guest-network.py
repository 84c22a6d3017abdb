# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real guest changes what its NIC is to receive, and packets come through."""
import harness
import linux
from harness import wait_until

FIRST, SECOND = "52:54:00:e1:00:01", "52:54:00:e1:00:02"
GROUP = "01:00:5e:7f:00:01"


class UserNetwork(harness.ServiceCase):
    """There is no link on the host: its filter is told, and there is nothing to follow it."""

    def setUp(self):
        linux.require(self)
        super().setUp()
        self.domain = self.define("user", **linux.keys("user", interfaces=[
            {"id": "net0", "type": "user", "mac": FIRST, "trust-guest-rx-filters": True}]))
        self.guest = linux.Guest(self.domain)
        self.addCleanup(self.guest.close)
        self.guest.start()

    def ping(self):
        return self.guest.try_run("ping -c 1 -W 20 10.0.2.2")

    def test_user_network(self):
        self.guest.run("ip link set eth0 up; ip address add 10.0.2.15/24 dev eth0")
        self.assertTrue(self.ping())
        self.guest.run(f"guest-nic set-mac eth0 {SECOND}")
        self.recorder.wait("Network.MacChanged", "net0", FIRST, SECOND)
        self.assertTrue(self.ping())
        self.guest.run(f"guest-nic join-mac eth0 {GROUP}")

        def told():
            return [s for s in self.recorder.find("Network.FilterChanged", "net0")
                    if GROUP in s.arguments[1]["multicast-table"]]
        wait_until(told, "the group in FilterChanged")
        self.assertEqual([], [key for key in told()[0].details if key.startswith("host-")])


if __name__ == "__main__":
    linux.build()
    harness.main()
