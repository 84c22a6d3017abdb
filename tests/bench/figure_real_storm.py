# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real QEMUs that stop and go on as fast as they can."""
import real
import stage
from figure import Row, median

NUMBER = 4
TITLE = "Storm of STOP and RESUME on 8 real QEMUs"
QEMUS, SECONDS = 8, 10.0
LATE_MS = 100


class Storm:
    def __init__(self, place, domains, seconds):
        cpu, self.before = stage.cpu_seconds(place.pid), stage.pss_bytes(place.pid)
        with real.Receiver() as receiver:
            emitted = real.trigger(domains, "storm", seconds)
            told = receiver.receive(len(emitted))
        real.check_told(domains, emitted, told)
        self.cpu = stage.cpu_seconds(place.pid) - cpu
        self.after = stage.pss_bytes(place.pid)
        self.events = len(emitted)
        last = max(event.time for event in emitted)
        self.seconds = (last - min(event.time for event in emitted)) / 1e6
        self.late = (max(event.received for event in told) / 1000 - last) / 1000
        self.latency = [event.latency for event in told]


def measure(settings):
    with stage.Stage() as place:
        place.start()
        domains = [real.create(place, f"storm{number}") for number in range(QEMUS)]
        storms = [Storm(place, domains, max(0.5, SECONDS * settings.scale)) for _ in range(settings.rounds)]

    yield Row("events delivered, of those emitted, in order", sum(len(s.latency) for s in storms) /
              sum(s.events for s in storms), "", at_least=1)
    yield Row("the last signal behind QEMU's last event", median([s.late for s in storms]), "ms", at_most=LATE_MS,
              samples={"late": [s.late for s in storms]})
    yield Row("events", median([s.events / s.seconds for s in storms]), "/s")
    yield Row("median latency", median([median(s.latency) for s in storms]) / 1000, "ms")
    yield Row("CPU of the service for 1,000 events", median([s.cpu / s.events for s in storms]) * 1e6, "ms")
    yield Row("memory of the service (PSS) before", storms[0].before / 1024, "KiB")
    yield Row("memory of the service (PSS) behind the last", storms[-1].after / 1024, "KiB")
