"""User agents: what comes out is a word of the vocabulary, whatever went in."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import vocabulary
from logscrub.errors import LogscrubError
from logscrub.scrubbers import agent, bots

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
PHONE = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
IPAD = "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15"
EDGE = CHROME + " Edg/126.0.0.0"
IE = "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; .NET CLR 2.0.50727; Tablet PC 2.0)"
TV = "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/4.0 Chrome/76.0.3809.146 TV Safari/537.36"
GOOGLE = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
GPT = "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; GPTBot/1.2; +https://openai.com/gptbot"
CLAUDE = "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)"
PERPLEXITY = "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Perplexity-User/1.0; +https://perplexity.ai/perplexity-user)"
BYTE = "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36 (compatible; Bytespider; spider-feedback@bytedance.com)"
CHATGPT = "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; ChatGPT-User/1.0; +https://openai.com/bot"

GOLDEN = {
    # browser, version, os, device, bot; read by eye from the strings
    FIREFOX: ("Firefox", "128", "Linux", "desktop", None),
    CHROME: ("Chrome", "126", "Windows", "desktop", None),
    EDGE: ("Edge", "126", "Windows", "desktop", None),
    PHONE: ("Chrome Mobile", "126", "Android", "mobile", None),
    IPHONE: ("Mobile Safari", "17", "iOS", "mobile", None),
    IPAD: ("Mobile Safari", "17", "iOS", "tablet", None),
    MAC: ("Safari", "17", "Mac OS X", "desktop", None),
    IE: ("IE", "8", "Windows", "desktop", None),
    TV: ("Samsung Internet", "4", "Tizen", "tv", None),
    GOOGLE: ("Googlebot", "2", "Other", "Other", "Googlebot"),
    GPT: ("GPTBot", "1", "Other", "Other", "GPTBot"),
    CLAUDE: ("ClaudeBot", "1", "Other", "Other", "ClaudeBot"),
    "curl/8.5.0": ("curl", "8", "Other", "Other", "curl"),
    "python-requests/2.32.0": ("Python Requests", "2", "Other", "Other", "python-requests"),
    "private-crawler-of-jane/1": ("Other", None, "Other", "Other", "Other"),
    "": ("Other", None, "Other", "Other", None),
}
AGENTS = tuple(GOLDEN)
TEMPLATES = (
    "{}",
    "{}/1.0 CFNetwork/978.0.7 Darwin/18.5.0",
    "{}-bot/1.0",
    "Yandex{}/3.0",
    "Googlebot-{}/2.1",
    "Chrome/{}.0.0.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/{}",
    "Mozilla/5.0 (Linux; Android {}; Build/{}) AppleWebKit/537.36 Chrome/{}.0 Mobile Safari/537.36",
    "Mozilla/5.0 (compatible; {}; +http://example.com/{})",
    "HbbTV/1.1.1 (; {} ;x;2013) {}",
    "Mozilla/5.0 (iPhone; CPU iPhone OS {} like Mac OS X) [FBAN/FBIOS;FBAV/{};FBCR/{}]",
    CHROME + " {}/{}",
)
planted = st.one_of(
    st.text(max_size=40),
    st.emails(),
    st.from_regex(r"[0-9]{5,20}", fullmatch=True),
    st.from_regex(r"[A-Za-z]{1,12}([-_ ][A-Za-z]{1,12})?", fullmatch=True),
    st.sampled_from(["$1", "\\1", "Firefox/1", "jane.roe@example.com", "٣٤", "1²", "Chrome/99999"]),
)
hostile = st.one_of(
    st.text(max_size=600),
    st.builds(lambda text, value: text.replace("{}", value), st.sampled_from(TEMPLATES), planted),
    st.builds(
        lambda text, value, at: text[:at] + value + text[at:],
        st.sampled_from(AGENTS),
        planted,
        st.integers(0, 120),
    ),
)


def strings(*values: str | None) -> pa.StringArray:
    return pa.array(values, pa.string())


def rows(found: agent.Agents) -> list[tuple[str | None, ...]]:
    return list(zip(*(getattr(found, part).to_pylist() for part in agent.PARTS), strict=True))


def words(name: str, column: int = 0) -> set[str]:
    text = (vocabulary.DATA / name).read_text(encoding="utf-8")
    return {line.split("\t")[column] for line in text.splitlines() if not line.startswith("#")}


FAMILIES, SYSTEMS, BOTS = words("families.txt"), words("systems.txt"), words("bots.txt", 1)


@pytest.fixture
def fresh() -> Iterator[None]:
    """Engines and answers as in a new process, before and after."""

    def forget() -> None:
        agent._cache.clear()
        for loaded in (agent._browsers, agent._systems, agent.rules, bots._engine, bots.names):
            loaded.cache_clear()

    forget()
    yield
    forget()


@pytest.mark.parametrize("text", AGENTS)
def test_common_agents(text: str) -> None:
    """Common agents give what a reader of the string would say."""
    assert rows(agent.scrub(strings(text))) == [GOLDEN[text]]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (GPT, "GPTBot"),
        (CLAUDE, "ClaudeBot"),
        (PERPLEXITY, "Perplexity-User"),
        (BYTE, "Bytespider"),
        (CHATGPT, "ChatGPT-User"),
    ],
)
def test_ai_crawlers_by_name(text: str, name: str) -> None:
    """Crawlers that feed language models have their names."""
    assert agent.scrub(strings(text)).bot.to_pylist() == [name]


def test_every_published_example_is_a_robot() -> None:
    """No example of crawler-user-agents is missed, and no AI crawler is without a name."""
    examples = {text: entry["tags"] for entry in bots.published() for text in entry["instances"]}
    found = agent.scrub(strings(*examples), wanted={"bot"}).bot.to_pylist()
    ai = [name for name, tags in zip(found, examples.values(), strict=True) if "ai-crawler" in tags]
    assert len(ai) >= 99
    assert None not in found
    assert agent.OTHER not in ai


@given(st.lists(hostile, max_size=8))
def test_only_words_of_the_vocabulary_come_out(texts: list[str]) -> None:
    """Every cell is a word fixed at release time, or one to four digits."""
    for browser, version, system, device, bot in rows(agent.scrub(strings(*texts))):
        assert browser in FAMILIES | {"Other"}
        assert version is None or re.fullmatch(r"[0-9]{1,4}", version)
        assert system in SYSTEMS | {"Other"}
        assert device in {"desktop", "mobile", "tablet", "tv", "Other"}
        assert bot is None or bot in BOTS | {"Other"}


@given(st.lists(st.one_of(st.none(), hostile), max_size=12), st.randoms(use_true_random=False))
def test_rows_do_not_meet(texts: list[str | None], random: Any) -> None:
    """Length is kept, null stays null everywhere, and the order of rows does not matter."""
    plain = rows(agent.scrub(strings(*texts)))
    assert len(plain) == len(texts)
    assert [row == (None,) * 5 for row in plain] == [text is None for text in texts]
    order = list(range(len(texts)))
    random.shuffle(order)
    assert rows(agent.scrub(strings(*(texts[n] for n in order)))) == [plain[n] for n in order]


def test_empty_keeps_its_type() -> None:
    """No rows in, no rows out, still strings; and so for a column of nothing but nulls."""
    for values in (strings(), strings(None, None)):
        found = agent.scrub(values)
        for part in agent.PARTS:
            assert getattr(found, part).type == pa.string()
            assert getattr(found, part).null_count == len(values)


@given(st.sets(st.sampled_from(agent.PARTS)), st.sampled_from(AGENTS))
def test_parts_do_not_depend_on_each_other(wanted: set[str], text: str) -> None:
    """What is asked for is as if all were asked for; the rest is null."""
    full = dict(zip(agent.PARTS, GOLDEN[text], strict=True))
    (row,) = rows(agent.scrub(strings(text), wanted=wanted))
    assert row == tuple(full[part] if part in wanted else None for part in agent.PARTS)


@pytest.mark.usefixtures("fresh")
def test_engines_load_when_needed() -> None:
    """A part that nobody asked for costs nothing, not even the loading of its rules."""
    engines = {"browser": agent._browsers, "os": agent._systems, "bot": bots._engine}
    agent.scrub(strings(FIREFOX), wanted={"device"})
    assert [engine.cache_info().currsize for engine in engines.values()] == [0, 0, 0]
    agent.scrub(strings(FIREFOX), wanted={"os"})
    assert [engine.cache_info().currsize for engine in engines.values()] == [0, 1, 0]


@pytest.mark.usefixtures("fresh")
def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many strings clients think up, only so many are remembered, and answers stay the same."""
    monkeypatch.setattr(agent, "_CACHED", 10)
    values = strings(*(f"{FIREFOX} {n}" for n in range(95)))
    first = rows(agent.scrub(values))
    assert 0 < len(agent._cache) <= 10
    assert rows(agent.scrub(values)) == first == [GOLDEN[FIREFOX]] * 95


@given(st.sampled_from(AGENTS), st.text(min_size=1, max_size=300))
def test_what_follows_512_characters_is_not_read(text: str, tail: str) -> None:
    """Strings are cut before any engine sees them."""
    long = text.ljust(agent.MAX_CHARS, "x")
    assert rows(agent.scrub(strings(long + tail))) == rows(agent.scrub(strings(long)))


def test_broken_utf8_is_read_without_an_error() -> None:
    """Bytes that are no UTF-8 raise nothing that could show them."""
    raw = FIREFOX.encode() + b" \xff\xfe"
    offsets = pa.py_buffer(b"\0\0\0\0" + len(raw).to_bytes(4, "little"))
    broken = pa.StringArray.from_buffers(1, offsets, pa.py_buffer(raw))
    assert rows(agent.scrub(broken)) == [GOLDEN[FIREFOX]]


@pytest.mark.usefixtures("fresh")
def test_a_newer_package_brings_no_new_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern this release does not know counts as a robot without a name; one that could backtrack is left out."""
    entries = bots.published()
    new = [{"pattern": "Zebrafish", "tags": []}, {"pattern": "(?<!x)Quagga", "tags": []}]
    monkeypatch.setattr(bots, "published", lambda: [*entries, *new])
    real = FIREFOX + " {}"
    found = agent.scrub(
        strings(real.format("Zebrafish"), real.format("Quagga"), GOOGLE)
    ).bot.to_pylist()
    assert found == ["Other", None, "Googlebot"]


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    "source",
    ["", "MATCHERS: int = 3", "MATCHERS: list = ([f(x)], [], [])", "MATCHERS: list = ([],"],
)
def test_rules_of_unknown_shape_are_refused(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that is made differently stops the program with a hint, and is not guessed at."""
    (tmp_path / "lazy.py").write_text(source)
    monkeypatch.setattr(agent, "files", lambda _: tmp_path)
    with pytest.raises(LogscrubError, match="ua-parser-builtins") as caught:
        agent.scrub(strings(FIREFOX), wanted={"browser"})
    assert "requirements.lock" in caught.value.hint


@pytest.mark.parametrize(("name", "text"), vocabulary.vocabularies().items())
def test_vocabularies_are_up_to_date(name: str, text: str) -> None:
    """The files are what the program makes of the locked packages."""
    assert (vocabulary.DATA / name).read_text(encoding="utf-8") == text


def test_vocabularies_hold_nothing_that_looks_personal() -> None:
    """No word looks like an e-mail address, a link, a number of a device or a template."""
    for word in FAMILIES | SYSTEMS | BOTS:
        assert not re.search(r"[@$<>\"\\]|://|[0-9]{5}", word)
        assert word == word.strip() != ""
        assert word.isprintable()


def test_names_are_spelled_by_rules() -> None:
    """Names come from what a rule spells out; what it lets clients choose gives none."""
    rules = [
        (r"Foo/(\d+)", "Foo Browser", None),
        (r"(Bar|[Bb]az|Qux(?:-(?:One|Two)|))/(\d+)", None, None),
        (r"(Mine(?:field|))", "Firefox ($1)", None),
        (r"([a-z]{1,30}bot|Known Spider|Yandex\w{1,30})", None, None),
        (r"^(.{0,200})/(\d+)", None, None),
        (r"(\w+) Reader", None, None),
    ]
    padded: list[agent.Rule] = [(*rule, None, None, None) for rule in rules]
    assert vocabulary.closed_names(padded) == {
        *("Foo Browser", "Bar", "Baz", "baz", "Qux", "Qux-One", "Qux-Two"),
        *("Firefox (Mine)", "Firefox (Minefield)", "Known Spider"),
    }


ISBOT, _ = vocabulary.isbot_originals((vocabulary.DATA / "isbot.txt").read_text(encoding="utf-8"))
REWRITTEN = [pattern for pattern in ISBOT if vocabulary.without_lookaround(pattern) != pattern]
PIECES = [
    "google",
    "bot",
    "bots",
    "scan",
    "http",
    "news",
    "java",
    ";",
    "wv",
    "app",
    "/google",
    "pixel",
    "sapphire",
    "channel/",
    "google/",
    "cu",
    "cam",
    "lib",
    "_",
    "g",
    "x",
    "e/",
    "l/",
    "nel/",
    "chan",
    "sap",
]


@pytest.mark.parametrize("pattern", REWRITTEN)
@given(
    st.lists(
        st.sampled_from(
            [*PIECES, " ", " ", "mozilla/5.0 (a-b/1.0)", "mozilla/4.0 (compatible; x.y 3.1)"]
        ),
        max_size=7,
    )
)
def test_rewritten_patterns_answer_the_same(pattern: str, pieces: list[str]) -> None:
    """A pattern without its lookaround says yes to the same strings, as a backtracking engine judges it."""
    text = "".join(pieces)
    # `re` wants lookbehinds of one width, and reads the class as isbot means it only when the dash is last.
    judge = pattern.replace("(?<! channel/|google/)", "(?<! channel/)(?<!google/)").replace(
        r"\d-.", r"\d.-"
    )
    engine, _ = bots._compile([(f"(?i){vocabulary.without_lookaround(pattern)}", "x")])
    assert (engine.extract(text) is not None) == bool(
        re.search(judge, text, re.IGNORECASE | re.ASCII)
    )


def test_parser_agrees_with_its_corpus(cases: Path) -> None:
    """At least 99 % of uap-core's own cases give family and major as expected, before the vocabulary."""
    corpus = yaml.safe_load((cases / "ua" / "test_ua.yaml").read_text(encoding="utf-8"))[
        "test_cases"
    ]
    right = sum(
        agent.raw_browser(case["user_agent_string"]) == (case["family"], case["major"])
        for case in corpus
    )
    assert len(corpus) == 1601
    assert right >= 0.99 * len(corpus)


@pytest.mark.parametrize("name", ["elastic_apache_logs", "hackers-access.log"])
def test_vocabulary_costs_little_on_real_logs(cases: Path, name: str) -> None:
    """Fewer than 2 % of rows lose a family that the parser had given."""
    text = (cases / "logs" / name).read_text(encoding="utf-8")
    counts = Counter(line.split('"')[-2] for line in text.splitlines() if line.endswith('"'))
    families = agent.scrub(strings(*counts), wanted={"browser"}).browser.to_pylist()
    lost = sum(
        count
        for (value, count), family in zip(counts.items(), families, strict=True)
        if family == agent.OTHER != agent.raw_browser(value)[0]
    )
    assert counts.total() > 3400
    assert lost < 0.02 * counts.total()
