// Rows of evidence on canvases, on the shared time scale: face, spectrogram, its error, waveform.
// Painted on zoom, resize and theme from the visible range alone, never per frame.

import { NOTHING, TOP, bytes, signedBytes } from "../core/unpack.js";
import { LOUDNESS, heatTable } from "../core/colours.js";
import { make } from "../core/dom.js";
import { hatches, missingText, stretches } from "../core/unscored.js";
import { decibels, heatLegend, loudnessLegend } from "../core/legend.js";
import { paintMap, paintWave } from "../core/paint.js";
import { columns, stepAt, unscored } from "../time/sampling.js";
import { place } from "../time/time-scale.js";

class Strip {
    // spec: { key, title, detail, label, ends: [top, bottom], legend, rate, length, holes, stream, paint, value };
    // holes: the stretches without a value, null for what is never hatched; value(step): a text, null for none.
    constructor(spec, scale, { report, reasons }) {
        Object.assign(this, spec, { scale, painted: "" });
        this.canvas = make("canvas", {
            role: "img",
            "aria-label": `${spec.title}, ${spec.detail}`,
        });
        this.output = make("output", { class: "dl-now" });
        this.missing = spec.holes ? stretches(spec.holes, report.unscored, spec.stream) : [];
        this.hatches = hatches(this.missing, reasons);
        const [top, bottom] = spec.ends;
        this.section = make(
            "section",
            { class: `dl-row dl-strip dl-strip-${spec.key}`, "data-row": spec.key },
            make(
                "div",
                { class: "dl-row-head" },
                make("h3", { text: spec.title }, make("span", { text: spec.detail })),
                spec.legend,
                this.output,
            ),
            make(
                "div",
                { class: "dl-area" },
                make("span", { class: "dl-end", text: top }),
                make("span", { class: "dl-end dl-end-low", text: bottom }),
                this.canvas,
                ...this.hatches,
            ),
        );
    }

    draw() {
        const { start, end, plot } = this.scale;
        const view = [start, end, plot, document.body.className].join();
        if (view === this.painted) return;
        this.painted = view;
        this.paint(this.canvas, columns(start, end, Math.round(plot), this.rate, this.length));
        place(this.hatches, this.scale);
    }

    read(time) {
        const step = stepAt(time, this.rate, this.length);
        this.output.textContent = this.value(step) ?? missingText(this.missing, time);
    }
}

// A map of surprise: the colours of the heat, and the largest value of the step in words.
function heatSpec(values, rows, rate, heat, upwards) {
    const map = { values, rows, table: heatTable(heat.scale), upwards };
    return {
        rate,
        length: values.length / rows,
        holes: unscored(values, rows, rate, NOTHING),
        legend: heatLegend(heat),
        paint: (canvas, spans) => paintMap(canvas, map, spans),
        value: (step) => {
            const known = values
                .subarray(step * rows, (step + 1) * rows)
                .filter((value) => value !== NOTHING);
            return known.length ? ((Math.max(...known) / TOP) * heat.scale[3]).toFixed(2) : null;
        },
    };
}

// The hottest cell of each row of the face, row by row.
export function faceRows({ cols, cells }) {
    const packed = bytes(cells);
    return Uint8Array.from({ length: packed.length / cols }, (_, row) =>
        Math.max(...packed.subarray(row * cols, (row + 1) * cols)),
    );
}

export function stripsOf(payload, scale, rate) {
    const { heat, sound, waveform } = payload;
    const specs = [];
    if (heat) {
        specs.push({
            ...heatSpec(faceRows(heat), heat.rows, rate, heat, false),
            key: "face",
            title: "Face error",
            detail: "rows of the face, hottest cell of each",
            label: "Face error",
            ends: ["brow", "chin"],
            stream: "visual",
        });
    }
    if (sound) {
        const error = {
            ...heatSpec(bytes(sound.heat), sound.rows, sound.rate, sound, true),
            key: "sound",
            title: "Sound error",
            detail: "bands of the spectrogram",
            label: "Sound error",
            ends: ["8 kHz", "0"],
            stream: "audio",
        };
        specs.push(spectrogramSpec(sound.mel, error.holes), error);
    }
    if (waveform) specs.push(waveSpec(waveform));
    return specs.map((spec) => new Strip(spec, scale, payload));
}

function spectrogramSpec({ bins, rate, range, original }, holes) {
    const values = bytes(original);
    const [low, high] = range;
    return {
        key: "spectrogram",
        title: "Spectrogram",
        detail: "log-mel",
        label: "Spectrogram",
        ends: ["8 kHz", "0"],
        stream: "audio",
        rate,
        length: values.length / bins,
        holes,
        legend: loudnessLegend(range),
        paint: (canvas, spans) =>
            paintMap(canvas, { values, rows: bins, table: LOUDNESS, upwards: true }, spans),
        value: (step) =>
            decibels(
                low +
                    (Math.max(...values.subarray(step * bins, (step + 1) * bins)) / TOP) *
                        (high - low),
            ),
    };
}

function waveSpec(waveform) {
    const wave = { low: signedBytes(waveform.low), high: signedBytes(waveform.high) };
    return {
        key: "waveform",
        title: "Waveform",
        detail: "share of full scale",
        label: "Waveform",
        ends: ["+1", "−1"],
        stream: "audio",
        rate: waveform.rate,
        length: wave.low.length,
        holes: null,
        legend: null,
        paint: (canvas, spans) =>
            paintWave(
                canvas,
                wave,
                spans,
                getComputedStyle(canvas).getPropertyValue("--dl-audio").trim(),
            ),
        value: (step) => `${Math.round(Math.max(-wave.low[step], wave.high[step]) / 1.27)} %`,
    };
}
