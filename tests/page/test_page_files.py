"""What the page is made of: files of ours that keep to rules, and others' that are as they were published."""

import hashlib
import re
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
SITE = REPO / "pipelines" / "page" / "site"
VENDOR = SITE / "vendor"
SOURCES = REPO / "web" / "src"
SCRIPTS = {str(path.relative_to(SOURCES)): path.read_text(encoding="utf-8") for path in sorted(SOURCES.rglob("*.js"))}


def test_what_is_vendored_has_the_bytes_that_were_published():
    listed = dict(reversed(line.split("  ")) for line in (VENDOR / "CHECKSUMS").read_text().splitlines())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir()}
    assert {name: found[name] for name in found if name not in ("CHECKSUMS", "README.md")} == listed
    assert {"LICENSE", "NOTICE", "echarts.min.js"} <= set(listed)


def test_what_is_vendored_is_small_and_can_stand_in_a_script_element():
    script = (VENDOR / "echarts.min.js").read_text(encoding="utf-8")
    assert len(script) < 750_000
    assert "</script" not in script.lower()
    assert "<!--" not in script
    assert not re.search(r"\beval\(|new Function\(", script)


def test_the_page_reads_marts_and_what_was_set_but_nothing_in_between():
    code = "".join(path.read_text(encoding="utf-8") for path in SITE.parent.glob("*.py"))
    assert set(re.findall(r"staging\.(\w+)", code)) == {"dbt_builds", "athlete_settings", "goals"}
    assert not re.search(r"\b(int|stg)_\w+__", code)


def test_our_scripts_make_no_html_of_text_and_send_no_request():
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|fetch\(|XMLHttpRequest|import\("
    )
    assert {name: found for name, text in SCRIPTS.items() if (found := re.findall(forbidden, text))} == {}
    addresses = {address for text in SCRIPTS.values() for address in re.findall(r"https?://[\w./]+", text)}
    assert addresses == {"http://www.w3.org/2000/svg", "https://www.strava.com/"}


def test_dates_are_never_read_in_the_zone_of_the_viewer():
    text = "\n".join(SCRIPTS.values())
    assert re.findall(r"new Date\((.*?)\)", text) == ["number * 86400000"]
    assert not re.search(
        r"\.get(FullYear|Month|Date|Day|Hours)\(|toLocale\w*String|Date\.(now|parse)|DateTimeFormat", text
    )


def test_the_style_sends_no_request_and_the_template_has_no_style_or_handler_of_its_own():
    assert "url(" not in (SITE / "page.css").read_text()
    assert "@import" not in (SITE / "page.css").read_text()
    template = (SITE / "template.html.j2").read_text()
    assert not re.search(r"\s(style|on\w+)=", template)
    assert set(re.findall(r"{{ (\w+)", template)) == {
        "title",
        "csp",
        "css",
        "vendor_js",
        "page_js",
        "data_json",
        "details",
    }
