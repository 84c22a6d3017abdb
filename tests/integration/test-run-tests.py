# SPDX-License-Identifier: LGPL-2.1-or-later
"""scripts/run-tests counts right, above all where meson's JUnit report looks better than the run
was."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

RUN_TESTS = os.environ["VMHERALD_RUN_TESTS"]


def case(name, verdict=None):
    return f'<testcase name="{name}">{f"<{verdict}/>" if verdict else ""}</testcase>'


def tap_suite(program, *cases):
    return f'<testsuite name="project.project:unit / {program}">{"".join(cases)}</testsuite>'


def single_results(*cases):
    return f'<testsuite name="project">{"".join(cases)}</testsuite>'


class RunTests(unittest.TestCase):
    def check(self, suites, verdicts, last_line, good, listed=(), output="", options=()):
        with tempfile.TemporaryDirectory() as build:
            logs = os.path.join(build, "meson-logs")
            os.mkdir(logs)
            if suites is not None:
                with open(os.path.join(logs, "testlog.junit.xml"), "w", encoding="utf-8") as file:
                    file.write(f"<testsuites>{''.join(suites)}</testsuites>")
                with open(os.path.join(logs, "testlog.json"), "w", encoding="utf-8") as file:
                    for program, verdict in verdicts.items():
                        json.dump({"name": f"project:unit / {program}", "result": verdict,
                                   "stdout": output}, file)
                        file.write("\n")
            run = subprocess.run([sys.executable, RUN_TESTS, "--only-sum", *options, build], check=False,
                                 encoding="utf-8", stdout=subprocess.PIPE)
        lines = run.stdout.splitlines()
        self.assertEqual(last_line, lines[-1])
        self.assertEqual(good, run.returncode == 0)
        self.assertEqual([f"{line} ({build})" for line in listed], lines[:len(listed)])

    def test_good(self):
        self.check([tap_suite("loop", case("1 - /loop/a"), case("2 - /loop/b")),
                    single_results(case("project:lint / spelling"))],
                   {"loop": "OK", "spelling": "OK"}, "3 passed, 0 failed, 0 skipped", True)

    def test_skipped_is_named(self):
        self.check([tap_suite("loop", case("1 - /loop/a"), case("2 - /loop/b", "skipped"))],
                   {"loop": "OK"}, "1 passed, 0 failed, 1 skipped", True,
                   ["skipped: loop: /loop/b"])

    def test_why_it_was_skipped(self):
        self.check([tap_suite("loop", case("1 - /loop/a"), case("2 - /loop/b", "skipped"))],
                   {"loop": "OK"}, "1 passed, 0 failed, 1 skipped", True,
                   ["skipped: loop: /loop/b: no namespaces: not permitted"],
                   "ok 1 - /loop/a\nok 2 - /loop/b # SKIP no namespaces: not permitted\n")

    def test_all_are_skipped(self):
        suites = [tap_suite("loop", case("1 - /loop/a", "skipped"))]
        self.check(suites, {"loop": "OK"}, "0 passed, 0 failed, 1 skipped", False)
        self.check(suites, {"loop": "OK"}, "0 passed, 0 failed, 1 skipped", True, options=["--may-skip-all"])
        self.check(None, {}, "0 passed, 1 failed, 0 skipped", False, options=["--may-skip-all"])

    def test_measurements_are_shown(self):
        self.check([tap_suite("loop", case("1 - /loop/a"))], {"loop": "OK"},
                   "1 passed, 0 failed, 0 skipped", True, ["loop: measured: a turn takes 3 us"],
                   "# began\nok 1 - /loop/a\n# measured: a turn takes 3 us\n1..1\n")

    def test_failed_case(self):
        self.check([tap_suite("loop", case("1 - /loop/a"), case("2 - /loop/b", "failure"))],
                   {"loop": "FAIL"}, "1 passed, 1 failed, 0 skipped", False,
                   ["failed: loop: /loop/b"])

    def test_died_after_good_cases(self):
        self.check([tap_suite("loop", case("1 - /loop/a"))], {"loop": "ERROR"},
                   "1 passed, 1 failed, 0 skipped", False, ["failed: loop: error"])

    def test_single_result_timed_out(self):
        self.check([single_results(case("project:lint / spelling"), case("project:lint / good"))],
                   {"spelling": "TIMEOUT", "good": "OK"}, "1 passed, 1 failed, 0 skipped", False,
                   ["failed: spelling: timeout"])

    def test_nothing_but_skipped(self):
        self.check([tap_suite("loop", case("1 - /loop/a", "skipped"))], {"loop": "SKIP"},
                   "0 passed, 0 failed, 1 skipped", False)

    def test_no_result(self):
        self.check(None, {}, "0 passed, 1 failed, 0 skipped", False)


if __name__ == "__main__":
    unittest.main()
