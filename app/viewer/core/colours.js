// Colours of packed values (0..254 on a fixed scale, 255 = not scored): heat and loudness.

import { NOTHING, TOP } from "./unpack.js";

// Readable with every kind of colour vision: violet to yellow.
export const VIRIDIS = [
    [68, 1, 84],
    [70, 50, 127],
    [54, 92, 141],
    [39, 127, 142],
    [31, 161, 135],
    [74, 194, 109],
    [159, 218, 58],
    [253, 231, 37],
];

export function viridis(share) {
    const at = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
    const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
    return VIRIDIS[low].map(
        (value, index) => value + (VIRIDIS[low + 1][index] - value) * (at - low),
    );
}

const table = (colourOf) =>
    Uint8ClampedArray.from(
        Array.from({ length: 256 }, (_, value) =>
            value === NOTHING ? [0, 0, 0, 0] : colourOf(value / TOP),
        ).flat(),
    );

// RGBA of every packed surprise: transparent up to the authentic p50, full from p95 on.
export function heatTable([p50, p95, , top]) {
    return table((share) => {
        const value = share * top;
        const alpha = Math.min(Math.max((value - p50) / (p95 - p50), 0), 1);
        return [...viridis((value - p50) / (top - p50)), alpha * 255];
    });
}

// RGBA of every packed loudness: black to white, the same for every clip.
export const LOUDNESS = table((share) => [share * 255, share * 255, share * 255, 255]);
