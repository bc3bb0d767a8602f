import assert from "node:assert/strict";
import { test } from "node:test";

import { ViewerState } from "../../app/viewer/viewer-state.js";

const RATE = 25,
    STEPS = 100;
const bump = Array.from({ length: STEPS }, (_, step) =>
    step >= 30 && step < 50 ? 0.9 : step >= 70 && step < 80 ? 0.45 : 0.1,
);

function state(changes = {}, options = {}) {
    const pts = Array.from({ length: STEPS }, (_, frame) => frame / RATE);
    const clock = {
        pts,
        duration: 4,
        frame: 0,
        get time() {
            return pts[this.frame];
        },
        seekFrame(frame) {
            this.frame = frame;
        },
    };
    const curve = (stream, values) => ({ kind: "forgery", stream, rate_hz: RATE, values });
    const payload = {
        pts,
        thresholds: { visual: 0.5, audio: 0.5, fused: 0.5 },
        truth: null,
        sha256: null,
        intervals: [{ start: 1.2, end: 2, letter: "V", stream: "visual", score: 0.9 }],
        report: {
            media: { name: "clip.mp4", duration_s: 4, fps: RATE },
            model: null,
            video_score: 0.7,
            curves: [{ kind: "forgery", range: [0, 1], proposes: true }],
            scores: [
                curve("visual", bump),
                curve(
                    "audio",
                    bump.map(() => 0.1),
                ),
                curve("fused", bump),
            ],
            proposals: [{ start_s: 1.2, end_s: 2, score: 0.8, stream: "fused" }],
        },
        ...changes,
    };
    return new ViewerState(payload, clock, options);
}

test("lane E follows the prediction until the person touches it", () => {
    const own = state();
    own.setThreshold(0.3);
    assert.equal(own.items("E").length, 2);
    own.select("E", own.items("E")[1].id);
    own.judge("accepted");
    own.setThreshold(0.5);
    assert.deepEqual([own.items("P").length, own.items("E").length], [1, 2]);
});

test("at the calibrated threshold the intervals are those of the report", () => {
    const own = state();
    own.setThreshold(0.3);
    own.setThreshold(0.5);
    assert.deepEqual(
        own.items("P").map(({ start, end, stream }) => [start, end, stream]),
        [[1.2, 2, "visual"]],
    );
});

test("without a verdict there is no threshold to move", () => {
    const own = state();
    const { report } = own.payload;
    const silent = state({ intervals: [], report: { ...report, video_score: null } });
    silent.setThreshold(0.2);
    assert.deepEqual([silent.threshold, silent.items("P")], [null, []]);
});

test("editing a prediction edits what stands for it in E, or puts it there", () => {
    const own = state();
    own.select("P", "P1");
    own.nudge("start", 1);
    assert.deepEqual(
        [own.selection.lane, own.items("E").length, own.items("E")[0].start_frame],
        ["E", 1, 31],
    );
    own.remove();
    own.select("P", "P1");
    own.nudge("end", 1);
    assert.deepEqual(
        [own.items("E")[0].end_frame, own.items("E")[0].origin, own.items("P")[0].end],
        [51, "proposal", 2],
    );
});

test("truth of a file is never edited, drawn truth is", () => {
    const known = state({ truth: [{ start: 3, end: 4, letter: "A" }] });
    known.select("G", "G1");
    known.nudge("start", 1);
    assert.deepEqual(
        [known.items("G")[0].start, known.selection.lane, known.items("E").length],
        [3, "E", 2],
    );
    const drawn = state();
    drawn.create(1, 2, "G");
    drawn.nudge("end", 1);
    assert.equal(drawn.items("G")[0].end_frame, 51);
});

test("blind: nothing of the model or the truth is there until the person is done", () => {
    const own = state({ truth: [{ start: 3, end: 4, letter: "A" }] }, { blind: true });
    assert.deepEqual(
        ["P", "G", "E"].map((lane) => own.items(lane).length),
        [0, 0, 0],
    );
    assert.equal(own.comparison(), null);
    own.mark("start");
    own.setBlind(false);
    assert.deepEqual(
        ["P", "G", "E"].map((lane) => own.items(lane).length),
        [1, 1, 1],
    );
});

test("authentic truth makes every prediction a false alarm", () => {
    const own = state({ truth: [] });
    assert.equal(own.comparison().kinds.get("P1").kind, "FP");
    own.compare("E", "G");
    own.select("E", own.items("E")[0].id);
    own.judge("rejected");
    assert.equal(own.comparison().kinds.size, 0);
});

test("the edit is held against the prediction, truth or no truth", () => {
    const own = state();
    assert.equal(own.comparison(), null);
    own.compare("E", "P");
    own.create(3, 3.4, "E");
    own.select("P", "P1");
    assert.deepEqual(
        [...own.comparison().kinds.values()].map(({ kind }) => kind),
        ["TP", "FP"],
    );
    assert.equal(own.pair().tiou, 1);
    own.nextDisagreement();
    assert.equal(own.clock.frame, 75);
});

const cut = () => {
    const { payload } = state();
    const shots = [
        [0, 1.2],
        [1.2, 2.4],
        [2.4, 4],
    ];
    const unscored = [{ start_s: 1.12, end_s: 1.32, reason: "cut", stream: "visual" }];
    const own = state({ report: { ...payload.report, shots, unscored } });
    const said = [];
    own.messageListeners.add((text) => said.push(text));
    return { own, said };
};

test("keys go from shot to shot and say where that is", () => {
    const { own, said } = cut();
    assert.deepEqual(own.shotStarts, [1.2, 2.4]);
    const at = (way) => {
        own.goToShot(way);
        return own.clock.frame;
    };
    assert.deepEqual([at(1), at(1), at(1)], [30, 60, 60]);
    assert.deepEqual(said, [
        "Shot 2 of 3 begins at 0:01.20.",
        "Shot 3 of 3 begins at 0:02.40.",
        "This is the last of 3 shots.",
    ]);
    own.clock.frame = 70;
    assert.deepEqual([at(-1), at(-1), at(-1), at(-1)], [60, 30, 0, 0]);
});

test("where no cut is known, no key pretends that there is one", () => {
    const { payload } = state();
    for (const [shots, words] of [
        [undefined, "No shots are known."],
        [[[0, 4]], "This clip is one shot."],
    ]) {
        const own = state({ report: { ...payload.report, shots } });
        const said = [];
        own.messageListeners.add((text) => said.push(text));
        own.goToShot(1);
        assert.deepEqual([said, own.clock.frame, own.shotStarts], [[words], 0, []]);
        assert.equal(own.describe(1.2), "inside interval 1");
    }
});

test("the cursor says what was not scored, and in which shot it is", () => {
    const { own } = cut();
    assert.equal(
        own.describe(1.14),
        "outside flagged intervals, picture not scored: cut, shot 1 of 3",
    );
    assert.equal(own.describe(1.5), "inside interval 1, shot 2 of 3");
    own.setBlind(true);
    assert.equal(own.describe(1.14), "model hidden, shot 1 of 3");
});
