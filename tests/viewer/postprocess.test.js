import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { IntervalFinder, toTimeline } from "../../app/viewer/curves/postprocess.js";

const cases = JSON.parse(readFileSync(new URL("../cases/timeline.json", import.meta.url)));
export const expand = (runs) => runs.flatMap(([value, count]) => Array(count).fill(value));
const near = (found, expected) =>
    assert.ok(Math.abs(found - expected) < 1e-9, `${found} is not ${expected}`);

for (const { name, runs, rate_hz: rate, threshold, rule, expected } of cases.timelines) {
    test(`timeline: ${name}`, () => {
        const found = toTimeline(expand(runs), rate, threshold, rule);
        assert.equal(found.length, expected.length);
        found.forEach(({ start, end }, index) => {
            near(start, expected[index][0]);
            near(end, expected[index][1]);
        });
    });
}

for (const { name, visual, audio, fused, rate_hz: rate, thresholds, expected } of cases.streams) {
    test(`streams: ${name}`, () => {
        const curves = { visual: expand(visual), audio: expand(audio), fused: expand(fused) };
        const found = new IntervalFinder(curves, rate).intervals(thresholds);
        assert.deepEqual(
            found.map(({ stream }) => stream),
            expected.map(({ stream }) => stream),
        );
        found.forEach((one, index) => {
            for (const key of ["start", "end", "score"]) near(one[key], expected[index][key]);
        });
    });
}

test("a rising threshold never grows the flagged time", () => {
    const { runs, rate_hz: rate } = cases.timelines.find(({ name }) => name === "random walk 2");
    const flagged = [0.2, 0.4, 0.6, 0.8].map((threshold) =>
        toTimeline(expand(runs), rate, threshold, { merge_gap_s: 0 }).reduce(
            (sum, { start, end }) => sum + end - start,
            0,
        ),
    );
    assert.deepEqual(
        flagged,
        [...flagged].sort((a, b) => b - a),
    );
});

test("crossings are the edges of every run, short ones too", () => {
    const fused = [...Array(30).fill(0), ...Array(3).fill(1), ...Array(30).fill(0)];
    const finder = new IntervalFinder({ visual: fused, audio: fused, fused }, 25);
    assert.deepEqual(finder.intervals({ visual: 0.5, audio: 0.5, fused: 0.5 }), []);
    assert.equal(finder.crossings(0.4).length, 2);
});

test("intervals follow the settings of the report", () => {
    const fused = Array.from({ length: 50 }, (_, step) => (step >= 10 && step < 20 ? 0.9 : 0.1));
    const whole = { smoothing_s: 0, merge_gap_s: 0.2, min_length_s: 0.2 };
    const count = (rule) =>
        new IntervalFinder({ fused }, 25, { ...whole, ...rule }).intervals({ fused: 0.5 }).length;
    assert.equal(count({}), 1);
    assert.equal(count({ min_length_s: 0.5 }), 0);
});
