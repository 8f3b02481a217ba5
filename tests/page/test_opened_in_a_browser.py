"""An activity opened in Chromium: from any name, with an address and the back button, readable anywhere, quickly."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import DESK, PHONE, Shown, written
from synthetic import HOSTILE, rows
from test_page_in_a_browser import rounded

pytestmark = pytest.mark.browser

# panels in which activities have names or pictures that open them
NAMED = ("recent", "records", "efforts", "left_out", "routes", "review")


def open_first(page: Shown, panel: str) -> str:
    """Open the first activity that a panel names; the address of its link."""
    page.look_at(panel)
    link = page.page.locator(f'[data-panel="{panel}"] a[href^="#activity="]').first
    address: str = link.get_attribute("href") or ""
    link.click()
    page.settle()
    return address


def heading(page: Shown) -> str:
    return page.page.locator("dialog[open] h2").inner_text()


@pytest.mark.parametrize("panel", NAMED)
def test_it_opens_from_any_name_and_closes_to_where_one_was(show, variant, panel):
    names = {f"#activity={row['id']}": row["name"] or "Untitled" for row in rows(variant("three years"), "activities")}
    with show("three years", "#year=2025") as page:
        page.look_at_all()
        top = page.page.evaluate("scrollY")
        address = open_first(page, panel)
        assert " ".join(heading(page).split()) == " ".join(names[address].split())
        assert page.page.evaluate("location.hash") == f"#year=2025&{address[1:]}"
        assert page.page.evaluate("document.activeElement.id") == "activity-h"
        page.page.keyboard.press("Escape")
        page.settle()
        assert page.page.locator("dialog[open]").count() == 0
        assert page.page.evaluate("location.hash") == "#year=2025"
        assert page.page.evaluate("document.activeElement.getAttribute('href')") == address
        assert page.page.evaluate("scrollY") >= top


def test_back_forward_and_an_address_lead_where_they_should(show, variant):
    data = rows(variant("three years"), "activities")
    with show("three years", "#sport=Run") as page:
        first = open_first(page, "recent")
        assert page.page.locator("dialog[open] table.similar, dialog[open] .similar").count()
        page.page.locator('dialog a[href^="#activity="]').first.click()
        page.settle()
        second = page.page.evaluate("location.hash")
        assert second != f"#sport=Run&{first[1:]}"
        page.page.go_back()
        page.settle()
        assert page.page.evaluate("location.hash") == f"#sport=Run&{first[1:]}"
        page.page.go_forward()
        page.settle()
        assert page.page.evaluate("location.hash") == second
        # from however far, closing leads out of all of them, and one step back does not lead in again
        page.page.get_by_role("button", name="Close").click()
        page.settle()
        assert page.page.evaluate("location.hash") == "#sport=Run"
        assert page.page.locator("dialog[open]").count() == 0
        page.page.evaluate(f"location.hash = '#activity={data[3]['id']}'")
        page.settle()
        assert page.page.locator("dialog[open]").count() == 1
    with show("three years", f"#activity={data[4]['id']}") as page:
        assert page.page.locator("dialog[open]").count() == 1
        # beside it is the ground
        page.page.mouse.click(5, 5)
        page.settle()
        assert page.page.locator("dialog[open]").count() == 0
        assert page.page.evaluate("location.hash") == ""
    with show("three years", "#activity=17") as page:
        assert "There is no activity 17 here." in page.page.locator("dialog[open]").inner_text()
        page.page.keyboard.press("Escape")
        page.settle()
        assert page.page.evaluate("location.hash") == ""


def test_only_a_click_beside_it_closes_it(show, variant):
    with show("three years", viewport={"width": 1600, "height": 900}) as page:
        page.look_at("listing")
        page.page.locator('[data-panel="listing"] tbody a').first.click()
        page.settle()
        opened = page.page.locator("dialog[open]")
        around = opened.bounding_box()
        facts = page.page.locator("dialog .facts-of").bounding_box()
        # on its own margin
        page.page.mouse.click(around["x"] + 4, facts["y"])
        page.settle()
        assert opened.count() == 1
        # who marks a text lets go beside it
        page.page.mouse.move(facts["x"] + 20, facts["y"] + 20)
        page.page.mouse.down()
        page.page.mouse.move(around["x"] - 60, facts["y"] + 20)
        page.page.mouse.up()
        page.settle()
        assert opened.count() == 1
        page.page.mouse.click(around["x"] - 60, facts["y"] + 20)
        page.settle()
        assert opened.count() == 0


def test_closed_twice_it_leads_back_once(show):
    with show("three years", "#sport=Run") as page:
        open_first(page, "recent")
        page.page.evaluate("document.documentElement.dataset.same = 'page'")
        try:
            page.page.evaluate("() => { for (let i = 0; i < 2; i += 1) activity.querySelector('.close').click(); }")
        finally:
            page.page.wait_for_timeout(200)
        assert page.page.evaluate("[document.documentElement.dataset.same, location.hash]") == ["page", "#sport=Run"]
        assert page.page.locator("dialog[open]").count() == 0
        page.page.go_forward()
        page.settle()
        open_first(page, "recent")
        page.page.keyboard.press("Escape")
        page.settle()
        assert page.page.evaluate("location.hash") == "#sport=Run"
        assert page.page.locator("dialog[open]").count() == 0


def test_where_details_cannot_be_unpacked_it_shows_what_the_list_has(browser, variant, tmp_path):
    data = variant("three years")
    row = next(row for row in rows(data, "activities") if row["route"])
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(f"{written(data, tmp_path / 'index.html').as_uri()}#activity={row['id']}")
    page.get_by_text("This browser cannot unpack the details of activities").wait_for()
    assert page.locator("dialog [aria-busy]").count() == 0
    assert page.locator("dialog .sketch").count() == 1
    assert page.locator("dialog a.view").get_attribute("href") == f"https://www.strava.com/activities/{row['id']}"
    context.close()


def test_its_figures_are_those_of_the_list(show, variant):
    for row in rows(variant("three years"), "activities")[:40:8]:
        with show("three years", f"#activity={row['id']}") as page:
            words = page.words()
            facts = dict(
                page.page.locator("dialog .facts-of > div").evaluate_all(
                    "(all) => all.map((one) => [...one.children].map((part) => part.textContent))"
                )
            )
            if row["distance_m"]:
                assert facts["Distance"] == f"{rounded(row['distance_m'] / 1000, 1)}\u00a0km"
            seconds = row["moving_time_s"]
            hours = f"{seconds // 3600}:" if seconds >= 3600 else ""
            minutes = f"{seconds // 60 % 60:0{2 if hours else 1}}"
            assert facts["Moving time"] == f"{hours}{minutes}:{seconds % 60:02}"
            assert facts["Climbed"] == f"{row['total_elevation_gain_m']:,}\u00a0m"
            assert facts["Kudos"] == f"{row['kudos']}"
            assert not re.search(r"\b(NaN|undefined|null|Infinity|\[object)\b", words)


@pytest.mark.parametrize("width", [1600, 1100, 640, 390, 320])
@pytest.mark.parametrize(
    "name", ["hostile everywhere", "imperial", "without details", "one of each", "only lifting", "without GPS"]
)
def test_no_text_of_it_is_cut_off_sticks_out_or_lies_on_another(show, variant, name, width):
    activities = rows(variant(name), "activities")
    with show(name, viewport={"width": width, "height": 900}) as page:
        for row in activities[: 9 * (len(activities) // 9) or 1 : max(1, len(activities) // 9)]:
            page.page.evaluate(f"location.hash = '#activity={row['id']}'")
            page.settle()
            assert page.misplaced() == [], row
            assert page.page.evaluate("(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth)(activity)")


@pytest.mark.parametrize("name", ["hostile everywhere", "imperial", "three years"])
def test_on_a_phone_its_tables_are_seen_whole(show, variant, name):
    with show(name, viewport=PHONE) as page:
        for row in rows(variant(name), "activities")[:90:6]:
            page.page.evaluate(f"location.hash = '#activity={row['id']}'")
            page.settle()
            hidden = page.page.locator("dialog .scroll").evaluate_all(
                "(all) => all.map((one) => one.scrollWidth - one.clientWidth)"
            )
            assert max(hidden, default=0) <= 0, row


def test_hostile_names_stay_text_in_it(show, variant):
    activities = rows(variant("hostile everywhere"), "activities")
    row = next(row for row in activities if row["name"] == HOSTILE[0])
    with show("hostile everywhere", f"#activity={row['id']}") as page:
        assert heading(page) == HOSTILE[0]
        assert page.page.locator("dialog img, dialog script, dialog b b").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_nothing_in_it(show, variant, scheme, viewport):
    activities = rows(variant("three years"), "activities")
    for sport in ("Run", "Ride"):
        row = next(row for i, row in enumerate(activities) if row["sport_group"] == sport and i % 7 != 3)
        with show("three years", f"#activity={row['id']}", color_scheme=scheme, viewport=viewport) as page:
            assert page.page.locator("dialog table").count() >= 3
            found = Axe().run(page.page)
            assert found.violations_count == 0, found.generate_report()


def test_the_keyboard_stays_in_it_and_print_has_it_alone(show, variant):
    row = rows(variant("three years"), "activities")[0]
    with show("three years", f"#activity={row['id']}") as page:
        reached = []
        for _ in range(8):
            page.page.keyboard.press("Tab")
            reached.append(
                page.page.evaluate("document.activeElement.closest('dialog')?.id ?? document.activeElement.tagName")
            )
        assert set(reached) <= {"activity", "BODY"}, reached
        page.page.emulate_media(media="print")
        assert not page.page.locator("main").is_visible()
        assert not page.page.get_by_role("button", name="Close").is_visible()
        hidden = page.page.locator("dialog").evaluate("(one) => one.scrollHeight - one.clientHeight")
        assert hidden <= 1
        printed = page.page.pdf()
        assert 2 <= len(re.findall(rb"/Type /Page\b", printed)) <= 6


def test_an_activity_among_thousands_opens_by_its_address(show, variant):
    ids = [row["id"] for row in rows(variant("fifteen years"), "activities")]
    assert len(ids) > 2500
    with show("fifteen years") as page:
        page.page.evaluate(f"location.hash = '#activity={ids[2000]}'")
        page.page.wait_for_selector("#activity .pieces")
