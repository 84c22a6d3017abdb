# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a thousand domains cost that have nothing to say, and whether one that has is heard as soon as if it were alone: it says an
event each 20 ms. What it takes alone is measured before the others come and after they have gone."""
from figure import Row, median
from listening import Subscriber, blow
from processes import end_process, wake_ups
from stage import SECONDS, Stage, data_bytes, descriptors, emulators, let_pass, pss_bytes, say, threads, wait_until

NUMBER, TITLE = 5, "1,000 domains on scripted QMP servers"
DOMAINS = 1000
EVENTS, INTERVAL_US = 150, 20000     # three seconds
IDLE_SECONDS = 30.0
QUIET_SECONDS = 1.0                  # nothing is under way any more


def wait_quiet(pid):
    """Until it has slept for a while: what the domains brought with them has been dealt with."""
    def is_quiet():
        before = wake_ups(pid)
        let_pass(QUIET_SECONDS)
        return wake_ups(pid) == before
    wait_until(is_quiet, "the service to fall asleep")


def latencies(domain, settings):
    """Microseconds from QEMU's time stamp to the subscriber, of each event."""
    count = settings.scaled(EVENTS, least=20)
    with Subscriber(count, latency=True) as subscriber:
        blow([domain], count, "x-pace", **{"interval-us": INTERVAL_US})
        return subscriber.heard()["latency"]


def rounds_of(domain, settings):
    return [median(latencies(domain, settings)) for _ in range(settings.rounds)]


def end_others(stage, domain):
    own = domain.get("Domain", "PID")
    for pid in emulators():
        if pid != own:
            end_process(pid)
    wait_until(lambda: len(stage.call("ListDomains", "(a{sv})", {})) == 1, "the others to go", SECONDS)
    wait_quiet(stage.pid)


def measure(settings):
    count = settings.scaled(DOMAINS, least=10)
    idle = IDLE_SECONDS * min(1.0, max(0.1, settings.scale))
    with Stage() as stage:
        domain, = stage.start().create_storms(1)
        say("thousand: one domain")
        one = rounds_of(domain, settings)
        wait_quiet(stage.pid)
        before = {read: read(stage.pid) for read in (pss_bytes, data_bytes, threads, descriptors)}
        say(f"thousand: {count} domains")
        stage.create_storms(count - 1, first=1)
        wait_quiet(stage.pid)
        after = {read: read(stage.pid) for read in before}
        woken = wake_ups(stage.pid)
        let_pass(idle)
        woken = wake_ups(stage.pid) - woken
        many = rounds_of(domain, settings)
        end_others(stage, domain)
        one += rounds_of(domain, settings)
    each = {read: (after[read] - before[read]) / (count - 1) for read in before}
    yield Row("memory per domain (PSS)", each[pss_bytes] / 1024, "KiB", at_most=16)
    yield Row("the same, without programs and libraries", each[data_bytes] / 1024, "KiB", at_most=16)
    yield Row("descriptors per domain", each[descriptors], "")
    yield Row("threads", after[threads], "", limit=before[threads], limit_name="with one domain", at_most=1)
    yield Row(f"wake-ups in {idle:.0f} s", woken, "", at_most=0)
    yield Row("median latency of a paced domain", median(many), "us", limit=median(one),
              limit_name="with one domain", at_most=1.2, samples={"one": one, "many": many})
