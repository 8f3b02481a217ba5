"""Waiting for Strava's next window, visibly and until a signal; and for a Strava that is down, in a backfill."""

from pipelines.ground.errors import BudgetSpent
from pipelines.ground.progress import Task
from pipelines.ground.stop import StopFlag
from pipelines.sources.strava_api.budget import Budget

# a machine may sleep, or its clock may be set, during a wait: check each second
STEP_S = 1


def is_too_long(spent: BudgetSpent, budget: Budget, longest_s: float) -> bool:
    """Whether a run that may wait `longest_s` ends instead of waiting: it never waits for a day."""
    return spent.of_day or spent.opens_at_s - budget.now().timestamp() > longest_s


def wait_for_window(spent: BudgetSpent, budget: Budget, reserve: int, stop: StopFlag, task: Task) -> None:
    """Wait until a request may be sent again that leaves `reserve` requests of the day.

    Raises:
        Interrupted: a signal came.
        ReserveTooLarge: as `Budget.spent`.
    """
    task.announce_wait(str(spent))
    still: BudgetSpent | None = spent
    while still is not None:
        left_s = still.opens_at_s - budget.now().timestamp()
        task.count_down(max(left_s, 0), f"for Strava's {'daily' if still.of_day else '15-minute'} limit")
        stop.wait(min(max(left_s, 0), STEP_S))
        still = budget.spent(reserve)
