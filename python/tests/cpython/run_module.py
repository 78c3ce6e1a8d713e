"""Run one module of CPython's own suite and write down what became of each test.

    PYTHON run_module.py RESULTS MODULE [--plain] [--only ID...]

A line of RESULTS is an outcome (begin, ok, FAIL, skip) and a test's name, written at once: what a
crash or a hang leaves is known. Everything is patched first, but with --plain. Tests that RESULTS
has already are left out.
"""

import os
import sys
import tempfile
import unittest


def names(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from names(test)
        else:
            yield test


class Recorder(unittest.TextTestResult):
    results = None

    def note(self, outcome, test):
        self.results.write("%s %s\n" % (outcome, test.id()))
        self.results.flush()

    def startTest(self, test):
        self.note("begin", test)
        super().startTest(test)

    def addSuccess(self, test):
        self.note("ok", test)
        super().addSuccess(test)

    def addFailure(self, test, error):
        self.note("FAIL", test)
        super().addFailure(test, error)

    def addError(self, test, error):
        self.note("FAIL", test)
        super().addError(test, error)

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.note("FAIL", test)
        super().addSubTest(test, subtest, error)

    def addSkip(self, test, reason):
        self.note("skip", test)
        super().addSkip(test, reason)

    def addExpectedFailure(self, test, error):
        self.note("ok", test)
        super().addExpectedFailure(test, error)

    def addUnexpectedSuccess(self, test):
        self.note("FAIL", test)
        super().addUnexpectedSuccess(test)


def chosen(suite, done, only):
    """The suite without the tests that are done, or with `only` these."""
    kept = []
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            test = chosen(test, done, only)
            if test.countTestCases():
                kept.append(test)
        elif test.id() not in done and (only is None or test.id() in only):
            kept.append(test)
    return type(suite)(kept)


def main():
    results, module, options = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3:]
    plain = "--plain" in options
    only = set(options[options.index("--only") + 1:]) if "--only" in options else None
    if not plain:
        from bine import monkey

        monkey.patch_all()
    import faulthandler
    from test import support

    faulthandler.enable()
    # As regrtest without -u: no network, nothing that takes long.
    support.use_resources = ["subprocess"]
    support.verbose = 0
    done = set()
    if os.path.exists(results):
        with open(results) as file:
            done = {line.split(None, 1)[1].rstrip("\n") for line in file}
    with open(results, "a") as Recorder.results, tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            suite = chosen(unittest.defaultTestLoader.loadTestsFromName("test." + module), done,
                           only)
        except unittest.SkipTest as reason:
            print("skipped:", reason)
            Recorder.results.write("skip test.%s\n" % module)
            return
        unittest.TextTestRunner(sys.stdout, verbosity=2, resultclass=Recorder).run(suite)
        Recorder.results.write("end test.%s\n" % module)
        Recorder.results.flush()
        os.chdir("/")
    sys.stdout.flush()
    os._exit(0)  # threads that a failed test left do not keep it


if __name__ == "__main__":
    main()
