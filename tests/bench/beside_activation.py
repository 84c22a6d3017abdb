# SPDX-License-Identifier: LGPL-2.1-or-later
"""From nothing to the first answer, without a domain: of the service, which the bus starts; of libvirtd, to a client of its
own; of libvirtd and libvirt-dbus, which the bus starts."""
from comparison import Comparison, in_turns, medians

NUMBER = 5
TITLE = "From nothing to the first answer, without a domain"


def measure(settings):
    # The first libvirtd of all asks QEMU for its abilities; later ones remember.
    in_turns(1, "activation, for the caches", lambda contender: contender.first_reply())
    results = in_turns(max(3, settings.rounds), "activation", lambda contender: contender.first_reply())
    yield Comparison("first answer", "ms", medians(results, float), samples=results)
