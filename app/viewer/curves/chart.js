// The curves, drawn by Plotly: one row a curve family, and the strips of evidence under them. Redrawn on zoom,
// resize and theme, from the visible range alone, never per frame.

import { gaps, make, reasons } from "../core/dom.js";
import { stepAt, windowed } from "../time/ranges.js";
import { MARGIN, place } from "../time/scale.js";
import { stripsOf } from "./strips.js";

const STREAM_LABELS = { visual: "picture", audio: "sound", fused: "both" };
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

// What each row shows: an error row for picture and for sound, then the forgery scores together.
export function rowsOf({ report, marks, thresholds }) {
    const scored = (curve) => curve.values.some((value) => value !== null);
    const curves = report.scores.filter(scored);
    const errors = curves.filter(
        (curve) =>
            curve.kind === "error" &&
            (curve.stream !== "fused" ||
                curves.every((other) => other.kind !== "error" || other.stream === "fused")),
    );
    const rows = errors.map((curve) => ({
        key: `error-${curve.stream}`,
        label: `Error, ${STREAM_LABELS[curve.stream]}`,
        title: "Reconstruction error (surprise against the clip)",
        detail: STREAM_LABELS[curve.stream],
        curves: [curve],
        marks: marks[curve.stream] ?? null,
        top: errorTop(curve, marks[curve.stream]),
    }));
    const forgery = curves.filter((curve) => curve.kind === "forgery");
    if (forgery.length) {
        rows.push({
            key: "forgery",
            label: "Forgery score",
            title: "Forgery score",
            detail: null,
            curves: forgery,
            marks: null,
            top: 1.02,
            threshold: thresholds.fused ?? null,
        });
    }
    return rows;
}

// Fixed by the calibration, so that clips compare; only a clip that leaves the scale stretches it.
function errorTop(curve, marks) {
    const peak = curve.values.reduce((most, value) => Math.max(most, value ?? 0), 0);
    return Math.max(marks ? 2 * marks[2] : 1, peak * 1.06);
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
        const title = make("h3", { text: row.title });
        if (row.detail) title.append(make("span", { text: row.detail }));
        const head = make("div", { class: "dl-row-head" }, title, ...keys, value);
        const main = row.curves.find((curve) => curve.stream === "fused") ?? row.curves[0];
        const hatches = gaps(main.values, this.rate).map((span) =>
            Object.assign(
                make("div", {
                    class: "dl-hatch",
                    title: `Not scored: ${reasons(span, this.payload.report.unscored, main.stream)}`,
                }),
                { span },
            ),
        );
        const bands = make("div", { class: "dl-bands" });
        const area = make("div", { class: "dl-area" }, bands, plot, ...hatches);
        return {
            ...row,
            main,
            plot,
            value,
            hatches,
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
        const marks = (row.marks ?? []).map((y, index) =>
            line(y, ["p50", "p95", "p99"][index], ["dot", "dash", "solid"][index]),
        );
        const lines = row.threshold ? [line(row.threshold, "flag", "dash")] : marks.slice(1);
        const top = row.top;
        const crowded = lines.length > 1 && lines[1].y - lines[0].y < LABEL_SHARE * top;
        const authentic = row.marks
            ? [
                  {
                      type: "rect",
                      xref: "paper",
                      yref: "y",
                      x0: 0,
                      x1: 1,
                      y0: 0,
                      y1: row.marks[1],
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
                range: [0, top],
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
                yanchor: crowded ? ["top", "bottom"][index] : "middle",
                xshift: 4,
                showarrow: false,
                font,
            })),
        };
    }

    // The largest error at a time as a multiple of what authentic clips stay below (p95); null where none was scored.
    times(time) {
        const shares = this.rows
            .filter(({ marks }) => marks)
            .map(
                ({ main, marks }) =>
                    (main.values[stepAt(time, this.rate, main.values.length)] ?? NaN) / marks[1],
            )
            .filter(Number.isFinite);
        return shares.length ? Math.max(...shares) : null;
    }

    // The values under the cursor, as text beside each title.
    read(time) {
        for (const strip of this.strips) strip.read(time);
        for (const row of this.rows) {
            const value = row.main.values[stepAt(time, this.rate, row.main.values.length)];
            row.value.textContent = value === null ? "not scored" : value.toFixed(2);
        }
    }
}
