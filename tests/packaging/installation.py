# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is to be installed (installed.txt), and what is."""
import glob
import json
import os
import re
import subprocess
import tempfile
import unittest

SOURCE = os.environ["VMHERALD_SOURCE"]
BUILD = os.environ["VMHERALD_BUILD"]
VERSION = os.environ["VMHERALD_VERSION"]
LIST = os.path.join(SOURCE, "tests", "packaging", "installed.txt")


def run(*command, **options):
    """What it says; the exception of its failure says that too."""
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def read_options(build):
    """Name -> value of a build's options, folders with the prefix before them, as they are installed to."""
    options = {option["name"]: option["value"]
               for option in json.loads(run("meson", "introspect", "--buildoptions", build))}
    for name in options:
        if name.endswith("dir") and isinstance(options[name], str):
            options[name] = os.path.join(options["prefix"], options[name])
    return options


def expand(path, build, options=None):
    """{prefix} and the like for what they are in a build."""
    values = (options or read_options(build)) | {"version": VERSION}
    return re.sub(r"\{(\w+)\}", lambda match: values[match.group(1)], path)


def wanted(build):
    """The paths that the list has for a build, sorted."""
    options = read_options(build)
    with open(LIST, encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    paths = []
    for line in lines:
        path = expand(line, build, options)
        folder, pattern = re.fullmatch(r"(.*?)(?:<(.*)>)?", path).groups()
        if pattern is None:
            paths.append(path)
            continue
        found = glob.glob(os.path.join(SOURCE, pattern))
        if not found:
            raise RuntimeError(f"{LIST}: {pattern}: there is none")
        paths += [os.path.join(folder, os.path.basename(name)) for name in found]
    return sorted(paths)


class Configured:
    """A build folder in which nothing is built: enough to ask what would be installed, and where."""

    def __init__(self, *options):
        self._place = tempfile.TemporaryDirectory(prefix="vmherald-test-setup-")
        self.path = self._place.name
        try:
            run("meson", "setup", "-Dtests=false", *options, self.path, SOURCE)
        except RuntimeError:
            self._place.cleanup()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._place.cleanup()

    def installed(self):
        return sorted(json.loads(run("meson", "introspect", "--installed", self.path)).values())


def install(destination):
    """Puts the build below destination, as a package does. Returns the paths without it, sorted."""
    run("meson", "install", "-C", BUILD, "--no-rebuild", env=os.environ | {"DESTDIR": destination})
    return sorted("/" + os.path.relpath(os.path.join(folder, name), destination)
                  for folder, folders, names in os.walk(destination) for name in names)


class InstalledCase(unittest.TestCase):
    """With the build as a package would install it, below cls.place; cls.paths are all its files."""

    @classmethod
    def setUpClass(cls):
        place = tempfile.TemporaryDirectory(prefix="vmherald-test-installed-")
        cls.addClassCleanup(place.cleanup)
        cls.place = place.name
        cls.paths = install(cls.place)
