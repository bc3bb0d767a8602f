// Face error heat over the video: a small grid of cells on one fixed, calibrated scale.

import { bytes } from "../core/unpack.js";
import { heatTable } from "../core/colours.js";
import { make } from "../core/dom.js";
import { heatLegend } from "../core/legend.js";
import { stepAt } from "../time/sampling.js";

export class HeatOverlay {
    constructor(heat, media, rate) {
        Object.assign(this, { heat, rate, on: true, opacity: 0.7, step: -1, time: 0 });
        this.element = make("canvas", {
            class: "dl-heat",
            width: media.width,
            height: media.height,
            "aria-hidden": "true",
        });
        this.cells = bytes(heat.cells);
        this.small = make("canvas", { width: heat.cols, height: heat.rows });
        this.table = heatTable(heat.scale);
    }

    // time: the middle of the source frame on display.
    draw(time) {
        const { rows, cols, squares } = this.heat;
        const step = stepAt(time, this.rate, squares.length);
        this.time = time;
        if (step === this.step) return;
        this.step = step;
        const context = this.element.getContext("2d");
        context.clearRect(0, 0, this.element.width, this.element.height);
        const square = squares[step];
        if (!this.on || !square) return;
        const image = new ImageData(cols, rows);
        const begin = step * rows * cols;
        for (let cell = 0; cell < rows * cols; cell++) {
            const colour = this.cells[begin + cell] * 4;
            image.data.set(this.table.subarray(colour, colour + 4), cell * 4);
        }
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

    set(changes) {
        Object.assign(this, changes, { step: -1 });
        this.draw(this.time);
    }

    legend() {
        return heatLegend(this.heat);
    }
}
