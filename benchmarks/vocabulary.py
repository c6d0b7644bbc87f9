"""Makes the closed vocabularies that user agents are scrubbed into: `python -m benchmarks.vocabulary`.

Run at release time. Parser rules copy client text into names, so a name may only be written when it stands in a
list that was made from the *rules*, before any log was seen. Without options the lists that come from installed
packages are made again, and isbot's patterns are rewritten from those the file already has; `--isbot FILE` takes
new ones from the `index.mjs` of a downloaded isbot package, `--isbot-version` says which.
"""

from __future__ import annotations

import argparse
import importlib
import re
from collections import Counter
from contextlib import suppress
from importlib.metadata import distribution, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logscrub.scrubbers import agent, bots

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

DATA = Path(agent.__file__).parent / "data"
LIMIT = 512
"""Most names one rule may stand for; the largest alternation of uap-core has about 200."""
_parser: Any = importlib.import_module(
    "re._parser"
)  # the one parser of expressions in the standard library


class OpenError(ValueError):
    """The expression can match text that it does not spell out."""


def _spell(tokens: Iterable[tuple[Any, Any]]) -> list[str]:
    """Every text a parsed expression can match by literals alone.

    Raises:
        OpenError: If there is none, since client text is part of every match.
    """
    texts = [""]
    for op, value in tokens:
        texts = [head + tail for head in texts for tail in _choices(str(op), value)]
        if len(texts) > LIMIT:
            raise OpenError
    return texts


def _choices(op: str, value: Any) -> list[str]:  # noqa: ANN401 — the standard library's trees are untyped
    if op == "LITERAL":
        return [chr(value)]
    if op in {"AT", "ASSERT", "ASSERT_NOT"}:
        return [""]
    if op == "SUBPATTERN":
        return _spell(value[3])
    if op == "BRANCH":
        return _closed(value[1])
    if op == "IN" and len(value) <= 4 and all(str(kind) == "LITERAL" for kind, _ in value):
        return [chr(char) for _, char in value]
    if op in {"MAX_REPEAT", "MIN_REPEAT"}:
        least, most, repeated = value
        return _closed([*([[]] if least == 0 else []), *([repeated] if most == 1 else [])])
    raise OpenError


def _closed(branches: Iterable[Any]) -> list[str]:
    """What the spelled-out alternatives among others can match: the open ones add nothing."""
    texts: list[str] = []
    for branch in branches:
        with suppress(OpenError):
            texts += _spell(branch)
    if not texts:
        raise OpenError
    return texts


def _group(tokens: Iterable[tuple[Any, Any]], number: int) -> Any:  # noqa: ANN401 — as above
    """The parsed content of a capturing group, or None."""
    for op, value in tokens:
        if str(op) == "SUBPATTERN":
            if value[0] == number:
                return value[3]
            inner: list[Any] = [value[3]]
        elif str(op) == "BRANCH":
            inner = list(value[1])
        elif str(op) in {"MAX_REPEAT", "MIN_REPEAT"}:
            inner = [value[2]]
        else:
            continue
        for child in inner:
            found = _group(child, number)
            if found is not None:
                return found
    return None


def closed_names(rules: Sequence[agent.Rule]) -> set[str]:
    """The names that rules can give without copying client text.

    A rule names its family literally, or with a template such as `Firefox ($1)`, or takes its first group. A group
    counts only as far as it spells literals out; what matches client text (8 of 433 rules of uap-core 202610 match
    nothing else) adds nothing.
    """
    names: set[str] = set()
    for pattern, family, *_ in rules:
        template = family or "$1"
        if "$" not in template:
            names.add(template.strip())
            continue
        try:
            spelled = _spell(_group(_parser.parse(pattern), 1) or [])
        except OpenError:
            continue
        names.update(template.replace("$1", text).strip() for text in spelled)
    return {name for name in names if name and name != agent.OTHER and "$" not in name}


def bot_name(pattern: str, instances: Sequence[str]) -> str:
    """What a crawler is called: the text its pattern spells, in the case that its published examples use."""
    hits = (re.search(pattern, text) for text in instances)
    seen = Counter(hit.group() for hit in hits if hit)
    tree = _parser.parse(pattern)
    with suppress(OpenError):
        spelled = sorted(set(_spell(tree)) & set(seen))
        if spelled:
            return _tidy(max(spelled, key=lambda text: (seen[text], sum(map(str.isupper, text)))))
    return _tidy(max(_literals(tree), key=len))


def _literals(tokens: Iterable[tuple[Any, Any]]) -> Iterator[str]:
    """The runs of literals at the top of an expression."""
    run = ""
    for op, value in tokens:
        if str(op) == "LITERAL":
            run += chr(value)
        else:
            yield run
            run = ""
    yield run


def _tidy(name: str) -> str:
    """Drop what would look like an address, a link or a version in a report."""
    name = name.rsplit("://", 1)[-1] if name.startswith("http") else name.split(" (", 1)[0]
    name = re.sub(r"/[\d.]+( |$)", r"\1", name.rsplit("@", 1)[-1])
    name = name.strip(" /();:!.")
    # Long numbers are builds of devices, which some robots send: no name.
    return agent.OTHER if not name or re.search(r"\d{5}", name) else name


def without_lookaround(pattern: str) -> str:
    r"""The same yes or no as a pattern with literal lookaround, for an engine that has none.

    `(?<!…)` at the start and `(?!…)` at the end are spelled out: whatever differs from the forbidden texts at
    some character, or stops before their end. Consuming those characters changes no answer, as only existence counts.

    >>> without_lookaround("java(?!;)")
    'java(?:$|[^;])'
    """
    before = re.match(r"\(\?<!([^()]*)\)", pattern)
    head = _differs([text[::-1] for text in before[1].split("|")], end="^") if before else ""
    pattern = pattern[before.end() :] if before else pattern
    after = re.search(r"\(\?!(?:\(\?:([^()]*)\)|([^()]*))\)$", pattern)
    tail = _differs((after[1] or after[2]).split("|"), end="$") if after else ""
    pattern = head + (pattern[: after.start()] if after else pattern) + tail
    # A class that holds `\d-.` is a range to some engines and three members to others.
    return pattern.replace(r"[\w\d-.]", r"[\w\d.-]")


def _differs(texts: Sequence[str], *, end: str) -> str:
    """What can stand there when none of the texts does; from right to left for `^`."""
    first = sorted({text[0] for text in texts})
    options = [end, f"[^{''.join(first)}]"]
    for char in first:
        rest = [text[1:] for text in texts if text[0] == char]
        if all(rest):
            deeper = _differs(rest, end=end)
            options.append(deeper + char if end == "^" else char + deeper)
    return f"(?:{'|'.join(options)})"


def families() -> str:
    """The browser families, as `families.txt` holds them."""
    names = closed_names(agent.rules().browsers) | set(_bot_names().values()) - {agent.OTHER}
    return _file(
        f"Browser families that may be written: uap-core {_uap_core()} (ua-parser-builtins "
        f"{version('ua-parser-builtins')}, Apache-2.0)\n"
        f"# and crawler-user-agents {version('crawler-user-agents')} (MIT).",
        sorted(names),
    )


def systems() -> str:
    """The operating systems, as `systems.txt` holds them."""
    return _file(
        f"Operating systems that may be written: uap-core {_uap_core()} (ua-parser-builtins "
        f"{version('ua-parser-builtins')}, Apache-2.0).",
        sorted(closed_names(agent.rules().systems)),
    )


def crawlers() -> str:
    """Each pattern of crawler-user-agents with the name it stands for, as `bots.txt` holds them."""
    return _file(
        f"Pattern, tab, name that may be written: crawler-user-agents {version('crawler-user-agents')} (MIT).",
        sorted(f"{pattern}\t{name}" for pattern, name in _bot_names().items()),
    )


def isbot(patterns: Sequence[str], release: str) -> str:
    """The patterns of isbot for a linear engine, as `isbot.txt` holds them; rewritten ones follow the original."""
    lines = []
    for pattern in patterns:
        linear = without_lookaround(pattern)
        lines += [linear] if linear == pattern else [bots.ORIGINAL + pattern, linear]
    return _file(
        f"Patterns of robots, case-insensitive: isbot {release} (Unlicense).\n"
        f"# After `{bots.ORIGINAL}`: a pattern with lookaround, which the next line rewrites for linear time.",
        lines,
    )


def isbot_originals(text: str) -> tuple[list[str], str]:
    """The patterns and the release an `isbot.txt` was made from."""
    patterns: list[str] = []
    rewritten = False
    for line in text.splitlines():
        if line.startswith(bots.ORIGINAL):
            patterns.append(line.removeprefix(bots.ORIGINAL))
            rewritten = True
        elif not line.startswith("# "):
            patterns += [] if rewritten else [line]
            rewritten = False
    release = re.search(r"isbot (\S+) ", text)
    assert release, "isbot.txt has lost its header"
    return patterns, release[1]


def isbot_published(module: str) -> list[str]:
    """The patterns in the `index.mjs` of an isbot package."""
    block = re.search(r"patterns_default = \[\n(.*?)\n\];", module, re.DOTALL)
    assert block, "index.mjs holds no list of patterns"
    found = re.findall(r'^  "(.*?)",?$', block[1], re.MULTILINE)
    return [re.sub(r"\\(.)", r"\1", pattern) for pattern in found]


def _bot_names() -> dict[str, str]:
    return {
        entry["pattern"]: bot_name(entry["pattern"], entry["instances"])
        for entry in bots.published()
    }


def _uap_core() -> str:
    revision = distribution("ua-parser-builtins").locate_file("REVISION")
    return Path(str(revision)).read_text(encoding="ascii").strip()[:7]


def _file(header: str, lines: Iterable[str]) -> str:
    return "\n".join(
        [f"# {header}", "# Made by `python -m benchmarks.vocabulary`; do not edit.", *lines, ""]
    )


def vocabularies() -> dict[str, str]:
    """Every file of `logscrub/scrubbers/data` that this program makes, by name."""
    patterns, release = isbot_originals((DATA / "isbot.txt").read_text(encoding="utf-8"))
    return {
        "families.txt": families(),
        "systems.txt": systems(),
        "bots.txt": crawlers(),
        "isbot.txt": isbot(patterns, release),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Write the files anew and say how many names each has."""
    options = argparse.ArgumentParser(description="make the vocabularies for user agents again")
    options.add_argument("--isbot", type=Path, metavar="FILE", help="index.mjs of an isbot package")
    options.add_argument("--isbot-version", metavar="VERSION", help="which release that is")
    chosen = options.parse_args(argv)
    if (chosen.isbot is None) != (chosen.isbot_version is None):
        options.error("--isbot and --isbot-version belong together")
    if chosen.isbot:
        patterns = isbot_published(chosen.isbot.read_text(encoding="utf-8"))
        (DATA / "isbot.txt").write_text(isbot(patterns, chosen.isbot_version), encoding="utf-8")
    for name, text in vocabularies().items():
        (DATA / name).write_text(text, encoding="utf-8")
        print(f"{name}: {sum(not line.startswith('#') for line in text.splitlines())}")


if __name__ == "__main__":
    main()
