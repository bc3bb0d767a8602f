import assert from "node:assert/strict";
import { test } from "node:test";

import { NOTHING, bytes, shorts, signedBytes } from "../../app/viewer/core/unpack.js";
import { LOUDNESS, VIRIDIS, heatTable, viridis } from "../../app/viewer/core/colours.js";
import {
    boxAt,
    columns,
    pooled,
    stepAt,
    unscored,
    windowed,
} from "../../app/viewer/time/sampling.js";
import { recall, remember } from "../../app/viewer/core/row-toggles.js";

const packed = (array) => Buffer.from(array.buffer).toString("base64");

test("bytes come back as they were packed", () => {
    assert.deepEqual([...bytes(packed(Uint8Array.of(0, 254, 255)))], [0, 254, 255]);
    assert.deepEqual([...signedBytes(packed(Int8Array.of(-127, 0, 127)))], [-127, 0, 127]);
    assert.deepEqual([...shorts(packed(Int16Array.of(-32768, 300)))], [-32768, 300]);
    assert.equal(bytes("").length, 0);
});

test("a step is found by the middle of the frame on display, at any frame rate", () => {
    for (const fps of [10, 23.976, 25, 29.97, 60]) {
        for (let frame = 0; frame < 40; frame++) {
            const [start, end] = [frame / fps, (frame + 1) / fps];
            const measured = Array.from({ length: 200 }, (_, step) => step).filter(
                (step) => (step + 0.5) / 25 >= start && (step + 0.5) / 25 < end,
            );
            const step = stepAt((start + end) / 2, 25, 200);
            if (measured.length) assert.ok(measured.includes(step), `${fps} fps, frame ${frame}`);
        }
    }
    assert.equal(stepAt(99, 25, 10), 9);
    assert.equal(stepAt(-1, 25, 10), 0);
});

test("every sample of the visible range is under some pixel, and no pixel is empty inside the clip", () => {
    for (const [start, end, width] of [
        [0, 40, 300],
        [3, 4, 300],
        [39, 45, 100],
    ]) {
        const spans = columns(start, end, width, 25, 1000);
        assert.equal(spans.length, width);
        spans.forEach(([from, to], x) => {
            const time = start + (x / width) * (end - start);
            assert.equal(to > from, time < 40, `${time} s: ${from}..${to}`);
            if (x && to > from) assert.ok(from <= spans[x - 1][1], "nothing is left out");
        });
        assert.ok(spans.every(([from, to]) => from >= 0 && to <= 1000));
    }
    assert.deepEqual(columns(-1, 1, 2, 25, 50), [
        [0, 0],
        [0, 25],
    ]);
});

test("pooling takes the mean of what is known", () => {
    const map = Uint8Array.of(10, NOTHING, 20, NOTHING, NOTHING, 8); // 3 steps of 2 rows
    assert.deepEqual(
        [
            ...pooled(
                map,
                2,
                [
                    [0, 2],
                    [2, 3],
                    [3, 3],
                ],
                NOTHING,
            ),
        ],
        [15, NOTHING, NOTHING, NOTHING, 8, NOTHING],
    );
});

test("unscored are the steps of which no row is known", () => {
    const map = Uint8Array.of(NOTHING, NOTHING, NOTHING, 1, NOTHING, NOTHING, NOTHING, NOTHING);
    assert.deepEqual(unscored(map, 2, 25, NOTHING), [
        { start: 0, end: 0.04 },
        { start: 0.08, end: 0.16 },
    ]);
});

test("a curve is drawn from the visible range, peaks and holes kept", () => {
    const values = Array.from({ length: 15000 }, (_, index) => Math.sin(index));
    values[7000] = 9;
    values[7500] = null;
    const all = windowed(values, 25, 0, 600, 800);
    assert.ok(all.x.length <= 3 * 800 && all.x.length > 800);
    assert.ok(all.y.includes(9) && all.y.includes(null));
    assert.deepEqual(
        [...all.x].sort((a, b) => a - b),
        all.x,
    );
    const near = windowed(values, 25, 280, 282, 800);
    assert.ok(near.x.length <= 54 && near.y.includes(9));
    assert.ok(near.x[0] <= 280 && near.x.at(-1) >= 282);
    assert.deepEqual(windowed([1, 2], 25, 0, 0.08, 800), { x: [0.02, 0.06], y: [1, 2] });
});

test("colours are fixed by the scale: nothing up to p50, the end at the top", () => {
    const table = heatTable([1, 2, 3, 6]);
    const colour = (value) => [
        ...table.subarray(Math.round((value / 6) * 254) * 4, Math.round((value / 6) * 254) * 4 + 4),
    ];
    assert.equal(colour(0.9)[3], 0);
    assert.equal(colour(2.1)[3], 255);
    assert.deepEqual(colour(6), [...VIRIDIS.at(-1), 255]);
    assert.equal(table[NOTHING * 4 + 3], 0);
    assert.deepEqual([...LOUDNESS.subarray(254 * 4, 255 * 4)], [255, 255, 255, 255]);
    assert.deepEqual(viridis(99), VIRIDIS.at(-1));
});

test("boxes move between those that were sent, and vanish with the face", () => {
    const hole = [-32768, -32768, -32768, -32768];
    const track = {
        first: 5,
        rate: 5,
        boxes: Int16Array.of(0, 0, 10, 10, 20, 0, 30, 10, ...hole, 8, 8, 9, 9),
    };
    assert.deepEqual(boxAt(track, 1.1, -32768), [10, 0, 20, 10]);
    assert.deepEqual(boxAt(track, 1.22, -32768), [20, 0, 30, 10]);
    assert.equal(boxAt(track, 1.4, -32768), null);
    assert.deepEqual(boxAt(track, 1.6, -32768), [8, 8, 9, 9]);
    assert.equal(boxAt(track, 0.5, -32768), null);
    assert.equal(boxAt(track, 5, -32768), null);
});

test("chosen rows are remembered, and a browser without storage is no error", () => {
    const kept = new Map();
    const storage = {
        getItem: (key) => kept.get(key) ?? null,
        setItem: (key, value) => kept.set(key, value),
    };
    remember(storage, "waveform", false);
    remember(storage, "face", true);
    assert.deepEqual(recall(storage), { waveform: false, face: true });
    kept.set("deeploc-rows", "not json");
    assert.deepEqual(recall(storage), {});
    const closed = {
        getItem: () => {
            throw new Error("denied");
        },
        setItem: () => {
            throw new Error("denied");
        },
    };
    remember(closed, "face", false);
    assert.deepEqual(recall(closed), {});
});
