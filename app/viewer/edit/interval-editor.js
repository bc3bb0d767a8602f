// The selected interval: every drag and every key of editing as a button or a field.

import { make } from "../core/dom.js";
import { STREAM_LABELS } from "../core/streams.js";

const button = (text, label, action) =>
    make("button", {
        type: "button",
        class: "dl-small",
        text,
        title: label,
        "aria-label": label,
        onclick: action,
    });

export class IntervalEditor {
    constructor(state, playback) {
        Object.assign(this, { state });
        this.title = make("h3");
        this.hint = make("p", {
            class: "dl-none",
            text: "Select an interval (click, or ↑ ↓), or begin one at the cursor (I).",
        });
        this.fields = Object.fromEntries(["start", "end"].map((edge) => [edge, this.edge(edge)]));
        this.stream = make(
            "select",
            {
                "aria-label": "Found in",
                onchange: () => state.set({ stream: this.stream.value }, "changed the stream"),
            },
            ...Object.entries(STREAM_LABELS).map(([stream, text]) =>
                make("option", { value: stream, text }),
            ),
        );
        this.confidence = make(
            "select",
            {
                "aria-label": "Confidence",
                onchange: () =>
                    state.set(
                        {
                            confidence:
                                this.confidence.value === "" ? null : Number(this.confidence.value),
                        },
                        "set a confidence",
                    ),
            },
            make("option", { value: "", text: "not said" }),
            ...[0.25, 0.5, 0.75, 1].map((value) =>
                make("option", { value, text: `${value * 100} %` }),
            ),
        );
        this.note = make("input", {
            type: "text",
            "aria-label": "Note",
            placeholder: "Note",
            maxlength: "500",
            onchange: () => state.set({ note: this.note.value.trim() }, "wrote a note"),
        });
        this.accept = button("Accept", "Accept this interval (A)", () => state.judge("accepted"));
        this.reject = button("Reject", "Reject this interval (X)", () => state.judge("rejected"));
        this.loop = button("Loop", "Loop this interval (R)", () => playback.toggleLoop());
        this.form = make(
            "div",
            { class: "dl-form" },
            ...Object.values(this.fields).map(({ row }) => row),
            make(
                "div",
                { class: "dl-pair" },
                make("label", {}, "Found in ", this.stream),
                make("label", {}, "Confidence ", this.confidence),
            ),
            this.note,
            make(
                "div",
                { class: "dl-actions" },
                this.accept,
                this.reject,
                button("Split", "Split at the cursor (B)", () => state.split()),
                button("Merge", "Merge with the next interval (M)", () => state.merge()),
                button("Delete", "Delete this interval (Delete)", () => state.remove()),
                this.loop,
            ),
        );
        const begin = button(
            "Begin one at the cursor",
            "Begin an interval at the cursor (I)",
            () => {
                state.selection = null;
                state.mark("start");
            },
        );
        this.element = make(
            "section",
            { class: "dl-editor", "aria-label": "Selected interval" },
            make("div", { class: "dl-table-head" }, this.title, begin),
            this.hint,
            this.form,
            button("Done", "Close the selected interval (Escape)", () =>
                state.select(state.lane, null),
            ),
        );
        this.element.lastChild.classList.add("dl-done");
        state.onChange(() => this.draw());
    }

    edge(edge) {
        const { state } = this;
        const seconds = make("input", {
            type: "number",
            min: "0",
            step: "0.001",
            "aria-label": `${edge} in seconds`,
            onchange: () => this.typed(edge, Number(seconds.value)),
        });
        const frame = make("input", {
            type: "number",
            min: "0",
            step: "1",
            "aria-label": `${edge} frame`,
            onchange: () => this.typed(edge, state.frames.time(Number(frame.value))),
        });
        const row = make(
            "div",
            {
                class: "dl-edge",
                role: "group",
                "aria-label": edge === "start" ? "Start" : "End, exclusive",
            },
            make("span", { text: edge }),
            button("−", `${edge} one frame earlier (${edge === "start" ? "[" : "]"})`, () =>
                state.nudge(edge, -1),
            ),
            make("label", {}, seconds, " s"),
            make("label", {}, "frame ", frame),
            button("+", `${edge} one frame later (Shift ${edge === "start" ? "[" : "]"})`, () =>
                state.nudge(edge, 1),
            ),
            button("Cursor", `${edge} at the cursor (${edge === "start" ? "I" : "O"})`, () =>
                state.mark(edge),
            ),
        );
        return { row, seconds, frame };
    }

    typed(edge, time) {
        if (Number.isFinite(time)) this.state.moveEdge(edge, time);
        this.draw(true);
    }

    draw(force = false) {
        const { state } = this;
        const { selected, selection } = state;
        this.hint.hidden = Boolean(selected);
        this.form.hidden = !selected;
        this.title.textContent = selected
            ? `Selected: lane ${selection.lane}`
            : "No interval selected";
        if (!selected) return;
        const set = (input, value) => {
            if (force || document.activeElement !== input) input.value = value;
        };
        for (const [edge, { seconds, frame }] of Object.entries(this.fields)) {
            set(seconds, selected[edge].toFixed(3));
            set(frame, state.frames.edge(selected[edge]));
        }
        set(this.stream, selected.stream);
        set(this.confidence, selected.confidence ?? "");
        set(this.note, selected.note ?? "");
        this.accept.setAttribute("aria-pressed", String(selected.status === "accepted"));
        this.reject.setAttribute("aria-pressed", String(selected.status === "rejected"));
        this.loop.setAttribute("aria-pressed", String(state.loop));
    }
}
