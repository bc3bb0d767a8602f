// The evidence panels beside the curves: inspector, face-track picker, and which rows are shown.

import { FacePicker } from "./face-picker.js";
import { Inspector } from "./inspector.js";
import { rowToggles } from "../core/row-toggles.js";

const NARROW = "(max-width: 700px)";
const LEAN = new Set(["spectrogram", "waveform"]); // rows that a phone does not show at first

export function buildEvidence(payload, chart, rate, { inspectionUrl, chooseFace }) {
    const inspector = new Inspector(payload, inspectionUrl, rate);
    const faces = payload.tracks?.length > 1 ? new FacePicker(payload, chooseFace) : null;
    const narrow = matchMedia(NARROW).matches;
    const rows = [...chart.rows, ...chart.strips].map((row) => ({
        key: row.key,
        label: row.label,
        shown: !(narrow && LEAN.has(row.key)),
        set: (on) => chart.reveal(row, on),
    }));
    const panel = {
        key: "inspector",
        label: "Inspector",
        shown: true,
        set: (on) => inspector.set(on),
    };
    return {
        inspector,
        faces,
        toggles: rowToggles([panel, ...rows], globalThis.localStorage),
        show: (time) => {
            inspector.show(time);
            faces?.draw(time);
        },
        close: () => inspector.close(),
    };
}
