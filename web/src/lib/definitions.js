// What each figure means.

export const DEFINITIONS = [
  ["Day, week, month", "Of the local time at the start. Weeks run from Monday (ISO). Kilometres and miles both come from metres, once, at the end."],
  ["Distance, time, climbed", "Strava's distance, moving time and elevation gain of each activity, added up."],
  ["Kudos", "Of the activities that Strava's API knows: an export has none."],
  ["Against the span before", "The same days of the week, month or year before: this year so far against last year to the same day."],
  ["Eddington number", "The largest E for which at least E days have at least E kilometres (or miles) in all. Kilometres and miles are counted apart, never one from the other."],
  ["Streak", "Days, weeks or months in a row with at least one activity. A streak of days is current while its last day is today or yesterday, one of weeks or months while it reaches this one or the one before."],
  ["Records", "The longest and highest activity of a sport and year. Of equals, the earliest stands."],
  ["Fastest", "The record of distance by moving time over a whole activity of ten minutes and more; indoor and virtual activities, those entered by hand, flagged ones and speeds beyond the best of the world do not count. Gym and ball games have no fastest."],
  ["Best efforts", "Strava's own, from the details: the fastest stretch of each length within an activity, never computed from an activity's average. One that is longer than its activity or faster than the world record does not count."],
  ["Left out", "What makes no sense is no record, rank, prediction, load or time in a zone: speeds and climbs beyond the best of the world, vehicles, recordings that were left on, a heart rate that is none. Sums leave nothing out."],
  ["Race predictions", "Riegel: T₂ = T₁ · (D₂ / D₁)^1.06, only where both times lie between 3.5 and 230 minutes."],
  ["TRIMP", "Banister 1991: minutes · r · 0.64 · e^(1.92 r) for men, 0.86 and 1.67 for women, r = (heart rate − rest) / (maximum − rest). From an activity's average heart rate, so an estimate."],
  ["hrTSS", "100 · TRIMP / TRIMP of an hour at the threshold heart rate (unless set, rest + 0.85 · (maximum − rest))."],
  ["TSS", "100 · s · NP · IF / (FTP · 3600), with IF = NP / FTP; Strava's weighted average power stands in for NP. Only from a power meter."],
  ["Load", "TSS, else hrTSS, else unknown; unknown too where a recording was left on. It is never guessed: each day shows the share of its moving time that has a load."],
  ["Fitness and fatigue", "Exponential means of the daily load with time constants of 42 and 7 days: x + (load − x) · (1 − e^(−1/τ)), from 0 on the first day with a load. The 42 days from there are warm-up, and so are days after six weeks with activities and without any load, and the 42 days from the next one. (TrainingPeaks uses 1/τ.)"],
  ["Form", "Yesterday's fitness less yesterday's fatigue. Below −30 it is called high risk, to −10 optimal, to 5 the grey zone, to 25 fresh, above transition."],
  ["Monotony, strain", "The mean of seven days' load by their standard deviation; their sum times that."],
  ["Zones", "Time by heart rate in five zones that start at 60, 70, 80 and 90 % of the way from resting to maximum heart rate (of the maximum where no resting one is set): from the splits of details, else the whole activity in the zone of its average. Only 20 to 250 beats a minute are a heart rate."],
  ["Sports", "Strava's sport types in eight groups; what is unknown is Other."],
  ["Map", "Routes simplified, to nine metres where there is room for it, and rounded to about eleven; nothing is drawn beneath them."],
];

// what only the figures that a public page leaves out need
export const NOT_PUBLIC = ["Kudos", "Fastest", "Best efforts", "Left out", "Race predictions", "TRIMP", "hrTSS", "TSS", "Load", "Fitness and fatigue", "Form", "Monotony, strain", "Zones", "Map"];
