// Legends: what colours mean, with units and the fixed marks that every clip shares.

import { VIRIDIS } from "./colours.js";
import { make } from "./dom.js";

const FACE_MARKS =
    " The sound's rows were not measured on their own: these are the marks of the face's cells, standardised alike.";
const DECIBELS = 10 / Math.LN10; // a natural logarithm of power

// heat: { scale: [p50, p95, p99, top], calibrated, face_marks }.
export function heatLegend({ scale: [p50, p95, p99, top], calibrated, face_marks: faceMarks }) {
    const at = (value) => `${((value - p50) / (top - p50)) * 100}%`;
    const colours = VIRIDIS.map((colour) => `rgb(${colour.join()})`).join();
    const tick = (value, text) =>
        make("span", { style: `left:${at(value)}`, text, title: value.toFixed(2) });
    return make(
        "div",
        {
            class: "dl-legend",
            "data-scale": [p50, p95, p99, top].join(),
            title: `Calibrated surprise; the marks are those of authentic validation clips, the same for every clip.${faceMarks ? FACE_MARKS : ""}`,
        },
        make("div", {
            class: "dl-legend-bar",
            style: `background:linear-gradient(90deg,${colours})`,
        }),
        make(
            "div",
            { class: "dl-legend-ticks" },
            ...(calibrated
                ? [tick(p50, "p50"), tick(p95, "p95"), tick(p99, "p99"), tick(top, "2× p99")]
                : [tick(p50, "not calibrated")]),
        ),
    );
}

export const decibels = (loudness) => `${Math.round(loudness * DECIBELS)} dB`.replace("-", "−");

export function loudnessLegend([low, high]) {
    const tick = (share, text) => make("span", { style: `left:${share}%`, text });
    return make(
        "div",
        {
            class: "dl-legend",
            title: "Power of each band of the log-mel spectrogram, the same scale for every clip",
        },
        make("div", {
            class: "dl-legend-bar",
            style: "background:linear-gradient(90deg,#000,#fff)",
        }),
        make(
            "div",
            { class: "dl-legend-ticks" },
            tick(0, decibels(low)),
            tick(100, decibels(high)),
        ),
    );
}
