"""The jar, used by a Maven project in an empty folder."""
import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from conftest import ROOT, TARGET, need, run
from tour import check

SOURCES = Path(__file__).parent / "java"
EXAMPLE = ROOT / "examples" / "java" / "Page.java"
# Maven's plugins and the driver, kept between runs, without ever keeping our own artefact.
MAVEN_HOME = TARGET / "package-hosts" / "maven"
JAVA_11_CLASS = 55


@pytest.fixture(scope="session")
def repository(package) -> Path:
    need("javac"), need("mvn")
    shutil.rmtree(MAVEN_HOME / "io" / "github" / "vecrank", ignore_errors=True)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MAVEN_OPTS", f"-Dmaven.repo.local={MAVEN_HOME}")
        return package("java")


@pytest.fixture(scope="session")
def classpath(repository, tmp_path_factory) -> str:
    """A project with the three programs, compiled."""
    project = tmp_path_factory.mktemp("project")
    (jar,) = repository.rglob("*.jar")
    pom = (SOURCES / "pom.xml").read_text().replace("REPOSITORY", str(repository)).replace("VERSION", jar.parent.name)
    (project / "pom.xml").write_text(pom)
    sources = project / "src" / "main" / "java"
    sources.mkdir(parents=True)
    for source in (*SOURCES.glob("*.java"), EXAMPLE):
        shutil.copy(source, sources)
    run("mvn", "--batch-mode", "--quiet", "process-classes", cwd=project, MAVEN_OPTS=f"-Dmaven.repo.local={MAVEN_HOME}")
    return f"{project}/target/classes{os.pathsep}{project}/target/dependency/*"


def java(classpath: str, program: str, *arguments, folder: Path) -> str:
    return run("java", f"-Djava.io.tmpdir={folder}", "-cp", classpath, program, *arguments, cwd=folder)


def test_the_tour(classpath, feed_file, tour, tmp_path):
    check(json.loads(java(classpath, "Tour", feed_file, folder=tmp_path)), tour)
    assert list(tmp_path.glob("vecrank-*")) == [], "the library stays after the program"


def test_the_example_prints_the_first_page(classpath, feed_file, tour, tmp_path):
    lines = java(classpath, "Page", feed_file, folder=tmp_path).splitlines()
    assert [line.split()[0] for line in lines] == tour["page1"]


def test_vectors_are_made_read_and_refused_and_other_libraries_stay_forbidden(classpath, tmp_path):
    *said, forbidden = java(classpath, "Vectors", folder=tmp_path).splitlines()
    assert said == [
        "[0, 0, -128, 63, 0, 0, 0, -64]",
        "[0.5, 3.0]",
        "Vecrank.vector: expected at least one number, got null",
        "Vecrank.vector: expected at least one number, got an empty array",
        "Vecrank.fromVector: expected 4 bytes for each number, got null",
        "Vecrank.fromVector: expected 4 bytes for each number, got 7 bytes",
        "Vecrank.fromVector: expected 4 bytes for each number, got 0 bytes",
    ]
    assert "not authorized" in forbidden


def test_a_process_of_musl_is_known_by_its_loader(classpath, tmp_path):
    maps = {"glibc": "/lib/x86_64-linux-gnu/libc.so.6", "musl": "/lib/ld-musl-x86_64.so.1"}
    for name, library in maps.items():
        (tmp_path / name).write_text(f"7f0000000000-7f0000001000 r-xp 00000000 fe:00 1 {library}\n")
    said = java(classpath, "io.github.vecrank.Musl", *(tmp_path / name for name in (*maps, "none")), folder=tmp_path)
    assert said.split() == ["false", "true", "false"]


def test_the_classes_are_of_java_11(repository):
    (jar,) = repository.rglob("*.jar")
    with zipfile.ZipFile(jar) as archive:
        classes = [archive.read(name) for name in archive.namelist() if name.endswith(".class")]
    assert {int.from_bytes(code[6:8]) for code in classes} == {JAVA_11_CLASS}
