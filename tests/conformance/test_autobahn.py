"""The Autobahn testsuite: RFC 6455 as its authors' contemporaries read it.

Sections 12 and 13 are about compression, which is not supported.
"""

import pytest

from . import autobahn

CASES = 301


@pytest.fixture(scope="session")
def program():
    try:
        return autobahn.install()
    except autobahn.NotAvailableError as error:
        pytest.skip(f"no fuzzing server: {error}")


async def test_sections_1_to_10(program, tmp_path):
    chosen = autobahn.sections("1-10")
    with autobahn.fuzzing_server(program, chosen, tmp_path / "reports") as url:
        await autobahn.run_cases(url)
    verdicts = autobahn.read_verdicts(tmp_path / "reports")
    assert len(verdicts) == CASES
    assert not autobahn.failures(verdicts), autobahn.table(verdicts)
