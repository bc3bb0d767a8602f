// The comparison with the ground truth: counts, this clip's numbers, and the edges of the selected pair.

import {
    AP_TIOUS,
    AR_COUNTS,
    averagePrecision,
    averageRecall,
    falseAlarmRate,
    frameAuc,
    union,
} from "./metrics.js";
import { make } from "../core/dom.js";
import { KINDS } from "../edit/lanes.js";

const text = (value, digits = 2) => (value === null ? "undefined" : value.toFixed(digits));
const signed = (value, digits = 0) =>
    `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(digits)}`;

export class Comparison {
    constructor(state) {
        this.state = state;
        this.about = make("p", { class: "dl-none" });
        this.alpha = make("input", {
            type: "range",
            min: "0.1",
            max: "0.95",
            step: "0.05",
            "aria-label": "tIoU that counts as found",
            oninput: () => this.setAlpha(Number(this.alpha.value)),
        });
        this.shown = make("output");
        this.presets = AP_TIOUS.map((alpha) =>
            make("button", {
                type: "button",
                class: "dl-small",
                text: String(alpha),
                "aria-label": `tIoU ${alpha}`,
                onclick: () => this.setAlpha(alpha),
            }),
        );
        this.against = make(
            "select",
            {
                "aria-label": "Lanes to compare",
                onchange: () => state.compare(...this.against.value),
            },
            ...["PG", "EG", "EP"].map(([claim, reference]) =>
                make("option", { value: claim + reference, text: `${claim} with ${reference}` }),
            ),
        );
        this.counts = make("ul", { class: "dl-counts" });
        this.numbers = make("dl", { class: "dl-numbers" });
        this.pair = make("p", { class: "dl-pair-text", role: "status" });
        this.next = make("button", {
            type: "button",
            class: "dl-small",
            text: "Next disagreement",
            title: "Next disagreement (G)",
            onclick: () => state.nextDisagreement(),
        });
        this.inner = make(
            "div",
            { class: "dl-compare" },
            make(
                "div",
                { class: "dl-alpha" },
                make("label", {}, "tIoU ", this.alpha),
                this.shown,
                ...this.presets,
            ),
            this.counts,
            this.pair,
            this.numbers,
            this.next,
        );
        this.element = make(
            "section",
            { class: "dl-comparison", "aria-label": "Comparison" },
            make(
                "div",
                { class: "dl-table-head" },
                make("h3", { text: "Comparison" }),
                this.against,
            ),
            this.about,
            this.inner,
        );
        state.onChange(() => this.draw());
    }

    setAlpha(alpha) {
        this.state.alpha = alpha;
        this.state.changed();
    }

    draw() {
        const { state } = this;
        const found = state.comparison();
        this.element.hidden = state.blind;
        this.inner.hidden = !found;
        this.against.value = state.claim + state.reference;
        this.about.textContent = this.aboutText(found);
        if (!found) return;
        this.alpha.value = state.alpha;
        this.shown.textContent = state.alpha.toFixed(2);
        this.presets.forEach((preset, index) =>
            preset.setAttribute("aria-pressed", String(AP_TIOUS[index] === state.alpha)),
        );
        this.drawCounts(found);
        this.drawNumbers(found);
        this.pair.textContent = this.pairText();
    }

    aboutText(found) {
        if (!found)
            return "The ground truth is not known. Load a truth file, draw lane G, or take your edit as the truth.";
        if (this.state.reference === "P") return "Your edit, held against what the model predicts.";
        const n = found.truth.length;
        return `This clip, n = ${n} ${n === 1 ? "segment" : "segments"}; not comparable with dataset AP.`;
    }

    drawCounts(found) {
        const kinds = [...found.kinds.values()].map(({ kind }) => kind);
        const count = (kind) =>
            kind === "FN" ? found.missed.size : kinds.filter((own) => own === kind).length;
        this.counts.replaceChildren(
            ...Object.entries(KINDS).map(([kind, [mark, word]]) =>
                make(
                    "li",
                    {},
                    make("b", { class: `dl-chip dl-kind-${kind}` }, make("span", { text: mark })),
                    ` ${count(kind)} ${word}`,
                ),
            ),
        );
    }

    // How well the model does, whatever the threshold: AP, AR and AUC change with the truth alone.
    ofModel(truth) {
        const key = JSON.stringify(truth);
        if (this.cached?.key === key) return this.cached.rows;
        const { proposals, forgery } = this.state;
        const rows = !truth.length
            ? [["AP", "undefined"]]
            : [
                  ...AP_TIOUS.map((alpha) => [
                      `AP@${alpha}`,
                      text(averagePrecision(proposals, truth, alpha)),
                  ]),
                  ...AR_COUNTS.map((n) => [`AR@${n}`, text(averageRecall(proposals, truth, n))]),
                  [
                      "frame AUC",
                      forgery
                          ? text(frameAuc(forgery.values, forgery.rate_hz, truth))
                          : "undefined",
                  ],
              ];
        this.cached = { key, rows };
        return rows;
    }

    drawNumbers({ claims, truth }) {
        const { payload, claim, reference } = this.state;
        const joined = union(truth);
        const falsely = [
            "falsely flagged",
            `${falseAlarmRate(claims, joined, payload.report.media.duration_s).toFixed(1)} s/min`,
        ];
        const rows = [
            ...(claim + reference === "PG" ? this.ofModel(joined) : []),
            ...(reference === "G" ? [falsely] : []),
        ];
        this.numbers.replaceChildren(
            ...rows.map(([name, value]) =>
                make("div", {}, make("dt", { text: name }), make("dd", { text: value })),
            ),
        );
    }

    pairText() {
        const { state } = this;
        const pair = state.pair();
        if (!pair) return "Select an interval to see how far its edges are off.";
        const off = (edge) => {
            const frames =
                state.frames.edge(pair.claim[edge]) - state.frames.edge(pair.truth[edge]);
            return `${edge} ${signed((pair.claim[edge] - pair.truth[edge]) * 1000)} ms (${signed(frames)} ${Math.abs(frames) === 1 ? "frame" : "frames"})`;
        };
        return `${KINDS[pair.kind][0]} tIoU ${pair.tiou.toFixed(2)} · ${off("start")} · ${off("end")}`;
    }
}
