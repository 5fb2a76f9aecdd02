"""packages/build.sh refuses what it does not know."""
import subprocess

from conftest import ROOT


def test_an_unknown_package_is_refused_with_the_names_that_there_are(tmp_path):
    done = subprocess.run([ROOT / "packages" / "build.sh", "cobol", tmp_path / "out"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("unknown package: cobol (there are: ")
