"""What the browsers and crawlers of generated logs call themselves."""

from __future__ import annotations

CRAWLERS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
    "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "python-requests/2.32.3",
    "curl/8.5.0",
    "Go-http-client/2.0",
)
_WINDOWS, _MAC, _PHONE = (
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "Linux; Android 10; K",
)
_KHTML = "AppleWebKit/537.36 (KHTML, like Gecko)"
COMMON = (
    *(
        f"Mozilla/5.0 ({_WINDOWS}) {_KHTML} Chrome/{n}.0.0.0 Safari/537.36"
        for n in range(141, 130, -1)
    ),
    *(
        f"Mozilla/5.0 ({_PHONE}) {_KHTML} Chrome/{n}.0.0.0 Mobile Safari/537.36"
        for n in range(141, 125, -1)
    ),
    *(f"Mozilla/5.0 ({_MAC}) {_KHTML} Chrome/{n}.0.0.0 Safari/537.36" for n in range(141, 132, -1)),
    *(
        f"Mozilla/5.0 ({_WINDOWS}) {_KHTML} Chrome/{n}.0.0.0 Safari/537.36 Edg/{n}.0.0.0"
        for n in range(141, 135, -1)
    ),
    *(
        f"Mozilla/5.0 ({_WINDOWS}; rv:{n}.0) Gecko/20100101 Firefox/{n}.0"
        for n in (143, 142, 140, 128, 115)
    ),
    *(
        f"Mozilla/5.0 (iPhone; CPU iPhone OS {a}_{b} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        f"Version/{a}.{b} Mobile/15E148 Safari/604.1"
        for a in (18, 17, 16)
        for b in (6, 5, 4, 3, 1)
    ),
)
# What rare user agents look like: model and build make nearly each of them the only one of its kind.
_RARE = (
    "Mozilla/5.0 (Linux; Android {0}; SM-{3}{1}B Build/UP1A.{2:06d}.005; wv) " + _KHTML + " Version/4.0 Chrome/{4}.0.{2}.{1} Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android {0}; {3}{1}) " + _KHTML + " Chrome/{4}.0.{2}.{1} Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_{0} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E{1} [FBAN/FBIOS;FBAV/{4}.0.0.{2};FBBV/{2}{1};FBDV/iPhone14,{0}]",
    "Shop{3}/{4}.{0}.{1} (Android {0}; build {2})",
)  # fmt: skip
QUOTED = 'Mozilla/5.0 (compatible; "Reader" 2.1; "beta")'


def rare(number: int) -> str:
    """A user agent that nearly no other number has."""
    spread = number * 2_654_435_761 % 2**32
    letters = "AFGMST"[number % 6]
    build = number // 900
    return _RARE[spread >> 30].format(
        10 + spread % 6, 100 + number % 900, build, letters, 110 + (spread >> 8) % 31
    )
