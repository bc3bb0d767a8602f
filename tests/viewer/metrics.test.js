import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as compare from "../../app/viewer/compare/metrics.js";

const cases = JSON.parse(readFileSync(new URL("../cases/comparison.json", import.meta.url)));
const expand = (runs) => runs.flatMap(([value, count]) => Array(count).fill(value));
const span = ([start, end]) => ({ start, end });
const scored = ([score, start, end]) => ({ score, start, end });
const same = (found, expected, what) => {
    if (expected === null) assert.equal(found, null, what);
    else assert.ok(Math.abs(found - expected) < 1e-9, `${what}: ${found} is not ${expected}`);
};

for (const { name, proposals, truth, ap, ar } of cases.proposals) {
    test(`AP and AR: ${name}`, () => {
        const [found, true_] = [proposals.map(scored), truth.map(span)];
        for (const [alpha, value] of Object.entries(ap))
            same(compare.averagePrecision(found, true_, Number(alpha)), value, `AP@${alpha}`);
        for (const [n, value] of Object.entries(ar))
            same(compare.averageRecall(found, true_, Number(n)), value, `AR@${n}`);
    });
}

for (const { name, runs, rate_hz: rate, truth, auc } of cases.steps) {
    test(`frame AUC: ${name}`, () =>
        same(compare.frameAuc(expand(runs), rate, truth.map(span)), auc, "AUC"));
}

for (const { name, tiou, found, truth, kinds, missed } of cases.matches) {
    test(`matches: ${name}`, () => {
        const matched = compare.match(found.map(scored), truth.map(span), tiou);
        assert.deepEqual(
            matched.found.map(({ kind, truth: at }) => [kind, at]),
            kinds.map(([kind, at]) => [kind, at]),
        );
        matched.found.forEach((one, at) => same(one.tiou, kinds[at][2], "tIoU"));
        assert.deepEqual(matched.missed, missed);
    });
}

test("disagreements are what exactly one side flags, half-open", () => {
    const found = compare.disagreements(
        [
            [1, 3],
            [5, 6],
        ].map(span),
        [
            [2, 4],
            [5, 6],
            [7, 8],
        ].map(span),
    );
    assert.deepEqual(found, [
        { start: 1, end: 2, only: "first" },
        { start: 3, end: 4, only: "second" },
        { start: 7, end: 8, only: "second" },
    ]);
    assert.deepEqual(compare.disagreements([span([0, 1]), span([1, 2])], [span([0, 2])]), []);
});

test("false alarms by the minute", () => {
    same(
        compare.falseAlarmRate([span([0, 2]), span([1, 3])], [span([2, 10])], 30),
        4,
        "seconds a minute",
    );
});
