// Pointer and cursor of the chart stack: click seeks, drag zooms, double click fits. The cursor is one
// overlay element over all rows and lanes.

import { clockText, make } from "../core/dom.js";

const CLICK_PX = 5,
    SHORTEST_S = 0.2;

export class ChartArea {
    constructor(clock, scale, chart, lanes, state) {
        Object.assign(this, { clock, scale, chart, state });
        this.cursor = make("div", {
            class: "dl-cursor",
            role: "slider",
            tabindex: "0",
            "aria-label": "Position in the clip",
            "aria-valuemin": "0",
            "aria-valuemax": clock.duration.toFixed(2),
        });
        this.hover = make("div", { class: "dl-hover", hidden: true }, make("span"));
        this.brush = make("div", { class: "dl-brush", hidden: true });
        this.fit = make("button", {
            type: "button",
            class: "dl-small dl-fit-zoom",
            text: "Show whole clip",
            hidden: true,
            onclick: () => scale.fit(),
        });
        this.element = make(
            "div",
            { class: "dl-stack" },
            chart.element,
            lanes.element,
            this.brush,
            this.hover,
            this.cursor,
            this.fit,
        );
        this.listen();
        state.onChange(() => this.move(clock.time));
        scale.onChange(() => {
            this.fit.hidden = !scale.zoomed;
            this.move(clock.time);
        });
    }

    listen() {
        const x = (event) => event.clientX - this.element.getBoundingClientRect().left;
        let begin = null;
        this.element.addEventListener("pointerdown", (event) => {
            if (event.button === 0 && !event.target.closest("button")) begin = x(event);
        });
        this.element.addEventListener("pointermove", (event) => {
            this.preview(x(event));
            if (begin !== null && event.pointerType === "mouse") this.stretch(begin, x(event));
        });
        this.element.addEventListener("pointerleave", () => {
            this.hover.hidden = true;
            begin = null;
            this.brush.hidden = true;
        });
        this.element.addEventListener("pointercancel", () => {
            begin = null;
        });
        this.element.addEventListener("pointerup", (event) => {
            if (begin !== null) this.release(begin, x(event), event.pointerType);
            begin = null;
        });
        this.element.addEventListener("dblclick", () => this.scale.fit());
    }

    release(begin, end, pointer) {
        this.brush.hidden = true;
        if (Math.abs(end - begin) < CLICK_PX) this.clock.seek(this.scale.time(end));
        else if (pointer === "mouse") {
            const [from, to] = [begin, end].sort((a, b) => a - b).map((x) => this.scale.time(x));
            if (to - from >= SHORTEST_S) this.scale.zoom(from, to);
        }
    }

    preview(x) {
        const time = this.scale.time(x);
        this.hover.hidden = false;
        this.hover.style.transform = `translateX(${this.scale.x(time)}px)`;
        this.hover.firstChild.textContent = clockText(time);
    }

    stretch(begin, end) {
        this.brush.hidden = Math.abs(end - begin) < CLICK_PX;
        this.brush.style.left = `${Math.min(begin, end)}px`;
        this.brush.style.width = `${Math.abs(end - begin)}px`;
    }

    move(time) {
        const inside = time >= this.scale.start && time <= this.scale.end;
        this.cursor.style.visibility = inside ? "visible" : "hidden";
        this.cursor.style.transform = `translateX(${this.scale.x(time)}px)`;
        const most = this.state.blind
            ? null
            : this.chart.mostUnusual(this.clock.middle(this.clock.frame));
        this.cursor.setAttribute("aria-valuenow", time.toFixed(2));
        this.cursor.setAttribute(
            "aria-valuetext",
            [
                `${time.toFixed(2)} s, frame ${this.clock.frame}${this.clock.exact ? "" : " plus or minus one"}`,
                most && `${most.name} ${most.times.toFixed(1)} times ${most.mark}`,
                this.state.describe(time),
            ]
                .filter(Boolean)
                .join(", "),
        );
    }
}
