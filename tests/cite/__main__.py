"""`scripts/cite`: run the suites, say what passed and what failed; the exit code says whether all are clean."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cite.engine import find_jar, run_suite
from tests.cite.subject import CiteError, Subject, sample_service
from tests.cite.suites import SUITES, Suite

CLEAN, NOT_CLEAN, NOT_RUN = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suites that were asked for.

    Returns:
        0 when all are clean, 1 when a test failed, 2 when a suite could not be run.
    """
    asked = _parse(arguments)
    suites = [suite for suite in SUITES if not asked.suite or suite.name in asked.suite]
    folder = Path(os.environ["CITE_JARS"]) if os.environ.get("CITE_JARS") else None
    try:
        jars = {suite.name: find_jar(suite, folder) for suite in suites}
        home = asked.results or Path(tempfile.mkdtemp(prefix="gs-cite."))
        home.mkdir(parents=True, exist_ok=True)
        print(f"Results and logs: {home}")
        with _subject(asked.against, home) as subject:
            return max([_run(suite, jars[suite.name], subject, home.resolve() / suite.name) for suite in suites])
    except CiteError as error:
        print(f"scripts/cite: {error}", file=sys.stderr)
        return NOT_RUN


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/cite", description=__doc__)
    names = [suite.name for suite in SUITES]
    parser.add_argument("suite", nargs="*", help=f"suites to run, of {', '.join(names)}; all when none is named")
    parser.add_argument("--against", metavar="URL", help="a service that runs already, instead of the sample region")
    parser.add_argument("--results", type=Path, metavar="DIR", help="folder for results and logs; a new one otherwise")
    asked = parser.parse_args(arguments)
    unknown = sorted(set(asked.suite) - set(names))
    if unknown:
        parser.error(f"there is no suite {unknown[0]!r}; there are {', '.join(names)}")
    return asked


@contextmanager
def _subject(address: str | None, home: Path) -> Iterator[Subject]:
    if address is not None:
        yield Subject(address.rstrip("/"))
        return
    with tempfile.TemporaryDirectory(prefix="gs-cite.") as state:
        # The database runs as a user of its own when this is started as root.
        Path(state).chmod(0o711)
        with sample_service(Path(state), home / "service.log") as subject:
            yield subject


def _run(suite: Suite, jar: Path, subject: Subject, folder: Path) -> int:
    try:
        tally = run_suite(suite, jar, suite.arguments(subject), folder)
    except CiteError as error:
        print(f"{suite.name}: not run: {error}")
        return NOT_RUN
    print(f"{suite.name}: {len(tally.passed)} passed, {len(tally.failed)} failed, {len(tally.skipped)} skipped")
    for name in tally.failed:
        print(f"  failed: {name}")
    return CLEAN if tally.clean else NOT_CLEAN


if __name__ == "__main__":
    sys.exit(main())
