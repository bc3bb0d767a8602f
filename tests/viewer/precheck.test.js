import assert from "node:assert/strict";
import { test } from "node:test";

import { lengthText, precheck, rangeOf, sizeText } from "../../app/viewer/upload/precheck.js";

const LIMITS = { bytes: 5e8, seconds: 1800 };
const CLIP = { name: "talk.mp4", size: 4e6, type: "video/mp4" };
const SEEN = { duration: 14, width: 640, height: 360 };

test("a usual clip has nothing to say", () => {
    assert.deepEqual(precheck(CLIP, SEEN, null, LIMITS), { stops: [], notes: [] });
});

test("what stops a file names the next step", () => {
    const stop = (file, seen, range) =>
        precheck({ ...CLIP, ...file }, seen, range ?? null, LIMITS).stops.join();
    assert.match(stop({ size: 0 }, SEEN), /empty/);
    assert.match(stop({ name: "notes.txt", type: "text/plain" }, null), /no video file/);
    assert.match(stop({ size: 6e8 }, SEEN), /larger than 500.0 MB/);
    assert.match(stop({}, { ...SEEN, duration: 4000 }), /longer than 30 min.*range/);
    assert.match(stop({}, { ...SEEN, duration: 0.3 }), /too short/);
    assert.match(stop({}, SEEN, { start: 5, end: 4 }), /no part/);
    assert.match(stop({}, null, { start: 5, end: Infinity }), /ends/);
});

test("a range makes a long clip possible", () => {
    const { stops, notes } = precheck(
        CLIP,
        { ...SEEN, duration: 4000 },
        { start: 60, end: 90 },
        LIMITS,
    );
    assert.deepEqual(stops, []);
    assert.match(notes[0], /keyframe/);
});

test("a file that this browser can't play is converted, and may be sent", () => {
    const { stops, notes } = precheck({ ...CLIP, name: "talk.avi", type: "" }, null, null, LIMITS);
    assert.deepEqual(stops, []);
    assert.match(notes[0], /converted/);
});

test("a range is only one where it leaves something out", () => {
    assert.equal(rangeOf("", "", 14), null);
    assert.equal(rangeOf("0", "14", 14), null);
    assert.equal(rangeOf("", "", null), null);
    assert.deepEqual(rangeOf("3", "", 14), { start: 3, end: 14 });
    assert.deepEqual(rangeOf("3", "99", 14), { start: 3, end: 14 });
    assert.deepEqual(rangeOf("", "5", null), { start: 0, end: 5 });
});

test("sizes and lengths are words", () => {
    assert.equal(sizeText(900), "1 kB");
    assert.equal(sizeText(4.2e6), "4.2 MB");
    assert.equal(lengthText(4.26), "4.3 s");
    assert.equal(lengthText(1800), "30 min 0 s");
});
