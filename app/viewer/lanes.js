// Lanes P (predicted) and G (ground truth): buttons that seek, on the shared time scale.

import { STREAM_NAMES, clockText, gaps, make, reasons } from "./dom.js";
import { place } from "./scale.js";

export class Lanes {
    constructor(payload, scale, seek) {
        const curves = payload.report.scores.filter((curve) => curve.kind === "forgery");
        const main = curves.find((curve) => curve.stream === "fused") ?? curves[0];
        const holes = main ? gaps(main.values, main.rate_hz) : [];
        const hatches = holes.map((span) => Object.assign(make("div", { class: "dl-hatch",
            title: `Not scored: ${reasons(span, payload.report.unscored)}` }), { span }));
        const block = (kind, name) => (span) => Object.assign(make("button", {
            type: "button", class: `dl-block dl-${kind}`, "data-start": span.start,
            "aria-label": `${name}, ${STREAM_NAMES[span.letter]}, from ${clockText(span.start)} to ${clockText(span.end)}`,
            onclick: (event) => { event.stopPropagation(); seek(span.start); },
        }, make("span", { text: span.letter }), span.score === undefined ? null : make("small", { text: span.score.toFixed(2) })), { span });
        const predicted = payload.intervals.map(block("predicted", "Predicted interval"));
        const truth = (payload.truth ?? []).map(block("truth", "Ground truth"));
        this.scale = scale;
        this.blocks = [...hatches, ...predicted, ...truth];
        this.element = make("div", { class: "dl-lanes" },
            lane("P", "Predicted", [...hatches, ...predicted], predicted.length ? "" : "nothing flagged"),
            payload.truth === null ? null : lane("G", "Ground truth", truth, truth.length ? "" : "authentic"));
    }

    draw() { place(this.blocks, this.scale); }
}

function lane(letter, name, blocks, empty) {
    return make("div", { class: "dl-lane", role: "group", "aria-label": name },
        make("abbr", { title: name, text: letter }), ...blocks,
        empty ? make("span", { class: "dl-lane-empty", text: empty }) : null);
}
