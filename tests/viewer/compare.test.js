import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as compare from "../../app/viewer/compare.js";

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
        for (const [alpha, value] of Object.entries(ap)) same(compare.averagePrecision(found, true_, Number(alpha)), value, `AP@${alpha}`);
        for (const [n, value] of Object.entries(ar)) same(compare.averageRecall(found, true_, Number(n)), value, `AR@${n}`);
    });
}

for (const { name, runs, rate_hz: rate, truth, auc } of cases.steps) {
    test(`frame AUC: ${name}`, () => same(compare.frameAuc(expand(runs), rate, truth.map(span)), auc, "AUC"));
}

test("each kind of error, by score", () => {
    const truth = [[1, 2], [4, 5], [8, 9]].map(span);
    const found = [[0.6, 1.1, 2.1], [0.9, 1, 2], [0.8, 4.7, 5.7], [0.7, 6, 7]].map(scored);
    const { found: kinds, missed } = compare.match(found, truth, 0.5);
    assert.deepEqual(kinds.map(({ kind, truth }) => [kind, truth]), [["DUP", 0], ["TP", 0], ["LOC", 1], ["FP", null]]);
    assert.deepEqual(missed, [1, 2]);
    same(kinds[2].tiou, 0.3 / 1.7, "tIoU");
});

test("the limits of tIoU count as reached", () => {
    const at = (end, alpha) => compare.match([{ start: 0, end, score: 1 }], [{ start: 0, end: 10 }], alpha).found[0].kind;
    assert.deepEqual([at(5, 0.5), at(4.9, 0.5), at(1, 0.5), at(0.9, 0.5)], ["TP", "LOC", "LOC", "FP"]);
});

test("a true segment is used once, and a worse one is taken if it will do", () => {
    const truth = [[0, 4], [1, 4]].map(span);
    const { found } = compare.match([[0.9, 0, 4], [0.8, 0, 4]].map(scored), truth, 0.5);
    assert.deepEqual(found.map(({ kind, truth }) => [kind, truth]), [["TP", 0], ["TP", 1]]);
});

test("without truth everything is a false alarm, without predictions everything is missed", () => {
    assert.deepEqual(compare.match([{ start: 0, end: 1, score: 1 }], [], 0.5).found, [{ kind: "FP", truth: null, tiou: 0 }]);
    assert.deepEqual(compare.match([], [{ start: 0, end: 1 }], 0.5).missed, [0]);
});

test("disagreements are what exactly one side flags, half-open", () => {
    const found = compare.disagreements([[1, 3], [5, 6]].map(span), [[2, 4], [5, 6], [7, 8]].map(span));
    assert.deepEqual(found, [{ start: 1, end: 2, only: "first" }, { start: 3, end: 4, only: "second" }, { start: 7, end: 8, only: "second" }]);
    assert.deepEqual(compare.disagreements([span([0, 1]), span([1, 2])], [span([0, 2])]), []);
});

test("false alarms by the minute", () => {
    same(compare.falseAlarmRate([span([0, 2]), span([1, 3])], [span([2, 10])], 30), 4, "seconds a minute");
});
