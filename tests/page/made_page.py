"""A page that the command made, as a browser would find it, and the athlete of whom it is."""

import json
from html.parser import HTMLParser

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "<img src=x onerror=alert(2)>",
    "'\"&amp;&lt;{{ 7 * 7 }}{% raw %}${1+1}",
    "ركوب \u202eliart\u202c 🏔️🚴‍♀️",
    "line\u2028and\u2029paragraph\nand\ttab \\u003c",
)
# numbers that stand nowhere else
ATHLETE = {
    "STRAVA_REST_HR": "51.375",
    "STRAVA_MAX_HR": "187.625",
    "STRAVA_THRESHOLD_HR": "168.875",
    "STRAVA_FTP": "243.125",
    "STRAVA_SEX": "f",
    "STRAVA_UNITS": "mi",
    "STRAVA_GOALS": "Run 1000 km/year, All 10 h/week",
}
HEARTRATE = 161.7


class Parsed(HTMLParser):
    """Elements with their attributes, and the text of scripts and styles, as a browser would find them."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts = [], []
        self._open = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._open = (tag, dict(attrs))
            self.texts.append((*self._open, ""))

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, data):
        if self._open:
            tag, attributes, text = self.texts.pop()
            self.texts.append((tag, attributes, text + data))

    @property
    def data(self):
        return json.loads(self._text("data"))

    @property
    def details(self):
        """The details as they are packed."""
        return self._text("details")

    def _text(self, id_):
        (text,) = [text for tag, attributes, text in self.texts if attributes.get("id") == id_]
        return text


def page_file(athlete):
    return athlete.home / "site" / "index.html"


def rows_of(data, name):
    table = data["tables"][name]
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
