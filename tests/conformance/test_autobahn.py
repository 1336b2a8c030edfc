"""The Autobahn testsuite: RFC 6455 and 7692 as their authors' contemporaries read them.

`make conformance` runs all of it; of compression, there is only a part here.
"""

import pytest

from . import autobahn

pytestmark = pytest.mark.slow

CASES = 301
# Of 18: the smallest messages, larger ones, and some in fragments.
PARTS = (1, 6, 11)


@pytest.fixture(scope="session")
def program():
    try:
        return autobahn.install()
    except autobahn.NotAvailableError as error:
        pytest.skip(f"no fuzzing server: {error}")


async def test_sections_1_to_10(program, tmp_path):
    cases = autobahn.cases_of(autobahn.sections("1-10"))
    await run(program, cases, tmp_path, CASES)


async def test_parts_of_sections_12_and_13(program, tmp_path):
    cases = [f"{case}.{part}" for case in autobahn.COMPRESSION for part in PARTS]
    await run(program, cases, tmp_path, len(cases))


async def run(program, cases, folder, count):
    with autobahn.fuzzing_server(program, cases, folder / "reports") as url:
        await autobahn.run_cases(url)
    verdicts = autobahn.read_verdicts(folder / "reports")
    assert len(verdicts) == count
    assert not autobahn.failures(verdicts), autobahn.table(verdicts)
