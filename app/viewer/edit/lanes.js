// Lanes P (predicted), G (ground truth) and E (your edit): intervals as buttons on the shared time scale. A drag over
// the empty part of a lane that may be edited draws an interval; a click goes there.

import { clockText, gaps, make } from "../core/dom.js";
import { EdgeHandles } from "./edge-handles.js";
import { LETTERS, STREAM_LABELS, STREAM_OF } from "../core/streams.js";
import { hatches, stretches } from "../core/unscored.js";
import { LANES } from "../viewer-state.js";
import { place } from "../time/time-scale.js";
import { snap } from "../time/snap.js";

export const KINDS = {
    TP: ["✓", "found"],
    LOC: ["LOC", "localisation error"],
    DUP: ["DUP", "duplicate"],
    FP: ["FP", "false alarm"],
    FN: ["FN", "missed"],
};
export const STATUS = { proposed: "?", accepted: "A", adjusted: "±", added: "+", rejected: "×" };
const CLASSES = { P: "predicted", G: "truth", E: "own" };
const DRAW_PX = 5;
const SVG = "http://www.w3.org/2000/svg";

export class Lanes {
    constructor(state, scale) {
        Object.assign(this, { state, scale, blocks: new Map(), sketch: null });
        this.handles = new EdgeHandles(state, scale, (span) => this.preview(span));
        this.links = document.createElementNS(SVG, "svg");
        this.links.setAttribute("class", "dl-links");
        this.links.setAttribute("aria-hidden", "true");
        this.hatches = this.unscored();
        this.lanes = Object.fromEntries(
            Object.keys(LANES).map((letter) => [letter, this.lane(letter)]),
        );
        this.lanes.P.append(...this.hatches);
        this.element = make(
            "div",
            { class: "dl-lanes", ondblclick: (event) => event.stopPropagation() },
            ...Object.values(this.lanes),
            this.links,
        );
        state.onChange(() => this.draw());
    }

    // Of the picture in the upper half of lane P, of the sound in the lower one.
    unscored() {
        const { curves, payload } = this.state;
        return ["visual", "audio"].flatMap((stream) => {
            const curve = curves.find((one) => one.stream === stream);
            const holes = curve ? gaps(curve.values, curve.rate_hz) : [];
            const missing = stretches(holes, payload.report.unscored ?? [], stream);
            const hatched = hatches(missing, payload.reasons);
            for (const hatch of hatched) hatch.classList.add(`dl-hatch-${stream}`);
            return hatched;
        });
    }

    lane(letter) {
        const choose = make("button", {
            type: "button",
            class: "dl-letter",
            title: `${LANES[letter]}: work in this lane`,
            text: letter,
            "aria-label": `Lane ${letter}, ${LANES[letter]}`,
            onclick: () => this.state.select(letter, null),
        });
        const lane = make(
            "div",
            { class: `dl-lane dl-lane-${letter}`, role: "group", "aria-label": LANES[letter] },
            choose,
            make("span", { class: "dl-lane-empty" }),
        );
        lane.addEventListener("pointerdown", (event) => this.begin(event, letter, lane));
        lane.addEventListener("pointermove", (event) => this.stretch(event));
        lane.addEventListener("pointerup", (event) => this.finish(event));
        lane.addEventListener("pointercancel", () => {
            this.sketch?.shape.remove();
            this.sketch = null;
        });
        return lane;
    }

    // -- drawing a new interval --

    begin(event, letter, lane) {
        if (
            event.button !== 0 ||
            event.pointerType === "touch" ||
            event.target.closest("button") ||
            !this.state.editable(letter)
        )
            return;
        event.stopPropagation();
        lane.setPointerCapture(event.pointerId);
        const left = lane.getBoundingClientRect().left;
        this.sketch = {
            letter,
            left,
            from: event.clientX - left,
            shape: make("div", { class: "dl-sketch", hidden: true }),
        };
        lane.append(this.sketch.shape);
    }

    ends(event) {
        const { frames } = this.state;
        const truth = this.state.items("G").flatMap(({ start, end }) => [start, end]);
        const magnets = [...truth, ...this.state.shotStarts];
        return [this.sketch.from, event.clientX - this.sketch.left]
            .sort((a, b) => a - b)
            .map((x) =>
                snap(this.scale.time(x), {
                    magnets,
                    x: (time) => this.scale.x(time),
                    frames,
                    free: event.altKey,
                }),
            );
    }

    stretch(event) {
        if (!this.sketch) return;
        event.stopPropagation();
        this.sketch.shape.hidden =
            Math.abs(event.clientX - this.sketch.left - this.sketch.from) < DRAW_PX;
        const [start, end] = this.ends(event);
        this.sketch.shape.style.left = `${this.scale.x(start)}px`;
        this.sketch.shape.style.width = `${this.scale.x(end) - this.scale.x(start)}px`;
    }

    finish(event) {
        const { sketch, state } = this;
        if (!sketch) return;
        event.stopPropagation();
        const [start, end] = this.ends(event);
        const short = Math.abs(event.clientX - sketch.left - sketch.from) < DRAW_PX;
        sketch.shape.remove();
        this.sketch = null;
        if (short) {
            state.clock.seek(this.scale.time(sketch.from));
            state.select(sketch.letter, null);
        } else if (end > start) state.create(start, end, sketch.letter);
    }

    // -- showing --

    draw() {
        const { state } = this;
        const found = state.comparison();
        this.element.classList.toggle("dl-compared", Boolean(found));
        place(this.hatches, this.scale);
        for (const hatch of this.hatches) hatch.hidden ||= state.blind;
        for (const [letter, lane] of Object.entries(this.lanes)) {
            const items = state.items(letter);
            lane.classList.toggle("dl-chosen", state.lane === letter);
            lane.querySelector(".dl-letter").setAttribute(
                "aria-pressed",
                String(state.lane === letter),
            );
            lane.querySelector(".dl-lane-empty").textContent = items.length
                ? ""
                : this.emptyText(letter);
            this.fill(letter, lane, items, found);
        }
        this.handles.draw(this.lanes);
        this.connect(found);
    }

    emptyText(letter) {
        const { blind, truth } = this.state;
        if (letter === "E") return "drag here, or press I and O";
        if (blind) return "hidden until you are done";
        return letter === "P"
            ? "nothing flagged"
            : truth
              ? "authentic"
              : "unknown: drag here to draw it, or load a file";
    }

    // Buttons are kept as long as their interval is there, so that the focus stays.
    fill(letter, lane, items, found) {
        const keys = new Set(items.map(({ id }) => `${letter}:${id}`));
        for (const [key, block] of this.blocks) {
            if (key.startsWith(`${letter}:`) && !keys.has(key)) {
                block.remove();
                this.blocks.delete(key);
            }
        }
        for (const item of items) {
            const key = `${letter}:${item.id}`;
            const block =
                this.blocks.get(key) ??
                make("button", {
                    type: "button",
                    onclick: (event) => {
                        event.stopPropagation();
                        this.state.select(letter, item.id);
                    },
                });
            this.blocks.set(key, block);
            if (block.parentElement !== lane) lane.append(block);
            this.dress(block, letter, item, found);
        }
    }

    dress(block, letter, item, found) {
        const { selection, claim, reference } = this.state;
        const kind =
            letter === reference
                ? found?.missed.has(item.id)
                    ? "FN"
                    : null
                : letter === claim
                  ? found?.kinds.get(item.id)?.kind
                  : null;
        const selected = selection?.lane === letter && selection.id === item.id;
        const stream = item.letter || LETTERS[item.stream];
        const [mark, word] = kind
            ? KINDS[kind]
            : [item.status && letter === "E" ? STATUS[item.status] : null, item.status ?? null];
        block.className = [
            "dl-block",
            `dl-${CLASSES[letter]}`,
            kind && `dl-kind-${kind}`,
            item.status && letter === "E" && `dl-${item.status}`,
            selected && "dl-selected",
        ]
            .filter(Boolean)
            .join(" ");
        block.dataset.start = item.start;
        block.dataset.end = item.end;
        block.setAttribute("aria-pressed", String(selected));
        block.setAttribute(
            "aria-label",
            [
                { P: "Predicted interval", G: "Ground truth", E: "Your interval" }[letter],
                STREAM_LABELS[STREAM_OF[stream]],
                `from ${clockText(item.start)} to ${clockText(item.end)}`,
                Number.isFinite(item.score) ? `score ${item.score.toFixed(2)}` : null,
                word,
            ]
                .filter(Boolean)
                .join(", "),
        );
        block.replaceChildren(
            ...[
                mark && make("b", { text: mark }),
                make("span", { text: stream }),
                Number.isFinite(item.score) ? make("small", { text: item.score.toFixed(2) }) : null,
            ].filter(Boolean),
        );
        block.span = item;
        place([block], this.scale);
    }

    // The selected interval as it would be, while one of its edges is dragged.
    preview(span) {
        const { selection } = this.state;
        const block = selection && this.blocks.get(`${selection.lane}:${selection.id}`);
        if (!block) return;
        block.span = span ?? this.state.selected;
        place([block], this.scale);
    }

    // Lines between the edges of a claim and of the true segment that it belongs to.
    connect(found) {
        const pair = this.state.pair();
        this.links.replaceChildren();
        if (!found) return;
        const [truths, claims] = [this.lanes[this.state.reference], this.lanes[this.state.claim]];
        const bottom = (lane) => lane.offsetTop + lane.offsetHeight;
        const [from, to] =
            truths.offsetTop < claims.offsetTop
                ? [bottom(truths), claims.offsetTop]
                : [truths.offsetTop, bottom(claims)];
        for (const claim of found.claims) {
            const { truth, kind } = found.kinds.get(claim.id);
            if (!truth) continue;
            const chosen = pair?.claim.id === claim.id;
            for (const edge of ["start", "end"])
                this.link(
                    [this.scale.x(truth[edge]), from, this.scale.x(claim[edge]), to],
                    chosen ? `dl-chosen dl-link-${kind}` : "",
                );
        }
    }

    link([x1, y1, x2, y2], name) {
        const line = document.createElementNS(SVG, "line");
        for (const [key, value] of Object.entries({ x1, y1, x2, y2, class: name }))
            line.setAttribute(key, value);
        this.links.append(line);
    }
}
