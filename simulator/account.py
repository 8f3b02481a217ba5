"""An account from a file: a JSON array of SummaryActivities, as the list returns them or a pull has saved them."""

from dataclasses import dataclass, field
from pathlib import Path

from simulator.athlete import Gear, Row, epoch_of
from simulator.json_text import decode, parse


@dataclass
class Account:
    """What a file says about an athlete; each row keeps the activity's own text, byte for byte."""

    athlete_id: int = 0
    rows: list[Row] = field(default_factory=list)
    gear: dict[str, Gear] = field(default_factory=dict)


def read_account(path: Path) -> Account:
    """Read a file of SummaryActivities; each needs `id`, `athlete.id` and `start_date`, nothing else.

    Raises OSError if the file cannot be read, ValueError if it holds something else.
    """
    text, account = path.read_text(encoding="utf-8-sig"), Account()
    if not text.lstrip().startswith("["):
        raise ValueError(f"{path} is not a JSON array of SummaryActivities")
    try:
        parse(text)  # all of it is JSON: the walk below need not look out for its end
        position = text.index("[") + 1
        while text[position] != "]":
            if text[position] in " \t\r\n,":
                position += 1
                continue
            summary, end = decode(text, position)
            raw, position = text[position:end].encode(), end
            hidden = summary.get("visibility") == "only_me"
            account.rows.append(Row(epoch_of(summary["start_date"]), _id(summary), hidden, raw))
            account.athlete_id = _id(summary["athlete"])
            if isinstance(gear_id := summary.get("gear_id"), str) and gear_id:
                worn = account.gear.setdefault(gear_id, Gear(gear_id, "Gear", gear_id))
                worn.distance_m += summary.get("distance") or 0
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is not a JSON array of SummaryActivities: {error}") from error
    return account


def _id(holder: dict[str, object]) -> int:
    id_ = holder["id"]
    if not isinstance(id_, int) or isinstance(id_, bool):
        raise TypeError(f"{id_!r} is no id")
    return id_
