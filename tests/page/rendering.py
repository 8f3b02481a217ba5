"""The page's files put together, as `pipelines/strava.py page` does it, around data of a test's own."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

SITE = Path(__file__).resolve().parents[2] / "pipelines" / "site"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def render(data: dict[str, Any]) -> str:
    """Return the page with this data in it."""
    css = (SITE / "page.css").read_text()
    vendor_js = (SITE / "vendor" / "echarts.min.js").read_text()
    page_js = "\n".join((SITE / name).read_text() for name in (SITE / "scripts.txt").read_text().split())
    data_json = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        data_json = data_json.replace(character, f"\\u{ord(character):04x}")
    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    return environment.from_string((SITE / "template.html.j2").read_text()).render(
        title="Strava Stats",
        csp=f"default-src 'none'; script-src {_hash(vendor_js)} {_hash(page_js)}; style-src {_hash(css)}; img-src data:",
        css=css,
        vendor_js=vendor_js,
        page_js=page_js,
        data_json=data_json,
    )
