// Canvases of packed values: one canvas pixel a column and row, stretched by the style sheet.

import { NOTHING } from "./unpack.js";
import { pooled } from "../time/sampling.js";

// map: { values, rows, table, upwards } (upwards: row 0 is the lowest); spans: samples of each column.
export function paintMap(canvas, { values, rows, table, upwards }, spans) {
    const found = pooled(values, rows, spans, NOTHING);
    const width = spans.length;
    const image = new ImageData(width, rows);
    for (let row = 0; row < rows; row++) {
        const line = (upwards ? rows - 1 - row : row) * width;
        for (let x = 0; x < width; x++) {
            const colour = found[row * width + x] * 4;
            for (let channel = 0; channel < 4; channel++)
                image.data[(line + x) * 4 + channel] = table[colour + channel];
        }
    }
    Object.assign(canvas, { width, height: rows });
    canvas.getContext("2d").putImageData(image, 0, 0);
}

// A waveform: from the lowest to the highest sample under each pixel.
export function paintWave(canvas, { low, high }, spans, colour) {
    const half = 40;
    Object.assign(canvas, { width: spans.length, height: 2 * half });
    const context = canvas.getContext("2d");
    context.fillStyle = colour;
    spans.forEach(([from, to], x) => {
        if (from === to) return;
        let [least, most] = [127, -127];
        for (let index = from; index < to; index++) {
            least = Math.min(least, low[index]);
            most = Math.max(most, high[index]);
        }
        const top = half - (most / 127) * half;
        context.fillRect(x, top, 1, Math.max(1, ((most - least) / 127) * half));
    });
}
