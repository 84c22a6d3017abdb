# SPDX-License-Identifier: LGPL-2.1-or-later
"""unittest, told in TAP."""
import traceback
import unittest


class TapResult(unittest.TestResult):
    """One line for each case, whatever number of errors it has (sub-tests, cleanups)."""

    def __init__(self, stream):
        super().__init__()
        self.stream = stream
        self.directive = ""
        self.errors_of_case = None

    def _tell(self, test, directive, errors):
        name = test.id().removeprefix("__main__.").replace("#", "")
        self.stream.write(f"{'not ok' if errors else 'ok'}\t{name}{directive}\n")
        for error in errors:
            for line in error.splitlines():
                self.stream.write(f"# {line}\n")
        self.stream.flush()

    def _bad(self, test, error):
        text = f"{test}\n" + "".join(traceback.format_exception(*error))
        if self.errors_of_case is None:
            self._tell(test, "", [text])      # outside of cases: setUpClass() and the like
        else:
            self.errors_of_case.append(text)

    def startTest(self, test):
        super().startTest(test)
        self.directive = ""
        self.errors_of_case = []

    def stopTest(self, test):
        super().stopTest(test)
        self._tell(test, self.directive, self.errors_of_case)
        self.errors_of_case = None

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.directive = f" # SKIP {reason}"

    def addError(self, test, err):
        super().addError(test, err)
        self._bad(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._bad(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._bad(subtest, err)
