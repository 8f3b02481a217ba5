// The page's data, as pipelines/page/data.py writes it (public_data.py leaves out what is marked with "?"), and what
// our modules pass to each other. A test compares the tables with those of data.py.

/** "2026-11-26" */
export type DateText = string;
/** A day as the number of days since 1970-01-01. */
export type DayNumber = number;
export type Units = "km" | "mi";
export type Span = "week" | "month" | "year" | "all";
export type Theme = "auto" | "light" | "dark";
/** What can be summed. */
export type Measure = "activities" | "distance_m" | "moving_time_s" | "total_elevation_gain_m";
export type Sums = { [measure in Measure]: number };
export type Setting = "rest_hr" | "max_hr" | "threshold_hr" | "ftp_w" | "sex";

export interface PageData {
  version: number;
  today: DateText;
  units: Units;
  public: boolean;
  athlete: { id: string | null };
  settings: { [setting in Setting]: number | string | null };
  missing: Setting[];
  source?: { built_at: string | null; warehouse_version: string };
  unknown_fields?: UnknownField[] | null;
  tables: { [name in keyof Tables]?: { columns: string[]; rows: unknown[][] } };
}

/** A field that Strava has begun to send, in a table of bronze, and since when. */
export interface UnknownField {
  table: string;
  field: string;
  since: DateText;
}

export interface Tables {
  activities: Activity;
  activities_daily: DailySums;
  records: BestActivity;
  eddington: Eddington;
  eddington_days: EddingtonDays;
  streaks: Streak;
  year_in_review: YearInReview;
  weekday_hours: WeekdayHour;
  goals: Goal;
  data_coverage: DataCoverage;
  best_efforts: BestEffort;
  left_out: LeftOut;
  race_predictions: RacePrediction;
  zones: TimeInZone;
  data_coverage_yearly: DataCoverageOfYear;
  zone_bounds: ZoneBounds;
  training_load_daily: LoadOfDay;
  gear: Gear;
  sweeps: Sweep;
  exports: Export;
  seen: Seen;
  misfits: Misfit;
  differences: Difference;
}

export interface Activity {
  id?: string;
  /** Local time to the minute, "2026-11-26T07:30"; on a public page the date alone. */
  started_local: string;
  sport_type?: string | null;
  sport_group: string;
  name?: string | null;
  distance_m: number | null;
  moving_time_s: number | null;
  total_elevation_gain_m: number | null;
  average_heartrate?: number | null;
  kudos?: number | null;
  /** Simplified and encoded as Google's polylines, four decimals; empty without one. */
  route?: string;
}

/** An activity with a route. */
export interface Routed extends Activity {
  route: string;
}

export interface DailySums {
  activity_date: DateText;
  sport_group: string;
  activities: number;
  distance_m: number | null;
  moving_time_s: number | null;
  total_elevation_gain_m: number | null;
}

export interface BestActivity {
  sport_group: string;
  /** null for all years */
  year: number | null;
  record: string;
  value: number;
  unit: string;
  activity_id?: string;
  activity_name?: string | null;
  activity_date: DateText;
}

export interface Eddington {
  sport_group: string;
  unit: Units;
  eddington: number;
  days_needed_for_next: number;
}

export interface EddingtonDays {
  sport_group: string;
  unit: Units;
  distance: number;
  days: number;
}

export interface Streak {
  sport_group: string;
  period: "day" | "week" | "month";
  longest: number;
  longest_start_date: DateText;
  longest_end_date: DateText;
  current: number;
  current_start_date: DateText | null;
}

export interface YearInReview {
  year: number;
  sport_group: string;
  activities: number;
  distance_m: number;
  moving_time_s: number;
  total_elevation_gain_m: number;
  kudos?: number | null;
  active_days: number;
  longest_distance_m: number | null;
  longest_activity_id?: string | null;
  longest_activity_name?: string | null;
  biggest_day_date: DateText | null;
  biggest_day_distance_m: number | null;
  longest_day_streak: number;
  /** 1 for Monday to 7 */
  favourite_weekday: number | null;
  favourite_hour?: number | null;
  most_used_gear_id?: string | null;
  eddington_km: number | null;
  eddington_mi: number | null;
  first_activity_date: DateText;
  last_activity_date: DateText;
}

export interface WeekdayHour {
  year: number;
  sport_group: string;
  /** 1 for Monday to 7 */
  weekday: number;
  hour: number;
  activities: number;
  moving_time_s: number | null;
}

export interface Goal {
  sport_group: string;
  measure: Measure | "active_days";
  period: "week" | "month" | "year";
  period_start_date: DateText;
  period_end_date: DateText;
  target: number;
  achieved: number;
  share: number;
  expected_share: number;
}

export interface DataCoverage {
  activities: number;
  with_route?: number;
  with_heartrate?: number;
  with_power?: number;
  with_details?: number;
  first_activity_date: DateText | null;
  last_activity_date: DateText | null;
  misfits?: number;
  without_api?: number;
  without_time_zone?: number;
}

export interface BestEffort {
  activity_id: string;
  activity_name: string | null;
  activity_date: DateText;
  year: number;
  sport_group: string;
  effort: string;
  distance_m: number;
  elapsed_time_s: number;
  moving_time_s: number | null;
  rank_all_time: number;
  rank_in_year: number;
}

export interface LeftOut {
  reason: string;
  left_out_of: string;
  explanation: string;
  activities: number;
  latest_activity_id: string;
  latest_activity_name: string;
  latest_activity_date: DateText;
}

export interface RacePrediction {
  from_effort: string;
  from_activity_date: DateText;
  from_distance_m: number;
  from_time_s: number;
  to_effort: string;
  to_distance_m: number;
  predicted_time_s: number;
}

export interface TimeInZone {
  month_start_date: DateText;
  sport_group: string;
  /** 1 to 5 */
  zone: number;
  moving_time_s: number;
  source: "splits" | "average";
}

export interface ZoneBounds {
  zone: number;
  lowest_bpm: number | null;
  highest_bpm: number | null;
}

export interface LoadOfDay {
  date: DateText;
  load: number | null;
  coverage: number | null;
  fitness: number;
  fatigue: number;
  form: number;
  monotony: number | null;
  strain: number | null;
  is_warm_up: 0 | 1;
}

export interface Gear {
  gear_id: string | null;
  name: string | null;
  retired: boolean | null;
  is_primary: boolean | null;
  kind: string | null;
  activities: number;
  distance_m: number;
  moving_time_s: number;
  total_elevation_gain_m: number;
  first_used_date: DateText;
  last_used_date: DateText;
  strava_distance_m: number | null;
}

export interface DataCoverageOfYear {
  year: number;
  activities: number;
  with_route: number;
  with_heartrate: number;
  with_power: number;
  with_details: number;
  by_api: number;
  by_export: number;
  by_file: number;
}

/** "2026-11-26T07:30Z" */
export type InstantText = string;

export interface Sweep {
  ended_at: InstantText;
  complete: boolean;
  activities_listed: number | null;
  versions_landed: number | null;
  activities_gone: number | null;
  reason: string | null;
}

export interface Export {
  exported_at: InstantText;
  imported_at: InstantText | null;
  activities: number;
  files: number;
}

export interface Seen {
  what: "summaries" | "details" | "deleted";
  latest_at: InstantText;
  activities: number;
}

export interface Misfit {
  field: string;
  activities: number;
}

export interface Difference {
  field: string;
  winner: string;
  reason: string;
  activities: number;
}

/** The details as pipelines/page/details.py packs them: of each column a list for each activity at `position`. */
export interface PackedDetails {
  version: number;
  segments: Columns;
  tables: { [name in keyof DetailTables]?: { position: number[] } & Columns };
}

export interface Columns {
  [column: string]: any[];
}

export interface DetailTables {
  activity: AboutActivity;
  splits: Split;
  laps: Lap;
  best_efforts: EffortOfActivity;
  segment_efforts: SegmentEffort;
  zone_times: ZoneTime;
  left_out: LeftOutOfActivity;
}

export interface AboutActivity {
  elapsed_time_s: number | null;
  max_heartrate: number | null;
  average_watts: number | null;
  weighted_average_watts: number | null;
  device_watts: 0 | 1 | null;
  load: number | null;
  load_source: "power" | "heart_rate" | null;
  gear_id: string | null;
  device_name: string | null;
  doors: string | null;
  has_details: 0 | 1;
}

/** So many splits of an activity: one, or several of a long one. */
export interface Split {
  splits: number;
  distance_m: number | null;
  moving_time_s: number | null;
  elevation_difference_m: number | null;
  average_heartrate: number | null;
}

export interface Lap {
  name: string | null;
  distance_m: number | null;
  moving_time_s: number | null;
  total_elevation_gain_m: number | null;
  average_heartrate: number | null;
}

export interface EffortOfActivity {
  effort: string;
  elapsed_time_s: number | null;
  rank_all_time: number | null;
  rank_in_year: number | null;
}

export interface SegmentEffort {
  segment: number;
  elapsed_time_s: number | null;
  rank_own: number | null;
  pr_rank: number | null;
  kom_rank: number | null;
}

export interface Segment {
  id: string | null;
  name: string;
  efforts: number;
}

export interface ZoneTime {
  zone: number;
  moving_time_s: number;
  source: "splits" | "average";
}

export interface LeftOutOfActivity {
  reason: string;
  explanation: string;
  left_out_of: string;
  effort: string | null;
  value: number | null;
  limit_value: number | null;
  unit: string | null;
}

/** The place of an activity among those like it; `last` has the newest first. */
export interface AmongSimilar {
  by: "distance_m" | "moving_time_s";
  least: number;
  most: number;
  count: number;
  rank: number | null;
  best: Activity | null;
  last: Activity[];
  mean: number | null;
}

/** The first and the last day of a period. */
export type Period = [DayNumber, DayNumber];

/** A day of one sport, with what is asked of its date most. */
export interface Day extends DailySums {
  day: DayNumber;
  year: number;
}

/** What the reader has chosen. */
export interface Choices {
  /** null for all years */
  year: number | null;
  /** a group of sports, or "All" */
  sport: string;
  /** a sport type of that group; null for all of them */
  type: string | null;
  measure: Measure;
  span: Span;
  units: Units;
  theme: Theme;
  /** the periods that are compared: keys of lib/periods.js */
  compare: string;
  with: string;
  /** the one that is open, by its id */
  activity: string | null;
}

/** What an element takes: nothing, text, a number, an element, or lists of them. */
export type Content = Node | string | number | false | null | undefined | Content[];

export interface Attributes {
  on?: { [event: string]: (event: any) => void };
  css?: { [property: string]: string | number };
  [name: string]: unknown;
}

/**
 * A column of a table: its heading, or that of figures, or that of what heads the rows. `sort` says how the rows are
 * sorted by it.
 */
export type Column = string | { text: Content; number?: boolean; row?: boolean; sort?: "ascending" | "descending" | "none" };

export interface TableContent {
  /** what the table is called, for who cannot see it */
  caption: string;
  columns: Column[];
  rows: Content[][];
  foot?: Content[] | null;
  /** a look of the style sheet */
  kind?: string;
}

export interface Option<Value extends string> {
  value: Value;
  text: string;
  label?: string;
  sport?: string | null;
}

/** A part of the page. */
export interface Panel {
  name: string;
  needs: Set<string>;
  draw(host: HTMLElement): void;
}

/** A part of a map: its middle, pixels by unit of `decodeRoute`, and its size in pixels. */
export interface MapView {
  x: number;
  y: number;
  scale: number;
  width: number;
  height: number;
}

export type Colour =
  | "ink"
  | "muted"
  | "line"
  | "grid"
  | "card"
  | "accent"
  | "fatigue"
  | "good"
  | "band-1"
  | "band-2"
  | "band-3";

/** Colours as the style sheet has them now, those of sports by their groups, and the five shades. */
export type Colours = { [colour in Colour]: string } & { sport: { [group: string]: string }; heat: string[] };

export interface Axis<Value> {
  data?: string[];
  axisLabel?: { interval?: (place: number) => boolean; formatter?: (value: Value) => string; [option: string]: unknown };
  [option: string]: unknown;
}

/** What ECharts draws, as far as our own functions are in it. */
export interface ChartOption {
  tooltip: { formatter: (points: { dataIndex: number }[]) => HTMLElement; [option: string]: unknown };
  xAxis: Axis<string> | Axis<string>[];
  yAxis: Axis<number> | Axis<number>[];
  series: { [option: string]: unknown }[];
  [option: string]: unknown;
}

declare global {
  /** The bundle of web/echarts.js, in a script of its own before ours. */
  const echarts: Pick<typeof import("echarts/core"), "init">;
}
