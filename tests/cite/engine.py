"""Finding the jar of a suite and running it with Java."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from tests.cite.results import Tally, of_ctl, of_testng
from tests.cite.subject import CiteError
from tests.cite.suites import Suite

HOURS = 3600
MAIN_SCRIPT = re.compile(r"^main-script\s*=\s*/?(\S+)", re.MULTILINE)


def find_jar(suite: Suite, folder: Path | None) -> Path:
    """The all-in-one jar of a suite: the newest one in a folder, else from Maven.

    Raises:
        CiteError: When there is none.
    """
    if folder is not None:
        found = sorted(folder.glob(f"{suite.artifact}-*-aio.jar"), key=_version)
        if not found:
            raise CiteError(f"CITE_JARS, {folder}, holds no {suite.artifact}-<version>-aio.jar.")
        return found[-1]
    return _from_maven(suite)


def _version(jar: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", jar.name.removesuffix("-aio.jar").rpartition("-")[2])]


def _from_maven(suite: Suite) -> Path:
    jar = Path.home() / ".m2/repository/org/opengis/cite" / suite.artifact / suite.version
    jar /= f"{suite.artifact}-{suite.version}-aio.jar"
    if not jar.is_file():
        maven = _program("mvn")
        artifact = f"org.opengis.cite:{suite.artifact}:{suite.version}:jar:aio"
        asked = [maven, "-q", "-B", "dependency:get", f"-Dartifact={artifact}", "-Dtransitive=false"]
        subprocess.run(asked, check=False, capture_output=True, timeout=HOURS)
    if not jar.is_file():
        raise CiteError(
            f"Maven does not give {suite.artifact} {suite.version}; put its all-in-one jar into a folder "
            "and name that in CITE_JARS."
        )
    return jar


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise CiteError(f"The program {name} is missing; scripts/install --cite installs it.")
    return found


def run_suite(suite: Suite, jar: Path, arguments: Mapping[str, str], folder: Path) -> Tally:
    """Run a suite in a folder of its own, where its results and what it says stay.

    Raises:
        CiteError: When it leaves no results.
    """
    folder.mkdir(parents=True, exist_ok=True)
    properties = folder / "test-run-props.xml"
    properties.write_text(as_properties(arguments), encoding="utf-8")
    # The engine takes the last part of a path after "temp" for the name of a test.
    scratch = folder / "temp"
    scratch.mkdir(exist_ok=True)
    command = [_program("java"), f"-Djava.io.tmpdir={scratch}", f"-Duser.home={folder}"]
    if suite.kind == "ctl":
        command.append(f"-DTE_BASE={unpack_scripts(suite, jar, folder / 'engine')}")
    command += ["-cp", str(jar), suite.main_class]
    command += ["-o", str(folder)] if suite.kind == "testng" else []
    with (folder / "output.txt").open("wb") as output:
        subprocess.run([*command, str(properties)], stdout=output, stderr=output, check=False, timeout=HOURS)
    tally = of_ctl(scratch) if suite.kind == "ctl" else of_testng(folder / "testng")
    if not tally.count:
        raise CiteError(f"{suite.name} left no results; {folder / 'output.txt'} says why.")
    return tally


def as_properties(arguments: Mapping[str, str]) -> str:
    """Test run arguments as the XML form of Java properties."""
    entries = "".join(f"<entry key={quoteattr(key)}>{escape(value)}</entry>\n" for key, value in arguments.items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE properties SYSTEM "http://java.sun.com/dtd/properties.dtd">\n'
        f'<properties version="1.0">\n{entries}</properties>\n'
    )


def unpack_scripts(suite: Suite, jar: Path, base: Path) -> Path:
    """The engine reads its scripts from files: unpack those of the jar below TE_BASE and return that folder.

    Raises:
        CiteError: When the jar does not say where its scripts are, or does not hold them.
    """
    with zipfile.ZipFile(jar) as archive:
        stated = f"org/opengis/cite/{suite.package}/ets.properties"
        names = archive.namelist()
        main = MAIN_SCRIPT.search(archive.read(stated).decode()) if stated in names else None
        if main is None or main[1] not in names:
            raise CiteError(f"{jar.name} does not hold the main script that it names; is it the all-in-one jar?")
        root = main[1].rpartition("ctl/")[0]
        archive.extractall(base / "scripts", [name for name in names if name.startswith(root)])
    (base / "config.xml").write_text("<config/>\n", encoding="utf-8")
    return base
