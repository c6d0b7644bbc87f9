"""What holds for the project as a whole: sizes, errors, documents, package."""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import os
import pickle
import pkgutil
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path

import pytest
from program import logscrub

import logscrub as package
from benchmarks import sample
from logscrub import errors
from logscrub.cli import run

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "logscrub").rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    """A module has at most 400 lines, a function 50 without its docstring."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            if body:
                assert (node.end_lineno or 0) - body[0].lineno < 50, node.name


def test_every_error_of_ours_has_one_base_and_a_code_of_its_own() -> None:
    """Whoever catches LogscrubError catches all; exit codes are distinct and listed."""
    ours = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__
    ]
    kinds = [kind for kind in ours if issubclass(kind, errors.LogscrubError)]
    assert kinds == ours
    # a kind that only the program tells apart shares the code of its base
    codes = [kind.exit_code for kind in kinds if "exit_code" in vars(kind)]
    assert len(set(codes)) == len(codes)
    listed = dict(errors.exit_codes())
    assert set(codes) | {0, errors.INTERRUPTED, errors.CLOSED_PIPE} == set(listed)


def test_errors_survive_the_way_between_processes() -> None:
    """A worker's error arrives with its hint and exit code."""
    error = pickle.loads(pickle.dumps(errors.FormatError("what", hint="do this")))
    assert (type(error), error.what, error.hint) == (errors.FormatError, "what", "do this")


def test_every_module_imports_alone() -> None:
    """No module needs another to be imported first, and importing does no work."""
    for found in pkgutil.walk_packages(package.__path__, "logscrub."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)


@pytest.mark.parametrize("arguments", [("--version",), ("--help",)])
def test_quick_answers_import_nothing_heavy(arguments: tuple[str, ...]) -> None:
    """`--version` and `--help` load neither typer nor polars nor pyarrow."""
    code = (
        "import sys; from logscrub.__main__ import main; main(sys.argv[1:]);"
        "sys.exit(bool({'typer', 'polars', 'pyarrow', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, check=False
    )
    assert done.returncode == 0


def test_the_stored_help_is_what_the_commands_say() -> None:
    """`logscrub --help` is answered from a file, which is up to date.

    Made with: python -m logscrub -- --help > logscrub/cli/help.txt
    """
    stored = (ROOT / "logscrub/cli/help.txt").read_text(encoding="utf-8")
    said = io.StringIO()
    with redirect_stdout(said):
        assert run(["--help"]) == 0
    assert stored == said.getvalue()
    for code, meaning in errors.exit_codes():
        assert f"{code} {meaning}" in " ".join(stored.split())


def names_in(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(r"`([a-z_]+(?:\.[A-Za-z_]+)+)`", text)


@pytest.mark.parametrize("name", sorted(set(names_in(ROOT / "ARCHITECTURE.md"))))
def test_the_architecture_names_what_exists(name: str) -> None:
    """`module.thing` in ARCHITECTURE.md is a module or a thing in it; a file name is a file or a part of a dataset."""
    if (ROOT / name).exists() or name.endswith((".toml", ".db", ".lock", ".py")):
        return
    found = resolve(name.removeprefix("logscrub."))
    assert found, f"{name} does not exist"


def resolve(name: str) -> bool:
    """Whether a dotted name is a module of the package, or something in one."""
    parts = ["logscrub", *name.split(".")]
    for cut in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part, None)
        return found is not None
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_pages_lead_somewhere(page: Path) -> None:
    """Relative links name files that exist."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def commands_of_the_readme() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    cells = [
        cell.replace(r"\|", "|")
        for cell in re.findall(r"^\|.*?\| `((?:[^`])+)` \|$", text, re.MULTILINE)
    ]
    return [one for one in [*lines, *cells] if "logscrub" in one and "git clone" not in one]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a log, an error log and a dataset OUT."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "nginx").mkdir()
    sample.write(folder / "access.log", today=datetime.now(UTC).date())
    shutil.copy(folder / "access.log", folder / "nginx" / "access.log")
    (folder / "error.log").write_text(
        "2026/11/21 02:30:01 [error] 7#7: *45 access forbidden by rule, client: 192.0.2.7, server: _\n",
        encoding="utf-8",
    )
    assert logscrub("ingest", folder / "access.log", "--out", folder / "OUT").code == 0
    return folder


@pytest.mark.parametrize("command", commands_of_the_readme())
def test_the_commands_of_the_readme_work(command: str, place: Path) -> None:
    """Each one runs as written, with the paths of a server replaced by those of a sample."""
    shell = (
        command.replace("tail -F", "cat")
        .replace("/var/log/nginx", "nginx")
        .replace("/var/lib/logscrub", "NEW")
        .replace("logscrub follow", "timeout --preserve-status --signal TERM 5 logscrub follow")
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", shell],
        cwd=place,
        env={**os.environ, "PATH": path},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()


def test_the_readme_has_commands() -> None:
    """The test above is not empty."""
    assert len(commands_of_the_readme()) >= 8


def test_the_example_for_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The block in the README prints what the text promises."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(block, "README.md", "exec"), {})
    assert "'client_net': '192.0.2.0/24', 'path': '/users/{user}'" in capsys.readouterr().out


@pytest.mark.parametrize("goal", ["demo", "test", "lint", "bench", "clean"])
def test_make_knows_its_goals(goal: str) -> None:
    """The goals that the README names exist."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    assert (
        subprocess.run(["make", "-n", goal], cwd=ROOT, capture_output=True, check=False).returncode
        == 0
    )


def test_the_wheel_finds_its_profiles_outside_the_checkout(tmp_path: Path) -> None:
    """After `pip install` the profiles are inside the package."""
    made = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr.decode()
    (wheel,) = tmp_path.glob("*.whl")
    shutil.unpack_archive(wheel, tmp_path / "site", "zip")
    code = "import logscrub, logscrub.profiles as p; print(logscrub.__file__); print(*p.names())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True, check=True,
    )  # fmt: skip
    where, names = done.stdout.decode().splitlines()
    assert where.startswith(str(tmp_path))
    assert names.split() == ["details-12m", "detection-90d", "security-12m", "strict-30d"]


def test_the_project_speaks_of_itself_alone() -> None:
    """No path of a machine, and no word that the program must not use of its output."""
    for path in [*MODULES, *PAGES, ROOT / "Makefile", *ROOT.glob("configs/**/*")]:
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"/(root|work|home/[a-z]+)/", text.replace("/home/jane", "")), path
