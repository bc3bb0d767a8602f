import assert from "node:assert/strict";
import { test } from "node:test";

import { pinched } from "../../app/viewer/time/gestures.js";
import { curveOf, peaks } from "../../app/viewer/time/overview.js";
import { MARGIN, TimeScale } from "../../app/viewer/time/time-scale.js";

const wide = (duration = 100) => {
    const scale = new TimeScale(duration);
    scale.resize(1000 + MARGIN.left + MARGIN.right);
    return scale;
};

test("zooming keeps the time under the pointer where it is", () => {
    const scale = wide();
    const before = scale.x(30);
    scale.zoomIn(30);
    assert.equal(scale.length, 50);
    assert.ok(Math.abs(scale.x(30) - before) < 1e-6);
    scale.zoomOut(30);
    assert.ok(!scale.zoomed);
});

test("the window stays inside the clip and is never too short", () => {
    const scale = wide();
    for (let step = 0; step < 20; step++) scale.zoomIn(99.99);
    assert.ok(Math.abs(scale.length - 0.2) < 1e-9 && scale.end <= 100);
    scale.pan(50);
    assert.ok(scale.end <= 100);
    scale.show(-5, 10);
    assert.deepEqual([scale.start, scale.end], [0, 10]);
    scale.pan(500);
    assert.deepEqual([scale.start, scale.end], [90, 100]);
});

test("playing on turns the page", () => {
    const scale = wide();
    scale.show(0, 10);
    scale.follow(5);
    assert.equal(scale.start, 0);
    scale.follow(10);
    assert.ok(scale.start === 9 && scale.end === 19);
    scale.fit();
    scale.follow(50);
    assert.ok(!scale.zoomed);
});

test("two fingers keep their times", () => {
    const scale = wide();
    const { start, length } = pinched(
        [20, 40],
        [MARGIN.left, MARGIN.left + 500],
        scale,
        MARGIN.left,
    );
    assert.deepEqual([start, length], [20, 40]);
});

test("the overview shows every peak, however short", () => {
    const values = Array.from({ length: 15000 }, (_, index) => (index === 7777 ? 0.9 : 0.1));
    const found = peaks(values, 25, 600, 1000);
    assert.equal(found.length, 1000);
    assert.equal(Math.max(...found), 0.9);
    assert.equal(found[Math.floor(7777 / 15)], 0.9);
    assert.deepEqual(peaks([null, null, 0.5, 0.4], 1, 4, 2), [null, 0.5]);
});

test("without a forgery score the overview shows the error, without both nothing", () => {
    const curve = { kind: "error", range: [0, null], proposes: false };
    const marks = [1, 2, 3].map((level) => ({ name: `mark ${level}`, level }));
    const error = { kind: "error", stream: "visual", values: [1], rate_hz: 25, marks };
    assert.equal(curveOf({ report: { curves: [curve], scores: [error] } }).top, 6);
    assert.equal(curveOf({ report: { curves: [], scores: [] } }), null);
});
