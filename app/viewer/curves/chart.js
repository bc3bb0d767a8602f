// The curves, drawn by Plotly: one row a curve family, and the strips of evidence under them. Redrawn on zoom,
// resize and theme, from the visible range alone, never per frame.

import { gaps, make } from "../core/dom.js";
import { stepAt, windowed } from "../time/sampling.js";
import { MARGIN, place } from "../time/time-scale.js";
import { axisOf, titleOf, usualOf } from "./axis.js";
import { STREAM_LABELS } from "../core/streams.js";
import { hatches, missingText, stretches } from "../core/unscored.js";
import { stripsOf } from "./strips.js";

const DASHES = { visual: "solid", audio: "dash", fused: "solid" };
const LABEL_SHARE = 0.15; // of a row's height
let loading = null;

// plotly.js is a plain script. Our own reference is kept: other components may replace the global.
export function loadPlotly(url) {
    loading ??= new Promise((resolve, reject) => {
        document.head.append(
            make("script", { src: url, onload: () => resolve(window.Plotly), onerror: reject }),
        );
    });
    return loading;
}

// What each row shows, by the definitions in the report. The streams of a curve that proposes share an axis, for one
// threshold decides; any other curve has an axis for each stream, for each has its own marks.
export function rowsOf({ report, thresholds }) {
    return report.curves.flatMap((definition) => {
        const own = report.scores.filter(
            ({ kind, values }) =>
                kind === definition.kind && values.some((value) => value !== null),
        );
        if (!own.length) return [];
        if (definition.proposes) return [rowOf(definition, own, thresholds.fused ?? null)];
        const single = own.filter(({ stream }) => stream !== "fused");
        return (single.length ? single : own).map((curve) => rowOf(definition, [curve], null));
    });
}

function rowOf(definition, curves, threshold) {
    const { kind, label, description, proposes } = definition;
    const [{ stream, marks }] = curves;
    const detail = proposes ? null : STREAM_LABELS[stream];
    const usual = proposes ? null : usualOf(definition, curves[0]);
    const [low, top] = axisOf(definition, curves);
    return {
        key: proposes ? kind : `${kind}-${stream}`,
        label: detail ? `${label}, ${detail}` : label,
        title: titleOf(definition),
        name: label.toLowerCase(),
        description,
        detail,
        curves,
        marks: proposes ? [] : marks.filter(({ level }) => usual === null || level >= usual),
        usual: usual && { name: definition.usual, level: usual },
        low,
        top,
        threshold,
    };
}

export class Chart {
    constructor(plotly, payload, scale) {
        Object.assign(this, { plotly, payload, scale, bands: payload.intervals });
        this.rate = payload.report.scores[0]?.rate_hz ?? 25;
        this.rows = rowsOf(payload).map((row) => this.build(row));
        this.mark(this.bands);
        this.strips = stripsOf(payload, scale, this.rate);
        this.element = make(
            "div",
            { class: "dl-chart" },
            ...[...this.rows, ...this.strips].map((row) => row.section),
        );
    }

    // Shows or hides a row, a curve or a strip.
    reveal(row, on) {
        row.section.hidden = !on;
        if (on) this.draw();
    }

    build(row) {
        const plot = make("div", { class: "dl-plot" });
        const value = make("output", { class: "dl-now" });
        const keys =
            row.curves.length > 1
                ? row.curves.map((curve) =>
                      make("span", {
                          class: `dl-key dl-key-${curve.stream}`,
                          text: STREAM_LABELS[curve.stream],
                      }),
                  )
                : [];
        const title = make("h3", { text: row.title, title: row.description });
        if (row.detail) title.append(make("span", { text: row.detail }));
        const head = make("div", { class: "dl-row-head" }, title, ...keys, value);
        const main = row.curves.find((curve) => curve.stream === "fused") ?? row.curves[0];
        const { report, reasons } = this.payload;
        const missing = stretches(gaps(main.values, this.rate), report.unscored, main.stream);
        const hatched = hatches(missing, reasons);
        const bands = make("div", { class: "dl-bands" });
        const area = make("div", { class: "dl-area" }, bands, plot, ...hatched);
        return {
            ...row,
            main,
            plot,
            value,
            hatches: hatched,
            missing,
            bands,
            section: make("section", { class: "dl-row", "data-row": row.key }, head, area),
        };
    }

    // Marks intervals behind the curves: elements that are moved, for a plot takes long to change.
    mark(spans) {
        this.bands = spans;
        for (const { bands } of this.rows) {
            bands.replaceChildren(...spans.map((span) => Object.assign(make("i"), { span })));
            place([...bands.children], this.scale);
        }
    }

    draw() {
        if (!this.scale.width || !this.element.isConnected) return;
        const style = getComputedStyle(this.element);
        const colour = (name) => style.getPropertyValue(`--dl-${name}`).trim();
        for (const strip of this.strips) if (!strip.section.hidden) strip.draw();
        for (const row of this.rows) {
            if (row.section.hidden) continue;
            place([...row.hatches, ...row.bands.children], this.scale);
            this.plotly.react(row.plot, this.traces(row, colour), this.layout(row, colour), {
                staticPlot: true,
            });
        }
    }

    // "both" lies below the curve that it follows.
    traces(row, colour) {
        return row.curves.toReversed().map((curve) => ({
            ...windowed(
                curve.values,
                curve.rate_hz,
                this.scale.start,
                this.scale.end,
                this.scale.plot,
            ),
            mode: "lines",
            connectgaps: false,
            line: {
                color: colour(curve.stream),
                width: curve.stream === "fused" ? 3.5 : 1.5,
                dash: row.curves.length > 1 ? DASHES[curve.stream] : "solid",
            },
        }));
    }

    layout(row, colour) {
        const font = {
            family: getComputedStyle(this.element).fontFamily,
            size: 11,
            color: colour("quiet"),
        };
        const line = (y, label, dash) => ({ y, label, dash });
        const marks = row.marks.map(({ name, level }, index) =>
            line(level, name, ["dash", "solid"][index] ?? "dot"),
        );
        const lines = row.threshold ? [line(row.threshold, "flag", "dash")] : marks;
        const crowded =
            lines.length > 1 && lines[1].y - lines[0].y < LABEL_SHARE * (row.top - row.low);
        const authentic = row.usual
            ? [
                  {
                      type: "rect",
                      xref: "paper",
                      yref: "y",
                      x0: 0,
                      x1: 1,
                      y0: row.low,
                      y1: row.usual.level,
                      layer: "below",
                      line: { width: 0 },
                      fillcolor: colour("usual"),
                  },
              ]
            : [];
        return {
            width: this.scale.width,
            height: row.plot.clientHeight || 110,
            showlegend: false,
            font,
            margin: { l: MARGIN.left, r: MARGIN.right, t: 6, b: 18 },
            paper_bgcolor: "rgba(0,0,0,0)",
            plot_bgcolor: "rgba(0,0,0,0)",
            xaxis: {
                range: [this.scale.start, this.scale.end],
                fixedrange: true,
                showgrid: false,
                zeroline: false,
                ticksuffix: " s",
                ticks: "outside",
                ticklen: 3,
                tickcolor: colour("line"),
                linecolor: colour("line"),
                showline: true,
                nticks: this.scale.plot < 500 ? 6 : 12,
            },
            yaxis: {
                range: [row.low, row.top],
                fixedrange: true,
                nticks: 4,
                gridcolor: colour("grid"),
                zeroline: false,
            },
            shapes: [
                ...authentic,
                ...lines.map(({ y, dash }) => ({
                    type: "line",
                    xref: "paper",
                    yref: "y",
                    x0: 0,
                    x1: 1,
                    y0: y,
                    y1: y,
                    line: { color: colour("quiet"), width: 1, dash },
                })),
            ],
            annotations: lines.map(({ y, label }, index) => ({
                xref: "paper",
                yref: "y",
                x: 1,
                y,
                text: label,
                xanchor: "left",
                yanchor: (crowded && ["top", "bottom"][index]) || "middle",
                xshift: 4,
                showarrow: false,
                font,
            })),
        };
    }

    // What stands out most at a time: { name, times, mark }, the value as a multiple of the level that authentic clips
    // usually stay below; null where no such curve was scored.
    mostUnusual(time) {
        const found = this.rows
            .filter(({ usual }) => usual)
            .map(({ main, usual, name }) => {
                const value = main.values[stepAt(time, this.rate, main.values.length)] ?? NaN;
                return { name, times: value / usual.level, mark: usual.name };
            })
            .filter(({ times }) => Number.isFinite(times));
        return found.length
            ? found.reduce((one, two) => (two.times > one.times ? two : one))
            : null;
    }

    // The values under the cursor, as text beside each title.
    read(time) {
        for (const strip of this.strips) strip.read(time);
        for (const row of this.rows) {
            const value = row.main.values[stepAt(time, this.rate, row.main.values.length)];
            row.value.textContent =
                value === null ? missingText(row.missing, time) : value.toFixed(2);
        }
    }
}
