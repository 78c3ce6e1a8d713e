"""python -m bine.gevent --enable, --disable, --status: Bine in gevent's place for all
programs of an environment."""

import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile

import bine
import pytest

_says = "import gevent, sys; print('bine' if 'bine.gevent' in sys.modules else gevent.__version__)"
_version = "import importlib.metadata; print(importlib.metadata.version('gevent'))"


class Environment:
    """A new virtual environment with Bine in it."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "env")
        venv.create(self.folder, symlinks=True)
        self.python = os.path.join(self.folder, "bin", "python")
        self.site = self.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
        _install(self.site)

    def run(self, *args, status=0, **variables):
        """What python prints, on both its streams."""
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("PYTHONPATH", "BINE_GEVENT")}
        done = subprocess.run([self.python, *args], env=dict(environment, **variables),
                              cwd=self.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120)
        output = done.stdout.decode().rstrip("\n")
        assert done.returncode == status, (args, done.returncode, output)
        return output

    def command(self, *args, status=0, **variables):
        return self.run("-m", "bine.gevent", *args, status=status, **variables)

    def pip(self, *args):
        """What the pip of the tests' own environment prints that works on this one."""
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check",
                   "--python", self.python]
        return subprocess.run(command + list(args), stdout=subprocess.PIPE, check=True,
                              timeout=120).stdout.decode()

    def files(self):
        return sorted(os.path.relpath(os.path.join(where, name), self.site)
                      for where, _, names in os.walk(self.site) for name in names
                      if "gevent" in os.path.relpath(where, self.site).split("/")[0] or
                      "gevent" in name and where in (
                          self.site, os.path.join(self.site, "__pycache__")))

    def without_gevent(self):
        assert "No module named 'gevent'" in self.run("-c", _says, status=1)
        assert "PackageNotFoundError" in self.run("-c", _version, status=1)
        assert self.files() == []


def _install(site):
    """The package that is being tested, as it is installed here."""
    shutil.copytree(os.path.dirname(bine.__file__), os.path.join(site, "bine"))


def _install_another_gevent(site, version):
    os.mkdir(os.path.join(site, "gevent"))
    with open(os.path.join(site, "gevent", "__init__.py"), "w") as file:
        file.write("__version__ = %r\n" % version)
    os.mkdir(os.path.join(site, "gevent-%s.dist-info" % version))
    with open(os.path.join(site, "gevent-%s.dist-info" % version, "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\nName: gevent\nVersion: %s\n" % version)


def test_bine_in_gevents_place_and_out_of_it_again():
    with tempfile.TemporaryDirectory() as folder:
        env = Environment(folder)
        env.without_gevent()
        assert env.command("--status", status=1).splitlines() == [
            "Bine is not in gevent's place", "No real gevent is installed",
            "Metadata of gevent: none"]
        for _ in range(2):  # twice is no error
            assert env.command("--enable") == "Bine is in gevent's place (%s)" % env.site
        assert env.run("-c", _says) == "bine" and env.run("-c", _version) == "26.9.0"
        assert env.run("-c",
                       "import gevent.monkey, bine.gevent; assert gevent is bine.gevent; "
                       "print(gevent.monkey.__name__)") == "bine.gevent.monkey"
        assert env.command("--status").splitlines() == [
            "Bine is in gevent's place (%s)" % env.site, "No real gevent is installed",
            "Metadata of gevent: 26.9.0 (Bine's)"]
        assert env.command("--disable").splitlines() == [
            "Bine is not in gevent's place any more (%s)" % env.site, "No gevent is installed"]
        env.without_gevent()
        assert env.command("--disable").splitlines() == ["Bine was not in gevent's place",
                                                         "No gevent is installed"]


def test_programs_that_import_no_gevent_import_no_bine():
    with tempfile.TemporaryDirectory() as folder:
        env = Environment(folder)
        with open(os.path.join(env.site, "another.pth"), "w") as file:
            file.write("import sys\n")  # what site imports to read a .pth file is not ours
        before = env.run("-c", "import sys; print(sorted(sys.modules))")
        env.command("--enable")
        after = env.run("-c", "import sys; print(sorted(set(sys.modules) - {'_bine_gevent'}))")
        assert before == after


def test_a_console_script_and_its_child_processes_get_bine():
    with tempfile.TemporaryDirectory() as folder:
        env = Environment(folder)
        env.command("--enable")
        script = os.path.join(env.folder, "bin", "server")
        with open(script, "w") as file:
            file.write(
                "#!%s\nimport os, subprocess, sys\nif os.fork() == 0:\n    %s\n"
                "    sys.stdout.flush()\n    os._exit(0)\nos.wait()\n"
                "subprocess.run([sys.executable, '-c', %r])\nprint('and', end=' ', flush=True)\n"
                "import concurrent.futures, multiprocessing\nmultiprocessing.get_context('spawn')\n"
                "%s\n" % (env.python, _says, _says, _says))
        os.chmod(script, 0o755)
        assert subprocess.check_output([script], env={"PATH": "/usr/bin:/bin"},
                                       timeout=60) == b"bine\nbine\nand bine\n"


def test_a_real_gevent_beside_stays_and_is_spoken_of():
    with tempfile.TemporaryDirectory() as folder:
        env = Environment(folder)
        _install_another_gevent(env.site, "25.1.2")
        assert env.run("-c", _says) == "25.1.2"
        said = env.command("--enable")
        assert ("The real gevent stays installed" in said and
                "gevent 25.1.2 in %s" % env.site in said)
        assert env.run("-c", _says) == "bine" and env.run("-c", _version) == "25.1.2"
        assert env.command("--status").splitlines() == [
            "Bine is in gevent's place (%s)" % env.site,
            "Installed: gevent 25.1.2 in %s" % env.site,
            "Metadata of gevent: 25.1.2 (the real one's)"]
        # For one process and its children.
        assert env.run("-c", _says, BINE_GEVENT="off") == "25.1.2"
        assert "BINE_GEVENT=off" in env.command("--status", BINE_GEVENT="off")
        assert (env.command("--disable").splitlines()[-1] ==
                "import gevent gives gevent 25.1.2 in %s" % env.site)
        assert env.run("-c", _says) == "25.1.2"


@pytest.mark.seconds(200)
def test_pip_takes_bine_out_of_gevents_place_as_well():
    with tempfile.TemporaryDirectory() as folder:
        env = Environment(folder)
        env.command("--enable")
        env.pip("uninstall", "-y", "gevent")
        env.without_gevent()
        assert env.command("--status", status=1).startswith("Bine is not in gevent's place")

        env.command("--enable")
        wheel = os.path.join(folder, "gevent-27.1-py3-none-any.whl")
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("gevent/__init__.py", "__version__ = '27.1'\n")
            archive.writestr("gevent-27.1.dist-info/METADATA",
                             "Metadata-Version: 2.1\nName: gevent\nVersion: 27.1\n")
            archive.writestr(
                "gevent-27.1.dist-info/WHEEL",
                "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr("gevent-27.1.dist-info/RECORD",
                             "gevent/__init__.py,,\ngevent-27.1.dist-info/METADATA,,\n")
        assert "already" in env.pip("install", "--no-index", "gevent>=24")
        env.pip("install", "--no-index", wheel)
        assert env.run("-c", _says) == "27.1" and env.run("-c", _version) == "27.1"
        assert env.command("--status",
                           status=1).splitlines()[:2] == ["Bine is not in gevent's place",
                                                          "Installed: gevent 27.1 in %s" % env.site]


def test_a_directory_that_cannot_be_written_is_named():
    with tempfile.TemporaryDirectory() as folder:
        env = Environment(folder)
        # Root may write everywhere, but not a file here.
        os.mkdir(os.path.join(env.site, "bine-gevent.pth.new"))
        said = env.command("--enable", status=1)
        assert (said.splitlines()[0] == "bine.gevent: cannot write to %s: Is a directory" %
                env.site and "Run this as the owner" in said)
        os.rmdir(os.path.join(env.site, "bine-gevent.pth.new"))
        env.without_gevent()


def test_nothing_is_enabled_that_does_not_work():
    with tempfile.TemporaryDirectory() as folder:
        env = Environment(folder)
        # sitecustomize.py may be the distribution's.
        other = os.path.join(env.site, "zzz-later.pth")
        with open(other, "w") as file:
            file.write("import sys; sys.modules['gevent'] = 5\n")
        said = env.command("--enable", status=1)
        assert said.startswith("bine.gevent: not enabled, as a new process does not get Bine when "
                               "it imports gevent:\n") and "AssertionError" in said
        os.remove(other)
        env.without_gevent()


def test_programs_start_when_bine_has_been_uninstalled():
    with tempfile.TemporaryDirectory() as folder:
        env = Environment(folder)
        env.command("--enable")
        shutil.rmtree(os.path.join(env.site, "bine"))
        assert env.run("-c", "print(5)") == "5"
        assert "No module named 'gevent'" in env.run("-c", _says, status=1)
        _install_another_gevent(env.site, "25.1.2")
        assert env.run("-c", _says) == "25.1.2"


def test_for_one_user_of_an_interpreter_that_others_manage():
    with tempfile.TemporaryDirectory() as folder:
        env = Environment(folder)  # in a venv there is no directory of the user's
        assert "does not read" in env.command("--enable", "--user", status=1)
        env.python = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
        variables = {"PYTHONUSERBASE": os.path.join(folder, "user")}
        if env.run("-c", "import site; print(site.ENABLE_USER_SITE)", **variables) != "True":
            return
        site = env.run("-c", "import site; print(site.getusersitepackages())", **variables)
        os.makedirs(site)
        _install(site)
        assert env.command("--enable",
                           **variables).splitlines()[0] == "Bine is in gevent's place (%s)" % site
        assert env.run("-c", _says, **variables) == "bine"
        assert (env.command("--disable", **variables).splitlines()[0] ==
                "Bine is not in gevent's place any more (%s)" % site)
        assert os.listdir(site) in (["bine"], ["__pycache__", "bine"], ["bine", "__pycache__"])


def test_what_cannot_be_asked_for():
    with tempfile.TemporaryDirectory() as folder:
        env = Environment(folder)
        for args in (["--frob"], ["--enable", "now"], ["--status", "--user"]):
            assert env.command(*args, status=1).startswith(
                "usage: python -m bine.gevent --enable [--user] | --disable | --status")
        for option in ("--help", "-h"):
            usage = env.command(option)
            assert usage.startswith("usage: python -m bine.gevent [-m module | script.py] "
                                    "args\n") and "--enable" in usage
        assert env.command("-c", "pass",
                           status=1).startswith("bine.gevent: there is no option -c\nusage: ")
        assert env.command("missing.py", status=1) == "bine.gevent: there is no file missing.py"


def test_modules_are_run_under_gevents_names():
    for module in ("pywsgi", "backdoor"):
        for command in (["bine.gevent", "-m", "gevent." + module], ["bine.gevent." + module]):
            done = subprocess.run([sys.executable, "-m", *command, "--help"],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
            assert done.returncode == 0 and done.stdout.decode().startswith(
                "usage: python -m gevent." + module), done.stdout
    imported = ("import bine.gevent; bine.gevent.install(); import gevent.server, runpy; "
                "runpy.run_module('gevent.server')")
    assert subprocess.run([sys.executable, "-c", imported], timeout=60).returncode == 0
