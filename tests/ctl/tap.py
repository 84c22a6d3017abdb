# SPDX-License-Identifier: LGPL-2.1-or-later
"""unittest with TAP output, so that meson counts each case, and a way to run vmheraldctl."""

import os
import subprocess
import sys
import time
import unittest

# A hang fails the case; nothing here takes a tenth of it.
DEADLINE = 60


class TapResult(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.number = 0

    def line(self, ok, test, note=""):
        self.number += 1
        print(f"{'ok' if ok else 'not ok'} {self.number} - {test.id().split('.', 1)[1]}{note}", flush=True)

    def explain(self, test, error):
        for line in self._exc_info_to_string(error, test).splitlines():
            print("# " + line, flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.line(True, test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.explain(test, error)
        self.line(False, test)

    def addError(self, test, error):
        super().addError(test, error)
        self.explain(test, error)
        self.line(False, test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line(True, test, f" # SKIP {reason}")

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.explain(test, error)
        self.line(error is None, subtest)


def main():
    """Runs the cases of the calling script."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = TapResult()
    suite.run(result)
    print(f"1..{result.number}", flush=True)
    sys.exit(0 if result.wasSuccessful() and result.number else 1)


def wait_until(condition):
    """For what nobody tells: looks at it again and again."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it does not come true")
        time.sleep(0.01)


PROGRAM = os.environ.get("VMHERALDCTL", "vmheraldctl")


def environment(**changes):
    env = {key: value for key, value in os.environ.items()
           if key not in ("NO_COLOR", "LANGUAGE", "LANG", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")}
    env.update({"LC_ALL": "C", "TZ": "UTC", "TERM": "xterm"})
    env.update(changes)
    return env


class Outcome:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


def run(*arguments, stdin="", cwd=None, **changes):
    """Runs vmheraldctl to its end."""
    done = subprocess.run([PROGRAM, *arguments], input=stdin.encode(), capture_output=True,
                          cwd=cwd, env=environment(**changes), timeout=DEADLINE, check=False)
    return Outcome(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))
