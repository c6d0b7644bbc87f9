"""What counts as an identifier inside a URL: tables of linear expressions, each with its reason.

All of them run in Rust's regex engine, which cannot backtrack. A false alarm costs a word in a report;
a miss stores a person, so every entry errs towards masking.
"""

from __future__ import annotations

from typing import Final, NamedTuple

TOKEN: Final = "{token}"  # noqa: S105 — a template word, not a password
ID: Final = "{id}"
UUID: Final = "{uuid}"
USER: Final = "{user}"
MORE: Final = "{more}"
WORDS: Final = (ID, UUID, "{ip}", "{email}", TOKEN, USER, MORE)
"""Every template there is. A client may send one literally; that says nothing about anybody."""

MAX_CHARS: Final = 64
"""Longer segments are tokens, but for slugs: real directory and file names are shorter."""

TEMPLATE: Final = r"\{(?:id|uuid|ip|email|token|user|more)\}"
SAFE: Final = rf"^(?:[A-Za-z0-9._~!$&()*+,=:%@-]|[\p{{L}}\p{{M}}--\p{{ASCII}}]|\[[0-9A-Fa-f:.]+\]|{TEMPLATE})*$"
"""RFC 3986 `pchar` and letters of any script, less `;` (parameters) and `'` (SQL, and names like
O'Neill), and bracketed IPv6. Blanks, quotes, `<`, braces that are no template, digits of other scripts, control, bidi
and zero-width characters and U+FFFD (not UTF-8) all fall outside."""

TAIL: Final = (
    # Retina images (`photo@2x.jpg`) are why an `@` alone does not make an e-mail address. The list is
    # closed, because what merely looks like an extension may be the last piece of a token.
    r"(?i)((?:@[1-9](?:\.[0-9])?x)?\.(?:"
    r"7z|aac|apk|asp|aspx|atom|avi|avif|bak|bin|bmp|bz2|cfg|cgi|class|conf|css|csv|deb|dmg|do|doc|docx|eml|env|eot"
    r"|epub|exe|flac|gif|gz|htm|html|ico|ics|ini|iso|jar|jpe?g|js|json|jsp|less|log|m3u8|m4a|m4v|map|md|mjs|mkv|mobi"
    r"|mov|mp3|mp4|mpeg|mpg|msi|odp|ods|odt|ogg|old|opus|otf|pdf|php|php[3-8]|phtml|pl|png|ppt|pptx|ps|py|rar|rb|rdf|rpm"
    r"|rss|rtf|scss|sh|shtml|sql|svg|swf|swp|tar|tgz|tif|tiff|tmp|torrent|ts|tsv|ttf|txt|vcf|wasm|wav|webm|webmanifest"
    r"|webp|wmv|woff|woff2|xhtml|xls|xlsx|xml|xsl|xz|yaml|yml|zip|zst))$"
)


TRAITS: Final = ("@", ":", "-", ".", "_", "+", "digits", "hex", "changes", "size")
"""What can be counted of a text at once: some characters, digits, the longest run of hexadecimal digits, changes
between small and capital letters or letters and digits, and bytes."""


class Mask(NamedTuple):
    """What an identifier looks like, and what takes its place.

    Args:
        pattern: The expression.
        template: The replacement.
        needs: How much of each of `TRAITS` a text has at least wherever the expression finds something.
    """

    pattern: str
    template: str
    needs: dict[str, int]


MASKS: Final = (
    # In this order: the more telling shape first.
    # A number that is the whole segment: three digits or more, but not the years 1900 to 2099.
    Mask(
        r"^(?:[0-9]{3}|(?:0[0-9]|1[0-8]|2[1-9]|[3-9][0-9])[0-9]{2}|[0-9]{5,})$", ID, {"digits": 3}
    ),
    Mask(r"(?i)mailto:[^@/\s=:,;()&]+@[^@/\s=:,;()&]+", "mailto:{email}", {"@": 1, ":": 1}),
    # Userinfo (RFC 3986, section 3.2.1): the name before the colon must not stay, whatever the password holds.
    Mask(r"[^@/\s:]*:[^@/\s]*@[^@/\s=:,;()&]+", "{email}", {"@": 1, ":": 1}),
    # Local part and domain; the domain needs no dot (`root@localhost`), so userinfo is caught too.
    Mask(r"[^@/\s=:,;()&]+@[^@/\s=:,;()&]+", "{email}", {"@": 1}),
    # JSON Web Tokens (RFC 7519) begin with the Base64 of `{"`.
    Mask(r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}", TOKEN, {"size": 11}),
    Mask(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", UUID, {"-": 4, "hex": 12}),  # RFC 9562
    # IPv6 (RFC 4291): compressed, then full with or without a dotted tail, bracketed or not.
    Mask(
        r"(?i)\[?(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6})?::[0-9a-f:.]*\]?(?::[0-9]{1,5})?",
        "{ip}",
        {":": 2},
    ),
    Mask(
        r"(?i)\[?(?:[0-9a-f]{1,4}:){6}[0-9a-f]{1,4}[:.][0-9a-f.]+\]?(?::[0-9]{1,5})?",
        "{ip}",
        {":": 6},
    ),
    # Hardware addresses: they name one device for ever.
    Mask(r"(?i)(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}", TOKEN, {"hex": 2, "size": 17}),
    # IPv6 in dashes, full and compressed, global ranges.
    Mask(r"(?i)(?:[0-9a-f]{1,4}-){7}[0-9a-f]{1,4}", "{ip}", {"-": 7}),
    Mask(r"(?i)[23f][0-9a-f]{3}(?:-[0-9a-f]{1,4}){0,6}--[0-9a-f-]*", "{ip}", {"-": 2}),
    # IPv4 in dots, as in files named after it; in dashes or underscores, as in reverse names. There a
    # first number of four digits is a year: `2015-05-21-10`.
    Mask(r"[0-9]+\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]+(?::[0-9]{1,5})?", "{ip}", {".": 3, "digits": 4}),
    Mask(r"(^|[^0-9])[0-9]{1,3}-[0-9]{1,3}-[0-9]{1,3}-[0-9]+", "${1}{ip}", {"-": 3, "digits": 4}),
    Mask(r"(^|[^0-9])[0-9]{1,3}_[0-9]{1,3}_[0-9]{1,3}_[0-9]+", "${1}{ip}", {"_": 3, "digits": 4}),
    Mask(r"(?i)[0-9a-f]{33,}", TOKEN, {"hex": 33}),
    Mask(r"(?i)[0-9a-f]{32}", UUID, {"hex": 32}),
    Mask(r"(?i)[0-9a-f]{16,}", TOKEN, {"hex": 16}),
    Mask(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", TOKEN, {"size": 26}),  # ULID
    # Telephone, card and social-security numbers, in the groups people write them in.
    Mask(r"\+[0-9(][0-9().-]{5,}", ID, {"+": 1}),
    Mask(r"[0-9]{3}[-._][0-9]{3}[-._][0-9]{4}", ID, {"digits": 10}),
    Mask(r"[0-9]{3}[-._][0-9]{2}[-._][0-9]{4}", ID, {"digits": 9}),
    Mask(r"[0-9]{4}[-._][0-9]{4}[-._][0-9]{4}[-._0-9]*", ID, {"digits": 12}),
    Mask(r"[0-9]{5,}", ID, {"digits": 5}),
)
HOST_MASKS: Final = tuple(
    one for one in MASKS if one.template.endswith(("{ip}", UUID)) or "{16" in one.pattern
)
"""What is masked in host names: addresses and random names, but no numbers, which are brands (163.com)."""

NUMBERS: Final = r"^[+(]?[0-9][0-9().,:_+-]*$"
"""Digits and separators only: an identifier if a group has three digits or all have eight together …"""
DATE: Final = (
    # … but not a date, with a time or not, nor a span of years.
    r"^(?:(?:19|20)[0-9]{2}(?:[-._][0-9]{1,2}){0,5}|(?:19|20)[0-9]{2}[-_](?:19|20)[0-9]{2}"
    r"|[0-9]{1,2}[-._][0-9]{1,2}[-._](?:19|20)[0-9]{2})$"
)
SLUG: Final = r"^[a-z]{1,15}(?:[-_][a-z]{1,15}){3,}$"
"""A title in lower-case words without digits may be longer than `MAX_CHARS`, up to twice that."""
CREDENTIAL: Final = (
    r"(?i)(?:sid|sess|session|sessionid|sessid|jsessionid|token|auth|key|secret|password|passwd|pwd|code|otp)[=:]."
    # The padding of Base64: ordinary names do not end with `=`.
    r"|[A-Za-z0-9+_-]{6,}={1,2}$"
)

OWNERS: Final[dict[str, str]] = {
    # The segment after one of these names a person. Why:
    "users": "REST resource; macOS home directories",
    "user": "REST resource; MediaWiki, Drupal, GitLab",
    "u": "Reddit, Discourse, many short forms",
    "~": "a home directory, split from its name",
    "home": "Unix home directories",
    "profile": "social sites",
    "profiles": "social sites; Mastodon and Fediverse software",
    "author": "WordPress author archives",
    "authors": "as author",
    "member": "forums and associations",
    "members": "BuddyPress, XenForo",
    "account": "shops; REST resource",
    "accounts": "Mastodon API; REST resource",
    "username": "forums; REST resource",
    "customer": "shops; REST resource",
    "customers": "as customer",
    "patient": "practices and clinics; health data besides",
    "patients": "as patient",
    "employee": "staff pages",
    "employees": "as employee",
    "student": "schools and universities",
    "students": "as student",
    # What follows was sent to one person, and lets in whoever has it:
    "reset": "password resets",
    "reset-password": "password resets; Laravel, Django",
    "password-reset": "as reset-password",
    "magic": "links that log in",
    "verify": "addresses being verified",
    "confirm": "as verify",
    "activate": "accounts being activated",
    "invite": "invitations",
    "unsubscribe": "newsletters",
}
OWN_PAGES: Final = (
    # What applications themselves put there: pages, not persons. Log-in failures must stay countable.
    r"(?i)^(?:index|login|log-in|log_in|logon|logout|log-out|log_out|signin|sign-in|sign_in|signout|sign-out|sign_out"
    r"|signup|sign-up|sign_up|register|registration|password|passwd|password-reset|password_reset|reset|forgot"
    r"|forgot-password|lost-password|confirm|confirmation|activate|verify|settings|preferences|edit|new|create|delete"
    r"|search|list|me|self|current|oauth|sso|orders|profile|profiles|account|accounts)(?:\.[a-z]{1,5})?$"
)
