"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Machines differ in speed; a law is about answers. In CI the same examples run each time, so a failure repeats.
settings.register_profile(
    "logscrub",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("logscrub")


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder with logs, vectors and expected parses by others."""
    folder = os.environ.get("LOGSCRUB_CASES")
    if not folder:
        pytest.skip("LOGSCRUB_CASES is not set: tests against real logs are left out")
    path = Path(folder)
    assert path.is_dir(), "LOGSCRUB_CASES does not name a folder"
    return path


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--no-skips` turns a skipped test into a failure, for runs that have everything installed."""
    parser.addoption("--no-skips", action="store_true", help="fail when a test is skipped")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Fail what was skipped, if asked to."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and item.config.getoption("--no-skips"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which --no-skips forbids: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def long_policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`security-12m` with 20 years: the logs of others are from 2015."""
    text = (Path(__file__).parents[1] / "configs" / "security-12m.toml").read_text(encoding="utf-8")
    path = tmp_path_factory.mktemp("policy") / "long.toml"
    path.write_text(text.replace('"12 months"', '"240 months"', 1), encoding="utf-8")
    return path
