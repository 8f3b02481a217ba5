"""The controls over HTTP, `/_control/…`: for other processes and other languages than Python.

They are the methods of `World`, with a JSON object for their arguments. They never count toward limits nor appear among
the requests.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from simulator.answers import Answer, ok
from simulator.export import write_export
from simulator.json_text import dump
from simulator.world import World


def _state(world: World) -> dict[str, Any]:
    with world.lock:
        return {
            "now": world.now().isoformat(),
            "athlete_id": world.athlete_id,
            "activities": world.count,
            "client_id": world.client_id,
            "client_secret": world.client_secret,
            "limits": world.limits.limits,
            "usage": dict(world.limits.usage),
            "requests": len(world.requests),
        }


def _clock(world: World, set: str | None = None, advance: float = 0) -> dict[str, str]:  # noqa: A002 - the JSON's key
    if set is not None:
        world.set_clock(datetime.fromisoformat(set))
    world.advance(advance)
    return {"now": world.now().isoformat()}


def _set_summary(world: World, id: int, text: str) -> None:  # noqa: A002 - the JSON's key
    world.set_summary(id, str.encode(text))


def _requests(world: World) -> list[dict[str, Any]]:
    return [asdict(record) | {"at": record.at.isoformat()} for record in world.requests]


def _export(world: World, **options: Any) -> Answer:
    """Answer with the athlete's bulk export, as it is now."""
    defects = options.pop("defects", [])
    named: dict[str, Any] = {
        name: int(value) if name in ("year", "width", "points") else value for name, value in options.items()
    }
    with TemporaryDirectory() as folder, world.lock:
        path = Path(folder) / "export.zip"
        write_export(world, path, defects=defects.split(",") if isinstance(defects, str) else defects, **named)
        return Answer(200, path.read_bytes(), "application/zip")


def _by_id(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method whose first argument is an activity, or gear, as one that takes it from the JSON's `id`."""

    def call(world: World, id: int, **fields: Any) -> Any:  # noqa: A002
        return method(world, id, **fields)

    return call


_READS: Final[dict[str, Callable[..., Any]]] = {
    "activities": World.activities,
    "detail": lambda world, id: world.detail(int(id)),  # noqa: A006 - the query's key
    "export": _export,
    "requests": _requests,
    "state": _state,
}
_CHANGES: Final[dict[str, Callable[..., Any]]] = {
    "add": World.add,
    "edit": _by_id(World.edit),
    "edit_detail": _by_id(World.edit_detail),
    "edit_gear": _by_id(World.edit_gear),
    "set_summary": _set_summary,
    "delete": _by_id(World.delete),
    "restore": _by_id(World.restore),
    "hide": _by_id(World.hide),
    "unhide": _by_id(World.unhide),
    "crop": _by_id(World.crop),
    "fault": World.fault,
    "clear_faults": World.clear_faults,
    "clock": _clock,
    "limits": World.set_limits,
    "usage": World.set_usage,
    "expire": World.expire_access_tokens,
    "refresh_token": lambda world, **scope: {"refresh_token": world.issue_refresh_token(**scope)},
    "clear_requests": World.clear_requests,
}


def answer(world: World, method: str, name: str, arguments: dict[str, Any]) -> Answer:
    """Answer a control request: 200 with what the method returns as JSON.

    404 for an unknown activity or control, 400 for arguments that the method does not take.
    """
    control = (_READS if method == "GET" else _CHANGES).get(name)
    if control is None:
        known = sorted([f"GET {read}" for read in _READS] + [f"POST {change}" for change in _CHANGES])
        return Answer(404, dump({"message": f"no such control; there are {', '.join(known)}"}))
    try:
        found = control(world, **arguments)
    except KeyError as error:
        return Answer(404, dump({"message": f"no activity {error}"}))
    except (TypeError, ValueError) as error:
        return Answer(400, dump({"message": str(error)}))
    return found if isinstance(found, Answer) else ok(found)
