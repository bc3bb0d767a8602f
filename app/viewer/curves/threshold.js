// The threshold line over the curve that decides: dragged, moved by keys, or typed. It moves what is shown, not the verdict.

import { make } from "../core/dom.js";

const INSET = { top: 6, bottom: 18 }; // of the plot, as the chart draws it
const KEYS = {
    ArrowUp: 0.01,
    ArrowRight: 0.01,
    ArrowDown: -0.01,
    ArrowLeft: -0.01,
    PageUp: 0.1,
    PageDown: -0.1,
};

export class ThresholdLine {
    // area: the element that the plot fills; top: the value at its upper end.
    constructor(state, area, top) {
        Object.assign(this, { state, area, top });
        this.line = make(
            "div",
            {
                class: "dl-threshold",
                role: "slider",
                tabindex: "0",
                "aria-label": "Threshold of lane P",
                "aria-orientation": "vertical",
                "aria-valuemin": "0.01",
                "aria-valuemax": "1",
            },
            make("span", { "aria-hidden": "true" }),
        );
        this.input = make("input", {
            type: "number",
            class: "dl-threshold-value",
            min: "0.01",
            max: "1",
            step: "0.01",
            "aria-label": "Threshold",
        });
        this.reset = make("button", {
            type: "button",
            class: "dl-small",
            title: `Back to the calibrated threshold, ${state.calibrated}`,
            text: "Reset",
            onclick: () => state.setThreshold(state.calibrated),
        });
        this.element = make(
            "span",
            { class: "dl-threshold-box" },
            make("label", {}, "Threshold ", this.input),
            this.reset,
        );
        this.listen();
        area.append(this.line);
        state.onChange(() => this.draw());
    }

    listen() {
        const { line, input, state } = this;
        let dragging = false;
        line.addEventListener("pointerdown", (event) => {
            if (event.button !== 0) return;
            event.stopPropagation();
            line.setPointerCapture(event.pointerId);
            dragging = true;
        });
        line.addEventListener("pointermove", (event) => {
            if (!dragging) return;
            event.stopPropagation();
            state.setThreshold(Math.round(this.value(event.clientY) * 100) / 100);
        });
        for (const name of ["pointerup", "pointercancel"]) {
            line.addEventListener(name, (event) => {
                if (dragging) event.stopPropagation();
                dragging = false;
            });
        }
        line.addEventListener("keydown", (event) => {
            const step = KEYS[event.key];
            if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
            event.preventDefault();
            event.stopPropagation();
            state.setThreshold(state.threshold + step);
        });
        input.addEventListener("input", () => {
            if (input.value !== "") state.setThreshold(Number(input.value));
        });
        input.addEventListener("blur", () => this.draw());
    }

    value(clientY) {
        const box = this.area.getBoundingClientRect();
        return (
            ((box.bottom - INSET.bottom - clientY) / (box.height - INSET.top - INSET.bottom)) *
            this.top
        );
    }

    draw() {
        const { threshold, calibrated } = this.state;
        const share = threshold / this.top;
        this.line.style.bottom = `calc(${INSET.bottom}px + (100% - ${INSET.top + INSET.bottom}px) * ${share})`;
        this.line.firstChild.textContent = threshold.toFixed(2);
        this.line.setAttribute("aria-valuenow", String(threshold));
        this.line.setAttribute(
            "aria-valuetext",
            `${threshold.toFixed(2)}, ${this.state.predicted.length} intervals`,
        );
        this.reset.hidden = threshold === calibrated;
        if (document.activeElement !== this.input) this.input.value = threshold.toFixed(2);
    }

    focus() {
        this.input.focus();
        this.input.select();
    }
}
