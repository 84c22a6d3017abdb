# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvmherald as it is installed: what the headers declare, the symbol map lists and the library gives out is the same, and
a program needs no more to be built with it than it says."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import tap

SOURCE = os.environ["VMHERALD_SOURCE"]
LIBRARY = os.environ["VMHERALD_LIBRARY"]
FOLDER = os.path.join(SOURCE, "include", "vmherald")
HEADERS = sorted(name for name in os.listdir(FOLDER) if name.endswith(".h"))
# What every one of these has to be fit for.
WARNINGS = ["-pedantic", "-Wall", "-Wextra", "-Werror"]
C = ["cc", "-xc", "-std=c11", *WARNINGS]
CXX = ["c++", "-xc++", "-std=c++11", *WARNINGS]
# Of the library itself, besides the C library's.
NEEDED = {"libglib-2.0.so.0", "libgobject-2.0.so.0", "libgio-2.0.so.0", "libjson-glib-1.0.so.0", "libsystemd.so.0"}

PROGRAM = """#include <stdio.h>
#include <vmherald/vmherald.h>
int main(void) { return puts(vmh_error_code_to_string(VMH_ERROR_QEMU)) < 0; }
"""
PROGRAM_WITH_GLIB = """#include <vmherald/glib.h>
int main(void) { g_autoptr(VmhError) error = NULL; return vmh_event_register_glib(NULL) + (error ? 1 : 0); }
"""


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def run(command, text=None, **keys):
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, **keys)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def declared():
    """Names of the public functions of all headers."""
    names = []
    for header in HEADERS:
        text = re.sub(r"/\*.*?\*/", "", read(FOLDER, header), flags=re.S)
        names += re.findall(r"^VMH_PUBLIC [^;]*?\b(vmh_\w+)\(", text, re.M | re.S)
        # Without VMH_PUBLIC it would be declared, and hidden.
        for name in re.findall(r"\b(vmh_\w+)\(", text):
            if name not in names:
                raise AssertionError(f"{header}: {name} is not VMH_PUBLIC")
    return names


def flags_of_glib():
    return run(["pkg-config", "--cflags", "glib-2.0"]).split()


class Symbols(unittest.TestCase):
    def setUp(self):
        self.mapped = re.findall(r"^\t(vmh_\w+);$", read(SOURCE, "src", "client", "vmherald.map"), re.M)

    def exported(self):
        lines = run(["nm", "-D", "--defined-only", LIBRARY]).splitlines()
        return [line.split()[1:] for line in lines if not line.endswith(" A VMHERALD_0.1")]

    def test_headers_and_map_are_the_same(self):
        names = declared()
        self.assertGreater(len(names), 100)
        self.assertEqual(sorted(names), self.mapped)
        self.assertEqual(len(set(names)), len(names), "declared twice")

    def test_library_gives_out_the_same(self):
        names = []
        for kind, name in self.exported():
            plain, _, version = name.partition("@@")
            self.assertEqual(("T", "VMHERALD_0.1"), (kind, version), name)
            names.append(plain)
        self.assertEqual(self.mapped, sorted(names))

    def test_name_and_needs(self):
        lines = run(["readelf", "-d", LIBRARY])
        self.assertEqual(["libvmherald.so.0"], re.findall(r"SONAME.*\[(.*)\]", lines))
        needed = {name for name in re.findall(r"NEEDED.*\[(.*)\]", lines)
                  if not re.match(r"lib(c|m|asan|ubsan|tsan|gcc_s)\.so|ld-", name)}
        self.assertLessEqual(needed, NEEDED)


class Texts(unittest.TestCase):
    """What there is, is explained."""

    def setUp(self):
        self.page = read(SOURCE, "data", "man", "libvmherald.3")

    def test_each_function_has_a_comment(self):
        """Before it, or before the group of declarations that it stands in."""
        for header in HEADERS:
            for block in read(FOLDER, header).split("\n\n"):
                if "VMH_PUBLIC " in block and "#define" not in block:
                    # A group of one noun (vmh_domain_...) may have its words at the head of the section or the file.
                    with self.subTest(block.splitlines()[0]):
                        self.assertTrue("/*" in block or header == "domain.h", block)

    def test_manual_has_each_function_once(self):
        listed = re.findall(r"^(vmh_\w+)\(\)$", self.page, re.M)
        self.assertEqual(sorted(declared()), sorted(listed))
        for header in HEADERS:
            if header not in ("vmherald.h", "macros.h"):
                self.assertIn("<vmherald/" + header.replace("-", "\\-"), self.page)

    def test_manual_names_what_there_is(self):
        names = declared()
        for name in re.findall(r"\bvmh_\w+", self.page):
            self.assertIn(name, names)

    def test_manual_is_well_formed(self):
        if not shutil.which("man"):
            self.skipTest("there is no man")
        done = subprocess.run(["man", "--warnings=w", "-l", os.path.join(SOURCE, "data", "man", "libvmherald.3")],
                              capture_output=True, text=True, check=True, env=dict(os.environ, LC_ALL="C.UTF-8", MANWIDTH="100"))
        self.assertEqual("", done.stderr)

    def code(self, text, indent):
        lines = text[text.index("#include <stdio.h>"):].splitlines()
        end = next(number for number, line in enumerate(lines) if line.removeprefix(indent) == "}" and
                   any("int main" in before for before in lines[:number]))
        return "\n".join(line.removeprefix(indent) for line in lines[:end + 1]) + "\n"

    def test_examples_compile(self):
        """Those of the manual page and of README.md."""
        for text in (self.code(self.page, "").replace("\\e", "\\").replace("\\-", "-"),
                     self.code(read(SOURCE, "README.md"), "    ")):
            run([*C, "-Wno-unused-parameter", "-fsyntax-only", "-I" + os.path.join(SOURCE, "include"), "-"], text)


class Headers(unittest.TestCase):
    """Each compiles by itself, with nothing in the search path but them."""

    def compile(self, compiler, header):
        flags = flags_of_glib() if header == "glib.h" else []
        run([*compiler, "-fsyntax-only", "-I" + os.path.join(SOURCE, "include"), *flags, "-"],
            f"#include <vmherald/{header}>\n" * 2 + "typedef int anything;\n")

    def test_in_c(self):
        for header in HEADERS:
            with self.subTest(header):
                self.compile(C, header)

    @unittest.skipUnless(shutil.which("c++"), "there is no C++ compiler")
    def test_in_c_plus_plus(self):
        for header in HEADERS:
            with self.subTest(header):
                self.compile(CXX, header)

    def test_the_one_has_all(self):
        text = read(FOLDER, "vmherald.h")
        for header in HEADERS:
            if header not in ("vmherald.h", "glib.h", "macros.h"):
                self.assertIn(f"#include <vmherald/{header}>\n", text)


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = tempfile.mkdtemp(prefix="vmherald-test-")
        cls.addClassCleanup(shutil.rmtree, cls.stage)
        run([os.environ["VMHERALD_MESON"], "install", "--no-rebuild", "--quiet", "-C", os.environ["VMHERALD_BUILD"],
             "--tags", "devel,runtime", "--destdir", cls.stage])
        folders = [place for place, _, files in os.walk(cls.stage) if "vmherald.pc" in files]
        if len(folders) != 1:
            raise AssertionError(f"vmherald.pc is in {folders}")
        cls.pc = folders[0]
        # As it would be in place: what is installed to a folder of its own is moved there.
        for name in ("vmherald.pc", "vmherald-glib.pc"):
            text = read(cls.pc, name)
            with open(os.path.join(cls.pc, name), "w", encoding="utf-8") as file:
                file.write(re.sub("^prefix=", "prefix=" + cls.stage, text, flags=re.M))

    def pkg_config(self, *arguments, alone=False):
        """alone: no other package is installed."""
        environment = dict(os.environ, **{"PKG_CONFIG_LIBDIR" if alone else "PKG_CONFIG_PATH": self.pc})
        return run(["pkg-config", *arguments], env=environment).split()

    def build(self, program, flags, compiler="cc"):
        path = os.path.join(self.stage, "program")
        language = "c" if compiler == "cc" else "c++"
        source = f"{path}.{language}"
        with open(source, "w", encoding="utf-8") as file:
            file.write(program)
        sanitizers = os.environ.get("VMHERALD_SANITIZERS", "none")
        run([compiler, *WARNINGS, *([] if sanitizers == "none" else [f"-fsanitize={sanitizers}"]), source, "-o", path,
             *flags])
        folder = self.pkg_config("--variable=libdir", "vmherald", alone=True)[0]
        return run([path], env=dict(os.environ, LD_LIBRARY_PATH=folder))

    def test_all_headers(self):
        folder = self.pkg_config("--variable=includedir", "vmherald", alone=True)[0]
        self.assertEqual(HEADERS, sorted(os.listdir(os.path.join(folder, "vmherald"))))

    def test_needs_no_other_package(self):
        flags = self.pkg_config("--cflags", "--libs", "vmherald", alone=True)
        self.assertEqual("qemu-error\n", self.build(PROGRAM, flags))

    def test_in_c_plus_plus(self):
        if not shutil.which("c++"):
            self.skipTest("there is no C++ compiler")
        flags = self.pkg_config("--cflags", "--libs", "vmherald", alone=True)
        self.assertEqual("qemu-error\n", self.build(PROGRAM, flags, "c++"))

    def test_with_glib(self):
        self.build(PROGRAM_WITH_GLIB, self.pkg_config("--cflags", "--libs", "vmherald-glib"))

    def test_programs_need_the_soname(self):
        flags = self.pkg_config("--cflags", "--libs", "vmherald", alone=True)
        self.build(PROGRAM, flags)
        lines = run(["readelf", "-d", os.path.join(self.stage, "program")])
        self.assertIn("[libvmherald.so.0]", lines)
        self.assertNotIn("libglib", lines)


if __name__ == "__main__":
    tap.main()
