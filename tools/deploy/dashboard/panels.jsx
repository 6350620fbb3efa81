// Draws the dashboard as Grafana does, by Grafana's own components: frames, units, legends, axes and frames of panels
// are theirs. What is not theirs: the grid, and the asking of Prometheus, whose answers stand in window.answers.
import { FieldType, LoadingState, createTheme, dateTime, getDisplayProcessor } from "@grafana/data";
import { GlobalStyles, PanelChrome, TimeSeries } from "@grafana/ui";
import { createRoot } from "react-dom/client";

const { dashboard, answers, from, to } = window;
const theme = createTheme({ colors: { mode: "dark" } });
const [gap, height] = [8, 38]; // a row of Grafana's grid is 30 pixels and a gap

// What a panel of time series draws when its dashboard says nothing else.
const usual = {
  drawStyle: "line", lineWidth: 1, lineInterpolation: "linear", fillOpacity: 0, showPoints: "auto", pointSize: 5, spanNulls: false,
  axisPlacement: "auto", axisLabel: "", axisColorMode: "text", axisBorderShow: false, scaleDistribution: { type: "linear" },
  gradientMode: "none", thresholdsStyle: { mode: "off" }, stacking: { mode: "none", group: "A" }, hideFrom: { legend: false, tooltip: false, viz: false },
};

// Quantiles of nothing are no numbers: there is nothing to draw then.
const drawable = (text) => (Number.isFinite(Number(text)) ? Number(text) : null);

const named = (legend, labels) => legend.replace(/{{\s*(\w+)\s*}}/g, (_, label) => labels[label] ?? "");

function frame(target, series, defaults, index) {
  const name = named(target.legendFormat, series.metric);
  const field = {
    name: "Value", type: FieldType.number, labels: series.metric, values: series.values.map(([, value]) => drawable(value)),
    config: { ...defaults, displayNameFromDS: name, color: { mode: "palette-classic" }, custom: { ...usual, ...defaults.custom } },
    state: { seriesIndex: index, displayName: name },
  };
  field.display = getDisplayProcessor({ field, theme, timeZone: "utc" });
  const time = { name: "Time", type: FieldType.time, config: {}, values: series.values.map(([at]) => at * 1000) };
  time.display = getDisplayProcessor({ field: time, theme, timeZone: "utc" });
  return { refId: target.refId, length: series.values.length, fields: [time, field] };
}

function frames(panel) {
  const all = [];
  for (const target of panel.targets) {
    for (const series of answers[`${panel.id}/${target.refId}`]) {
      all.push(frame(target, series, panel.fieldConfig.defaults, all.length));
    }
  }
  return all;
}

function Graph({ panel, width, height }) {
  const drawn = frames(panel);
  if (drawn.length === 0) {
    return <div data-empty="true" style={{ color: theme.colors.text.secondary, display: "grid", placeItems: "center", height }}>No data</div>;
  }
  const range = { from: dateTime(from), to: dateTime(to), raw: { from: dateTime(from), to: dateTime(to) } };
  const legend = { displayMode: "list", placement: "bottom", showLegend: true, calcs: [], ...panel.options?.legend };
  return <TimeSeries frames={drawn} timeRange={range} timeZone="utc" width={width} height={height} legend={legend} options={{ ...panel.options, legend }} />;
}

function Panel({ panel, column }) {
  const { x, y, w, h } = panel.gridPos;
  const place = { position: "absolute", left: x * column + gap / 2, top: y * height, width: w * column - gap, height: h * height - gap };
  if (panel.type === "row") {
    return <div style={{ ...place, fontSize: 16, lineHeight: "30px" }}>{panel.title}</div>;
  }
  return (
    <div style={place} data-panel={panel.title}>
      <PanelChrome title={panel.title} description={panel.description} width={place.width} height={place.height} loadingState={LoadingState.Done} padding="md">
        {(width, inner) => <Graph panel={panel} width={width} height={inner} />}
      </PanelChrome>
    </div>
  );
}

const bottom = Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h));
const root = document.getElementById("root");
root.style.cssText = `position: relative; height: ${bottom * height}px; background: ${theme.colors.background.canvas}`;
document.body.style.cssText = `margin: 0; color: ${theme.colors.text.primary}; font: 14px ${theme.typography.fontFamily}`;
createRoot(root).render([
  <GlobalStyles key="styles" />,
  ...dashboard.panels.map((panel) => <Panel key={panel.id} panel={panel} column={root.clientWidth / 24} />),
]);
