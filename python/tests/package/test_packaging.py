"""An sdist builds, and what is built from it works: the same as `pip install pybine-*.tar.gz`."""

import os
import subprocess
import sys
import tarfile
import tempfile

import pytest

from helpers import ROOT


@pytest.mark.seconds(400)
def test_an_sdist_builds_and_installs():
    if subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"],
                      stdout=subprocess.DEVNULL).returncode != 0:
        pytest.skip("an sdist is made from a git checkout")
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ,
                           PATH=os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"])
        build = "import mesonpy, sys; mesonpy.build_sdist(sys.argv[1])"
        subprocess.run([sys.executable, "-c", build, folder], cwd=ROOT, env=environment, check=True)
        (name,) = os.listdir(folder)
        with tarfile.open(os.path.join(folder, name)) as archive:
            names = [member.partition("/")[2] for member in archive.getnames()]
        assert {"PKG-INFO", "LICENSE", "README.md", "pyproject.toml", "include/bine.h",
                "python/bine/py.typed"} <= set(names), names
        site = os.path.join(folder, "site")
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check",
                        "--no-build-isolation", "--no-deps",
                        "--target", site, os.path.join(folder, name)], env=environment, check=True)
        program = ("import bine, sys; assert bine.__file__.startswith(sys.argv[1]), bine; "
                   "print(bine.spawn(lambda: 5).get())")
        done = subprocess.run([sys.executable, "-c", program, site], cwd=folder,
                              env=dict(environment, PYTHONPATH=site),
                              stdout=subprocess.PIPE, check=True)
        assert done.stdout == b"5\n"
