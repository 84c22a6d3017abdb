# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who listens (tests/bench/subscriber.c), and what there is to hear."""
import contextlib
import json
import subprocess

import stage

DOMAIN_PATHS = f"path_namespace='{stage.PATH}/domain'"


class Subscriber(contextlib.AbstractContextManager):
    """One program. Its rule is in force when this returns."""

    def __init__(self, count, rule=None, latency=False, stall=None):
        arguments = ["--rule", rule] if rule else []
        arguments += ["--latency"] if latency else []
        arguments += ["--stall", str(stall)] if stall else []
        self.count = count
        self.process = subprocess.Popen([stage.program("subscriber"), str(count), *arguments],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError("the subscriber could not listen")

    def heard(self):
        """What it says at its end, if it had all, and in order."""
        said = json.loads(self.process.communicate()[0])
        if said["received"] != self.count:
            raise AssertionError(f"{self.count - said['received']} of {self.count} signals were lost")
        if said["disordered"]:
            raise AssertionError(f"{said['disordered']} of {self.count} signals were out of order")
        return said

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def seconds(said):
    """From the first to the last."""
    return (said["last"] - said["first"]) / 1e9


def blow(domains, count, command="x-storm", **arguments):
    """All at once, count events of each of create_storms()."""
    calls = [domain.send("Monitor", "Execute", "(ssa{sv})", command,
                         json.dumps({"first": 0, "count": count, "kind": "rtc", **arguments}), {})
             for domain in domains]
    for call in calls:
        call.result(stage.SECONDS)
