import assert from "node:assert/strict";
import { test } from "node:test";

import {
    explain,
    missingText,
    reasonText,
    stretches,
    summary,
} from "../../app/viewer/core/unscored.js";

const item = (start, end, reason, stream) => ({ start_s: start, end_s: end, reason, stream });
const spans = (found) => found.map((one) => [one.start, one.end, reasonText(one)]);
const LEAD_IN = [
    item(0, 1, "frozen picture", "visual"),
    item(2.32, 2.52, "cut", "visual"),
    item(0, 0.8, "no speech", "audio"),
];

test("a stretch is hatched with the reasons of its own stream, even where a value is known", () => {
    const holes = [{ start: 0, end: 1 }];
    assert.deepEqual(spans(stretches(holes, LEAD_IN, "visual")), [
        [0, 1, "frozen picture"],
        [2.32, 2.52, "cut"],
    ]);
    assert.deepEqual(spans(stretches([], LEAD_IN, "audio")), [[0, 0.8, "no speech"]]);
});

test("neighbours with other reasons are stretches of their own", () => {
    const unscored = [
        item(0, 0.52, "frozen picture", "visual"),
        item(0.52, 1, "no usable face", "visual"),
        item(0.52, 0.72, "cut", "visual"),
    ];
    assert.deepEqual(spans(stretches([{ start: 0, end: 1.2 }], unscored, "visual")), [
        [0, 0.52, "frozen picture"],
        [0.52, 0.72, "no usable face; cut"],
        [0.72, 1, "no usable face"],
        [1, 1.2, ""],
    ]);
});

test("of both streams together only holes are hatched, and each reason names its stream", () => {
    assert.deepEqual(spans(stretches([{ start: 0, end: 0.8 }], LEAD_IN, "fused")), [
        [0, 0.8, "picture: frozen picture; sound: no speech"],
    ]);
    assert.deepEqual(stretches([], LEAD_IN, "fused"), []);
    const older = [item(0, 1, "no face"), item(0, 1, "no face", "fused")];
    assert.deepEqual(spans(stretches([{ start: 0, end: 1 }], older)), [[0, 1, "no face"]]);
});

test("rounded times make no slivers", () => {
    const unscored = [item(0, 1.001, "no speech", "audio"), item(2, 2.04, "no speech", "audio")];
    const holes = [
        { start: 0, end: 1.00099 },
        { start: 2, end: 2.0399 },
    ];
    assert.deepEqual(
        stretches(holes, unscored, "audio").map(({ reasons }) => reasons.length),
        [1, 1],
    );
});

test("many stretches take no time", () => {
    const many = Array.from({ length: 4000 }, (_, index) =>
        item(index / 2, index / 2 + 0.2, "no speech", "audio"),
    );
    const holes = many.map(({ start_s: start, end_s: end }) => ({ start, end }));
    const began = performance.now();
    assert.equal(stretches(holes, many, "audio").length, 4000);
    assert.ok(performance.now() - began < 500);
});

test("what is missing is said with its reason and its meaning", () => {
    const found = stretches([{ start: 0, end: 0.8 }], LEAD_IN, "fused");
    assert.equal(missingText(found, 0.02), "not scored: frozen picture, no speech");
    assert.equal(missingText(found, 0.9), "not scored");
    const [stretch] = stretches([], LEAD_IN, "audio");
    assert.equal(
        explain(stretch, { "no speech": "Nobody speaks here." }),
        "Not scored: no speech. Nobody speaks here.",
    );
    assert.equal(explain(stretch), "Not scored: no speech.");
    assert.equal(explain({ reasons: [], stream: "audio" }), "Not scored.");
});

test("the list has one entry a reason and stream, the longest first", () => {
    const found = summary([...LEAD_IN, item(3, 3.2, "cut", "visual")]);
    assert.deepEqual(
        found.map(({ reason, stream, spans, seconds }) => [
            reason,
            stream,
            spans.length,
            Number(seconds.toFixed(2)),
        ]),
        [
            ["frozen picture", "visual", 1, 1],
            ["no speech", "audio", 1, 0.8],
            ["cut", "visual", 2, 0.4],
        ],
    );
});
