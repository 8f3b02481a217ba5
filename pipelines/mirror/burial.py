"""Burying what is gone at Strava: tombstones land in bronze, after a check that this is plausible."""

from datetime import datetime, timedelta

from pipelines.bronze.store import Bronze
from pipelines.bronze.sweep import Sweep, tombstone, why_not_remove
from pipelines.bronze.tables import ACTIVITIES, TOMBSTONES
from pipelines.ground.errors import ActivityNotFound, StravaUnavailable
from pipelines.ground.progress import Report
from pipelines.mirror.access import Access
from pipelines.mirror.landing import Notes
from pipelines.sources.strava_api.payloads import EPOCH
from pipelines.sources.strava_api.transport import raise_for_refusal

# up to so many are requested by id before they count as gone; for more, the list is trusted
ASKED_BY_ID = 20
READ_ALL = "activity:read_all"


class Burial:
    """Lands tombstones of one athlete."""

    def __init__(self, athlete_id: int, access: Access, bronze: Bronze, notes: Notes, report: Report) -> None:
        self._athlete_id = athlete_id
        scopes = access.scopes
        # a token that cannot see only-me activities cannot distinguish a deletion from an activity made only-me
        self._reason = "out_of_reach" if scopes is not None and READ_ALL not in scopes else "deleted"
        self._access = access
        self._bronze = bronze
        self._report = report
        self._notes = notes
        self.count = 0

    def bury(self, gone: set[int], noticed_by: str, confirmed: bool = False) -> str | None:
        """Land a tombstone for each of `gone` that is live; otherwise return the reason in words.

        A walk that misses a tenth of all, or everything, is not trusted unless `confirmed`. Until a later sweep is,
        nothing else is either: otherwise lookbacks and details would remove bit by bit what the sweep kept.
        """
        if gone and noticed_by != "sweep" and (kept := self._kept_by_sweep()) is not None:
            return kept
        live = self._bronze.live_at_strava(self._athlete_id) if gone else {}
        gone = gone & live.keys()
        doubt = None if confirmed else why_not_remove(len(gone), len(live))
        if doubt is not None:
            self._report.warn(
                f"{doubt}, more than anybody deletes in a day: rather a lost permission (see `make auth`) or an "
                "outage at Strava. Nothing was removed. If you did delete them, confirm it with: "
                "python pipelines/strava.py pull --confirm-deletions"
            )
            return doubt
        if gone:
            landed = self._bronze.landed(ACTIVITIES)
            hashes = {id_: landed.hashes[id_].hex() for id_ in gone & landed.hashes.keys()}
            tombstones = [
                tombstone(id_, self._athlete_id, live[id_], hashes.get(id_), self._reason, noticed_by)
                for id_ in sorted(gone)
            ]
            # later also than their versions in exports
            self._notes.land(TOMBSTONES, tombstones, self._bronze.newest_fetched_at(), self._athlete_id)
            self.count += len(tombstones)
            self._report.say(f"Gone at Strava: {len(tombstones):,}, see strava.deleted_activities.")
        return None

    def expected(self, start: datetime) -> dict[int, datetime | None]:
        """The activities that the list should have from `start` (UTC) on, each with its start.

        A token that sees only some of them shows nothing about activities that the API has never sent.
        """
        if self._reason == "deleted":
            return self._bronze.live_at_strava(self._athlete_id, start)
        return self._bronze.live_at_api(self._athlete_id, start)

    def _kept_by_sweep(self) -> str | None:
        """Why the last complete sweep removed nothing, if so."""
        known = self._bronze.last_sweep(self._athlete_id, complete=True)
        last = Sweep.read(known[1]) if known else None
        return last.reason if last is not None else None

    def unknown_by_id(self, ids: set[int]) -> set[int]:
        """Those of `ids`, which are all missing from the list, that Strava does not know by id either.

        An activity whose start was edited during the walk is in no window, although it exists.
        """
        if len(ids) > ASKED_BY_ID:
            return ids
        unknown = set()
        for id_ in sorted(ids):
            try:
                self._access.client.get(f"activities/{id_}", hooks={"response": [raise_for_refusal]})
            except ActivityNotFound:
                unknown.add(id_)
            except StravaUnavailable:
                # one corrupt activity may answer 500 for ever, which does not mean that it is gone
                continue
        return unknown

    def unlisted(self, ids: set[int]) -> set[int]:
        """Those of `ids`, all unknown by id, that the list lacks too; one without a start is left to a sweep."""
        live = self._bronze.live_at_strava(self._athlete_id) if ids else {}
        starts = {id_: start for id_ in sorted(ids) if (start := live.get(id_)) is not None}
        return {id_ for id_, start in starts.items() if not self._is_listed(id_, start)}

    def _is_listed(self, id_: int, start: datetime) -> bool:
        start_s = int((start - EPOCH) / timedelta(seconds=1))
        listed = self._access.client.get(
            "athlete/activities",
            params={"after": max(start_s - 2, 0), "before": start_s + 2, "per_page": 200},
            hooks={"response": [raise_for_refusal]},
        )
        return any(payload.id == id_ for payload in self._access.client.extract_response(listed, "$"))
