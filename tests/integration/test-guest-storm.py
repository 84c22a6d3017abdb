# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real guest changes its NIC in all haste, and while the service is away; the macvtap on the host follows."""
import statistics
import time

import follow
import linux
import network
from follow import FIRST, SECOND, THIRD, group, mac, read_mac
from harness import note, wait_until
from processes import is_sanitized, private_memory

STORM_SECONDS = 3
QUERIES_A_SECOND, QUERY_INTERVAL = 10, 0.1
GROWTH_KIB_MAX = 512
CHANGES = 50


class Macvtap(follow.MacvtapCase):
    def start_service(self):
        """Any call does."""
        wait_until(lambda: self.domain.state == "running", "the domain to be found again")

    def test_service_is_killed(self):
        ours, theirs, away = group(7), group(8), group(9)
        self.add_on_host(theirs)
        self.join(ours, theirs)
        self.wait_groups(self.host, there=[ours, theirs])
        self.connection.kill_service()
        self.set_mac(SECOND)
        self.join(away)
        self.assertEqual(FIRST, read_mac(self.host))
        self.start_service()
        self.wait_mac(self.host, SECOND)
        self.wait_groups(self.host, there=[ours, theirs, away])
        self.ping()
        since = self.mark()
        self.set_mac(THIRD)
        self.wait_followed(THIRD, since=since)
        # What the service before has put there is known to be ours.
        self.leave(ours, theirs, away)
        self.wait_groups(self.host, there=[theirs], gone=[ours, away])
        self.ping()

    def test_service_is_killed_in_a_storm(self):
        storm = self.guest.send(f"guest-nic storm eth0 {STORM_SECONDS} {SECOND}")
        self.recorder.wait("Network.FilterChanged", "net0", since=self.since)
        self.connection.kill_service()
        self.start_service()
        self.assertEqual(0, self.guest.wait(storm)[0])
        self.wait_mac(self.host, SECOND)
        since = self.mark()
        self.set_mac(THIRD)
        self.wait_followed(THIRD, since=since)

    def storm(self, last):
        """Returns how many changes the guest has made, and what was told meanwhile."""
        since, began = self.mark(), time.monotonic()
        changes = int(self.guest.run(f"guest-nic storm eth0 {STORM_SECONDS} {last}"))
        self.wait_followed(last, since=since)
        told = self.recorder.find("Network.FilterChanged", "net0", since=since)
        self.assertLessEqual(len(told), (self.recorder.last - began) * QUERIES_A_SECOND + 2)
        self.assertEqual(last, read_mac(self.host))
        return changes, told

    def test_storm(self):
        """A guest that changes its MAC as fast as it can is followed at the speed that QEMU is asked with."""
        # Buffers grow to their size first.
        self.storm(SECOND)
        before = private_memory(self.connection.service_pid())
        changes, told = self.storm(THIRD)
        grown = private_memory(self.connection.service_pid()) - before
        note(f"storm: {changes} changes of the MAC in {STORM_SECONDS} s, {len(told)} signals; "
             f"the service has {grown} KiB more than after the storm before")
        self.assertGreater(changes, 2 * len(told))
        if not is_sanitized(self.connection.service_pid()):
            self.assertLess(grown, GROWTH_KIB_MAX)

    def test_time(self):
        """How long packets are lost for. Nothing is promised here, it is only told."""
        index = network.link(self.host)["ifindex"]
        to_link, to_signal = [], []
        self.put_back()
        with follow.LinkWatch() as watch:
            for number in range(CHANGES):
                # A change soon after another waits for its turn: that is not what is measured.
                wait_until(lambda: time.monotonic() > self.recorder.last + QUERY_INTERVAL, "a quiet time")
                address, first = mac(0x1000 + number), len(self.guest.lines)
                self.set_mac(address)
                signal = self.wait_followed(address)
                began = next(at for at, line in self.guest.lines[first:] if line == "@mark")
                to_link.append(watch.wait(index, address) - began)
                to_signal.append(self.recorder.seen[signal.sequence][0] - began)

        def tell(what, seconds):
            note(f"measured: {what}: median {statistics.median(seconds) * 1000:.1f} ms, maximum "
                 f"{max(seconds) * 1000:.1f} ms of {len(seconds)} changes of the MAC")
        tell("from the guest's word on its serial port just before the change to the kernel's RTM_NEWLINK of "
             "the macvtap with the new MAC", to_link)
        tell("from the same word to FilterChanged at a client", to_signal)


if __name__ == "__main__":
    linux.build()
    network.main()
