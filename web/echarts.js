// What the page draws with, and nothing else: `echarts` as one global for an inlined script.
import { BarChart, LineChart } from "echarts/charts";
import {
  DataZoomInsideComponent, DataZoomSliderComponent, GridComponent, LegendComponent, MarkAreaComponent,
  MarkLineComponent, MarkPointComponent, TooltipComponent,
} from "echarts/components";
import * as core from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

core.use([
  BarChart, LineChart, DataZoomInsideComponent, DataZoomSliderComponent, GridComponent, LegendComponent,
  MarkAreaComponent, MarkLineComponent, MarkPointComponent, TooltipComponent, SVGRenderer,
]);

export const { init, format, version } = core;
