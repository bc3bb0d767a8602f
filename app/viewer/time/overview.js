// The whole clip in a thin strip: the peaks of its curve, its intervals, and the window that the rows below show.

import { clockText, gaps, make } from "../core/dom.js";
import { axisOf } from "../curves/axis.js";
import { columns } from "./sampling.js";
import { MARGIN } from "./time-scale.js";

const HEIGHT = 34,
    HATCH_PX = 6,
    EDGE_STEP = 0.02; // of the clip, an arrow key

// The highest value under each of `pixels`, null where none is known. Pure.
export function peaks(values, rate, duration, pixels) {
    return columns(0, duration, pixels, rate, values.length).map(([from, to]) => {
        let most = null;
        for (let index = from; index < to; index++)
            if (values[index] !== null && (most === null || values[index] > most))
                most = values[index];
        return most;
    });
}

// What the strip draws: the curve that decides, else the first one; null without any. Pure.
export function curveOf({ report: { curves, scores } }) {
    const definition = ({ kind }) => curves.find((one) => one.kind === kind);
    const deciding = (one) => definition(one).proposes && one.stream === "fused";
    const shown = scores.find(deciding) ?? scores[0];
    if (!shown) return null;
    const [low, top] = axisOf(definition(shown), [shown]);
    return { values: shown.values, rate: shown.rate_hz, low, top };
}

export class Overview {
    constructor(payload, scale, clock, state) {
        Object.assign(this, { scale, clock, state, curve: curveOf(payload), drawn: "" });
        this.canvas = make("canvas", { "aria-hidden": "true", height: HEIGHT });
        this.cursor = make("i", { class: "dl-overview-cursor" });
        this.window = make("div", { class: "dl-window" });
        this.shots = state.shotStarts.map((start, index) => this.shot(start, index + 1));
        this.edges = ["start", "end"].map((edge) => this.edge(edge));
        this.track = make(
            "div",
            { class: "dl-overview-track" },
            this.canvas,
            this.cursor,
            this.window,
            ...this.shots,
            ...this.edges,
        );
        this.element = make(
            "div",
            {
                class: "dl-overview",
                role: "group",
                "aria-label": "Whole clip, and the part that is shown",
            },
            this.track,
        );
        this.listen();
        state.onChange(() => {
            this.drawn = "";
            this.draw();
        });
    }

    // A tick where a cut begins a shot; a click on it goes there.
    shot(start, index) {
        const text = this.state.shotText(index);
        const tick = make("i", { class: "dl-shot", role: "img", "aria-label": text, title: text });
        tick.style.left = `${(start / this.scale.duration) * 100}%`;
        return Object.assign(tick, { shot: start });
    }

    edge(edge) {
        const element = make("div", {
            class: `dl-window-edge dl-window-${edge}`,
            role: "slider",
            tabindex: "0",
            "aria-label":
                edge === "start"
                    ? "Start of the part that is shown"
                    : "End of the part that is shown",
            "aria-valuemin": "0",
            "aria-valuemax": this.scale.duration.toFixed(2),
        });
        element.addEventListener("keydown", (event) => {
            const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
            if (!way || event.ctrlKey || event.altKey || event.metaKey) return;
            event.preventDefault();
            event.stopPropagation();
            this.drag(
                edge,
                this.scale[edge] + way * Math.max(this.scale.duration * EDGE_STEP, 0.04),
            );
        });
        return element;
    }

    get pixels() {
        return this.scale.width - MARGIN.left - MARGIN.right;
    }

    time(event) {
        const box = this.track.getBoundingClientRect();
        return (
            Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * this.scale.duration
        );
    }

    drag(edge, time) {
        const { scale } = this;
        if (edge === "start") scale.zoom(Math.min(time, scale.end - 0.2), scale.end);
        else scale.zoom(scale.start, Math.max(time, scale.start + 0.2));
    }

    // An edge is dragged; the window is moved; anywhere else a new window is drawn, and a click goes there.
    listen() {
        const { track, scale } = this;
        let dragged = null;
        track.addEventListener("pointerdown", (event) => {
            if (event.button !== 0) return;
            track.setPointerCapture(event.pointerId);
            const at = this.edges.indexOf(event.target);
            dragged = {
                shot: event.target.shot,
                kind:
                    at >= 0
                        ? ["start", "end"][at]
                        : event.target === this.window && scale.zoomed
                          ? "window"
                          : "new",
                x: event.clientX,
                from: this.time(event),
                start: scale.start,
            };
        });
        track.addEventListener("pointermove", (event) => {
            if (!dragged) return;
            const time = this.time(event);
            if (dragged.kind === "start" || dragged.kind === "end") this.drag(dragged.kind, time);
            else if (dragged.kind === "window")
                scale.show(dragged.start + time - dragged.from, scale.length);
            else if (Math.abs(event.clientX - dragged.x) > 5)
                scale.zoom(
                    Math.min(dragged.from, time),
                    Math.max(dragged.from, time, dragged.from + 0.2),
                );
        });
        track.addEventListener("pointerup", (event) => {
            if (
                dragged &&
                Math.abs(event.clientX - dragged.x) <= 5 &&
                dragged.kind !== "start" &&
                dragged.kind !== "end"
            )
                this.goTo(dragged);
            dragged = null;
        });
        track.addEventListener("pointercancel", () => {
            dragged = null;
        });
        track.addEventListener(
            "wheel",
            (event) => {
                event.preventDefault();
                scale.zoomAt(this.time(event), Math.exp(-event.deltaY * 0.002));
            },
            { passive: false },
        );
        track.addEventListener("dblclick", () => scale.fit());
    }

    goTo({ shot, from }) {
        if (shot === undefined) this.clock.seek(from);
        else this.state.seekStart({ start: shot });
    }

    draw() {
        const { scale, edges } = this;
        if (this.pixels <= 0) return;
        const percent = (time) => `${(time / scale.duration) * 100}%`;
        this.window.style.left = percent(scale.start);
        this.window.style.width = percent(scale.length);
        edges.forEach((element, index) => {
            const time = index ? scale.end : scale.start;
            element.style.left = percent(time);
            element.setAttribute("aria-valuenow", time.toFixed(2));
            element.setAttribute("aria-valuetext", clockText(time));
        });
        const key = `${this.pixels} ${document.body.className} ${this.state.blind}`;
        if (this.drawn === key) return;
        this.drawn = key;
        this.paint();
    }

    paint() {
        const { canvas, curve, state, scale } = this;
        const style = getComputedStyle(this.element);
        const colour = (name) => style.getPropertyValue(`--dl-${name}`).trim();
        canvas.width = this.pixels;
        const context = canvas.getContext("2d");
        context.fillStyle = colour("band");
        for (const { start, end } of state.items("P")) {
            const left = (start / scale.duration) * canvas.width;
            context.fillRect(
                left,
                0,
                Math.max(((end - start) / scale.duration) * canvas.width, 2),
                HEIGHT,
            );
        }
        if (!curve || state.blind) return;
        context.strokeStyle = colour("line");
        for (const { start, end } of gaps(curve.values, curve.rate))
            this.hatch(context, ...[start, end].map((time) => time / scale.duration));
        context.fillStyle = colour("fused");
        peaks(curve.values, curve.rate, scale.duration, canvas.width).forEach((value, x) => {
            if (value !== null)
                context.fillRect(
                    x,
                    HEIGHT,
                    1,
                    -Math.max(
                        1,
                        Math.min((value - curve.low) / (curve.top - curve.low), 1) * (HEIGHT - 3),
                    ),
                );
        });
    }

    // Where nothing was scored; from and to: shares of the clip.
    hatch(context, from, to) {
        const { width } = this.canvas;
        context.save();
        context.beginPath();
        context.rect(from * width, 0, (to - from) * width, HEIGHT);
        context.clip();
        context.beginPath();
        for (let x = from * width - HEIGHT; x < to * width; x += HATCH_PX) {
            context.moveTo(x, HEIGHT);
            context.lineTo(x + HEIGHT, 0);
        }
        context.stroke();
        context.restore();
    }

    move(time) {
        this.cursor.style.left = `${(time / this.scale.duration) * 100}%`;
    }
}
