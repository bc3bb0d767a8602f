// The two edges of the selected interval: sliders to drag (with snapping) or to move by keys.

import { clockText, make } from "../core/dom.js";
import { snap } from "../time/snap.js";

const EDGES = ["start", "end"];
const KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };

export class EdgeHandles {
    // preview(span | null): shows the selected interval while an edge is dragged.
    constructor(state, scale, preview) {
        Object.assign(this, { state, scale, preview, dragged: null });
        this.element = make("div", {
            class: "dl-handles",
            role: "group",
            "aria-label": "Edges of the selected interval",
            hidden: true,
        });
        this.edges = Object.fromEntries(EDGES.map((edge) => [edge, this.handle(edge)]));
        this.element.append(...Object.values(this.edges));
    }

    handle(edge) {
        const handle = make("div", {
            class: `dl-handle dl-handle-${edge}`,
            role: "slider",
            tabindex: "0",
            "aria-label": edge === "start" ? "Start" : "End",
            "aria-valuemin": "0",
        });
        handle.addEventListener("pointerdown", (event) => this.grab(event, edge));
        handle.addEventListener("pointermove", (event) => this.drag(event));
        handle.addEventListener("pointerup", () => this.drop(true));
        handle.addEventListener("pointercancel", () => this.drop(false));
        handle.addEventListener("click", (event) => event.stopPropagation());
        handle.addEventListener("keydown", (event) => {
            const steps = KEYS[event.key];
            if (!steps || event.ctrlKey || event.altKey || event.metaKey) return;
            event.preventDefault();
            event.stopPropagation();
            this.state.nudge(edge, steps * (event.shiftKey && Math.abs(steps) === 1 ? 10 : 1));
            this.show(edge);
        });
        return handle;
    }

    // The video shows the first, or the last, frame of the interval.
    show(edge, span = this.state.selected) {
        if (edge === "start") this.state.seekStart(span);
        else this.state.seekEnd(span);
    }

    grab(event, edge) {
        if (event.button !== 0) return;
        event.stopPropagation();
        event.target.setPointerCapture(event.pointerId);
        const { start, end } = this.state.selected;
        const { frames, clock, payload } = this.state;
        const truth = this.state.selection.lane === "G" ? [] : this.state.items("G");
        const magnets = [
            frames.time(clock.frame),
            ...this.crossings(),
            ...[...truth, ...this.state.items("P")].flatMap((one) => [one.start, one.end]),
            ...this.state.shotStarts,
            0,
            payload.report.media.duration_s,
        ];
        const box = this.element.parentElement.getBoundingClientRect();
        this.dragged = {
            edge,
            start,
            end,
            magnets,
            left: box.left,
            grip: event.clientX - box.left - this.scale.x(edge === "start" ? start : end),
        };
    }

    crossings() {
        const { finder, threshold, blind } = this.state;
        return finder && !blind ? finder.crossings(threshold) : [];
    }

    drag(event) {
        const { dragged } = this;
        if (!dragged) return;
        event.stopPropagation();
        const { frames } = this.state;
        const free = event.altKey;
        const time = snap(this.scale.time(event.clientX - dragged.left - dragged.grip), {
            magnets: dragged.magnets,
            x: (at) => this.scale.x(at),
            frames,
            free,
        });
        const next = { ...dragged, [dragged.edge]: time };
        if (frames.edge(next.end) <= frames.edge(next.start)) return;
        this.dragged = next;
        this.preview(next);
        this.place(next);
        this.show(dragged.edge, next);
    }

    drop(keep) {
        const { dragged } = this;
        this.dragged = null;
        if (!dragged) return;
        this.preview(null);
        if (keep) this.state.moveEdge(dragged.edge, dragged[dragged.edge]);
        this.place(this.state.selected);
    }

    // Into the lane of the selection, if that may be edited.
    draw(lanes) {
        const { state } = this;
        const { selection, selected } = state;
        this.element.hidden = !selected || !state.editable(selection.lane);
        if (this.element.hidden) return;
        const lane = lanes[selection.lane];
        if (this.element.parentElement !== lane) lane.append(this.element);
        if (!this.dragged) this.place(selected);
    }

    place(span) {
        if (!span) return;
        for (const edge of EDGES) {
            const time = span[edge],
                handle = this.edges[edge];
            const inside = time >= this.scale.start - 1e-6 && time <= this.scale.end + 1e-6;
            handle.style.visibility = inside ? "visible" : "hidden";
            handle.style.left = `${this.scale.x(time)}px`;
            handle.setAttribute("aria-valuemax", this.state.frames.end.toFixed(2));
            handle.setAttribute("aria-valuenow", time.toFixed(3));
            handle.setAttribute(
                "aria-valuetext",
                `${edge} ${clockText(time)}, frame ${this.state.frames.edge(time)}`,
            );
        }
    }
}
