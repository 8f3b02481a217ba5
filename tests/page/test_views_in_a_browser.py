"""All activities, one period against another and data health in Chromium: by hand, and anywhere."""

from datetime import date, timedelta

import pytest
import synthetic
from browser import Shown
from synthetic import TODAY, Row, rows
from test_page_in_a_browser import amount

pytestmark = pytest.mark.browser


def names(page: Shown) -> list[str]:
    return page.page.locator('[data-panel="listing"] tbody th').all_inner_texts()


def of_years(data: synthetic.Page, first: date, last: date) -> list[Row]:
    return [row for row in rows(data, "activities") if str(first) <= row["started_local"][:10] <= str(last)]


def test_typing_finds_names_within_the_choice_and_keeps_the_focus(show, variant):
    data = variant("three years")
    with show("three years") as page:
        page.look_at("listing")
        page.page.locator("#search").press_sequentially("easy RUN", delay=1)
        expected = [r for r in rows(data, "activities") if {"easy", "run"} <= set((r["name"] or "").lower().split())]
        assert names(page) == [row["name"] for row in expected[:50]]
        assert page.page.evaluate("document.activeElement.id") == "search"
        page.choose("sport", "Ride")
        page.settle()
        assert "No name has all of these words, in Ride, all years." in page.words()
        assert page.page.locator("#search").input_value() == "easy RUN"


def test_headings_sort_by_mouse_and_keyboard_and_pages_turn(show, variant):
    data = variant("three years")
    with show("three years") as page:
        page.look_at("listing")
        page.page.locator("#sort-distance_m").click()
        furthest = sorted(rows(data, "activities"), key=lambda row: -row["distance_m"])
        shown = page.page.locator('[data-panel="listing"] tbody tr').first.locator("td").all_inner_texts()
        assert f"{furthest[0]['distance_m'] / 1000:.1f} km" in [text.replace("\u00a0", " ") for text in shown]
        heading = page.page.locator('th[aria-sort="descending"]')
        assert heading.inner_text().startswith("Distance")
        assert page.page.evaluate("document.activeElement.id") == "sort-distance_m"
        page.page.keyboard.press("Enter")
        assert page.page.locator('th[aria-sort="ascending"]').inner_text().startswith("Distance")
        first = names(page)
        page.page.get_by_role("button", name="Next").click()
        assert names(page) != first
        assert f"51 to 100 of {len(furthest):,}" in page.words()
        page.page.get_by_role("button", name="Previous").click()
        assert names(page) == first
        # the button is gone that led here: the other one is where the keyboard is
        assert page.page.evaluate("document.activeElement.textContent") == "Next"
        page.page.locator('[data-panel="listing"] tbody a').first.click()
        page.settle()
        assert page.page.locator("dialog[open] h2").inner_text().split() == first[0].split()


def test_on_a_phone_the_list_fits_and_is_sorted_by_what_has_no_column(show, variant):
    fastest_heart = max(rows(variant("three years"), "activities"), key=lambda row: row["average_heartrate"] or 0)
    with show("three years", viewport={"width": 390, "height": 844}) as page:
        page.look_at("listing")
        page.page.select_option("#sorted-by", "average_heartrate")
        assert page.page.locator('th[aria-sort="descending"]').inner_text().startswith("Heart rate")
        first = page.page.locator('[data-panel="listing"] tbody tr').first.inner_text()
        assert f"{fastest_heart['average_heartrate']:.0f}" in first
        for sort in ("started_local", "name", "total_elevation_gain_m"):
            page.page.select_option("#sorted-by", sort)
            wide, room = page.page.evaluate(
                "(({scrollWidth, clientWidth}) => [scrollWidth, clientWidth])"
                "(document.querySelector('[data-panel=listing] .scroll'))"
            )
            assert wide <= room


def test_ten_thousand_activities_are_found_and_sorted_a_page_at_a_time(show):
    known = rows(synthetic.athlete(15), "activities")
    many = [row | {"id": f"{row['id']}{n}", "route": ""} for n in range(4) for row in known][:10_000]
    found = [row["name"] for row in many if "eve" in row["name"].casefold()]
    assert len(found) > 100
    with show(synthetic.page(many)) as page:
        page.look_at("listing")
        page.page.locator("#search").fill("eve")
        page.page.locator("#sort-name").click()
        names = page.page.locator("[data-panel=listing] tbody a[href^='#activity=']").all_inner_texts()
        assert len(names) == 50
        assert set(names) <= set(found)
        assert names == sorted(names, key=str.casefold) or names == sorted(names, key=str.casefold, reverse=True)


def test_two_periods_are_compared_as_picked_or_typed(show, variant):
    data = variant("three years")
    with show("three years", "#measure=moving_time_s") as page:
        page.look_at("compare")

        def sums(measure: str) -> list[str]:
            page.settle()
            row = page.page.locator('[data-panel="compare"] tbody tr').filter(has_text=measure).first
            return row.locator("td").all_inner_texts()[:2]

        def expected(*periods: tuple[date, date]) -> list[str]:
            return [amount(sum(r["moving_time_s"] for r in of_years(data, *one)) / 3600) for one in periods]

        so_far = (date(2026, 1, 1), TODAY), (date(2025, 1, 1), date(2025, 11, 26))
        assert sums("Moving time") == expected(*so_far)
        page.page.select_option("#period-compare", "2025")
        page.page.select_option("#period-with", "2024")
        assert sums("Moving time") == expected(
            *((date(year, 1, 1), date(year, 12, 31)) for year in (2025, 2024)),
        )
        page.page.locator("#period-with").focus()
        page.page.select_option("#period-with", "2025")
        page.page.select_option("#period-with", "2024")
        assert page.page.evaluate("document.activeElement.id") == "period-with"
        page.page.fill("#period-with-0", "2024-05-17")
        page.page.fill("#period-with-1", "2024-06-02")
        page.settle()
        assert page.page.evaluate("location.hash") == (
            "#measure=moving_time_s&compare=2025&with=2024-05-17..2024-06-02"
        )
        assert page.page.locator("#period-with").input_value() == "own"
        typed = date(2024, 5, 17), date(2024, 6, 2)
        assert sums("Moving time") == expected((date(2025, 1, 1), date(2025, 12, 31)), typed)
        assert sums("Activities")[1] == str(len(of_years(data, *typed)))
        page.page.select_option("#period-with", "days-before")
        page.settle()
        assert page.page.locator("#period-with-1").input_value() == str(date(2025, 1, 1) - timedelta(days=1))
        page.choose("sport", "Run")
        runs = [row for row in of_years(data, date(2025, 1, 1), date(2025, 12, 31)) if row["sport_group"] == "Run"]
        assert sums("Activities")[0] == str(len(runs))


def test_a_date_is_typed_digit_by_digit_and_changes_no_other(show):
    with show("three years") as page:
        page.look_at("compare")
        page.page.fill("#period-with-0", "2024-05-17")
        page.page.fill("#period-with-1", "2024-06-02")
        page.page.locator("#period-with-1").focus()
        # on the way to the twelfth of December 2025 lie January and the years 2, 20 and 202
        page.page.keyboard.type("12122025", delay=10)
        shown = [page.page.locator(f"#period-with-{at}").input_value() for at in (0, 1)]
        assert shown == ["2024-05-17", "2025-12-12"]
        assert page.page.evaluate("document.activeElement.id") == "period-with-1"
        # whichever comes first
        page.page.fill("#period-with-0", "2026-01-05")
        page.settle()
        assert "12 Dec 2025 \u2013 5 Jan 2026" in page.words()
        page.page.select_option("#period-with", "year-before")
        page.settle()
        assert page.page.locator("#period-with-1").input_value() == str(TODAY.replace(year=TODAY.year - 1))


@pytest.mark.parametrize("days", [331, 200, 7, 1])
def test_no_day_below_a_comparison_is_cut_off(show, days):
    with show("three years", viewport={"width": 1600, "height": 900}) as page:
        page.look_at("compare")
        page.page.fill("#period-compare-0", "2026-01-01")
        page.page.fill("#period-compare-1", str(date(2026, 1, 1) + timedelta(days=days - 1)))
        page.settle()
        assert page.misplaced() == []


@pytest.mark.parametrize("width", [1600, 1100, 390])
@pytest.mark.parametrize("name", ["hostile everywhere", "imperial", "one of each"])
def test_sorted_searched_and_compared_no_text_is_in_the_wrong_place(show, name, width):
    with show(name, viewport={"width": width, "height": 900}) as page:
        page.look_at("listing")
        page.page.locator("#sort-name").click()
        page.look_at("compare")
        page.page.select_option("#period-compare", "last-28")
        page.page.select_option("#period-with", "days-before")
        page.look_at("health")
        assert page.misplaced() == []
