// Face error heat over the video: a small grid of cells on one fixed, calibrated scale.

import { make } from "./dom.js";

// Viridis, readable with every kind of colour vision: violet to yellow.
const COLOURS = [[68, 1, 84], [70, 50, 127], [54, 92, 141], [39, 127, 142], [31, 161, 135], [74, 194, 109], [159, 218, 58], [253, 231, 37]];
const UNSCORED = 255, STEPS = 254;

function colourOf(share) {
    const at = Math.min(Math.max(share, 0), 1) * (COLOURS.length - 1);
    const low = Math.min(Math.floor(at), COLOURS.length - 2);
    return COLOURS[low].map((value, index) => value + (COLOURS[low + 1][index] - value) * (at - low));
}

export class Heat {
    constructor(heat, media, rate) {
        Object.assign(this, { heat, rate, on: true, opacity: 0.7, step: -1 });
        this.element = make("canvas", { class: "dl-heat", width: media.width, height: media.height, "aria-hidden": "true" });
        this.cells = Uint8Array.from(atob(heat.cells), (letter) => letter.charCodeAt(0));
        this.small = make("canvas", { width: heat.cols, height: heat.rows });
        this.palette = this.colours();
    }

    // RGBA of every packed value: transparent up to the authentic p50, full from p95 on.
    colours() {
        const [p50, p95, , top] = this.heat.scale;
        return Array.from({ length: 256 }, (_, packed) => {
            const value = packed / STEPS * top;
            const alpha = packed === UNSCORED ? 0 : Math.min(Math.max((value - p50) / (p95 - p50), 0), 1);
            return [...colourOf((value - p50) / (top - p50)), alpha * 255];
        });
    }

    draw(time) {
        const { rows, cols, squares } = this.heat;
        const step = Math.min(Math.floor(time * this.rate + 1e-6), squares.length - 1);
        if (step === this.step) return;
        this.step = step;
        const context = this.element.getContext("2d");
        context.clearRect(0, 0, this.element.width, this.element.height);
        const square = squares[step];
        if (!this.on || !square) return;
        const image = new ImageData(cols, rows);
        const begin = step * rows * cols;
        for (let cell = 0; cell < rows * cols; cell++) image.data.set(this.palette[this.cells[begin + cell]], cell * 4);
        this.small.getContext("2d").putImageData(image, 0, 0);
        const [left, top, right, bottom] = square;
        context.globalAlpha = this.opacity;
        context.imageSmoothingQuality = "high";
        context.drawImage(this.small, left, top, right - left, bottom - top);
        context.globalAlpha = 0.85;
        context.lineWidth = Math.max(1, this.element.width / 400);
        context.strokeStyle = "#ffffff";
        context.strokeRect(left, top, right - left, bottom - top);
    }

    set(changes, time) {
        Object.assign(this, changes, { step: -1 });
        this.draw(time);
    }

    legend() {
        const [p50, p95, p99, top] = this.heat.scale;
        const at = (value) => `${((value - p50) / (top - p50)) * 100}%`;
        const colours = COLOURS.map((colour) => `rgb(${colour.join()})`).join();
        const tick = (value, text) => make("span", { style: `left:${at(value)}`, text });
        return make("div", { class: "dl-legend", title: "Calibrated surprise; the marks are those of authentic validation clips, the same for every clip" },
            make("div", { class: "dl-legend-bar", style: `background:linear-gradient(90deg,${colours})` }),
            make("div", { class: "dl-legend-ticks" }, ...(this.heat.calibrated
                ? [tick(p50, "p50"), tick(p95, "p95"), tick(p99, "p99"), tick(top, "2× p99")] : [tick(p50, "not calibrated")])));
    }
}
