import assert from "node:assert/strict";
import { test } from "node:test";

import * as doc from "../../app/viewer/edit/annotation.js";
import { FrameTimes } from "../../app/viewer/time/frame-times.js";
import { AnnotationStore } from "../../app/viewer/edit/annotation-store.js";

const FPS = 30000 / 1001;
const frames = new FrameTimes(
    Array.from({ length: 120 }, (_, frame) => frame / FPS),
    120 / FPS,
);
const about =
    (sha256 = "f".repeat(64)) =>
    () => ({
        media: {
            name: "clip.mp4",
            sha256,
            duration_s: 120 / FPS,
            fps: FPS,
            frames: 120,
            timing: "pts",
        },
        model: null,
        threshold: 0.5,
    });
const drawn = (start, end) => frames.span(frames.time(start), frames.time(end));
const two = () =>
    doc.create(doc.create(doc.empty(), "E", drawn(60, 90)), "E", drawn(10, 20), { note: "mouth" });
const edges = (made, lane = "E") => made[lane].map((one) => [one.start_frame, one.end_frame]);

class Memory {
    stored = new Map();
    getItem(key) {
        return this.stored.get(key) ?? null;
    }
    setItem(key, value) {
        this.stored.set(key, value);
    }
    removeItem(key) {
        this.stored.delete(key);
    }
}

test("segments stay sorted and carry seconds and frames, half-open", () => {
    assert.deepEqual(edges(two()), [
        [10, 20],
        [60, 90],
    ]);
    const [first] = two().E;
    assert.ok(Math.abs(first.end_s - 20 / FPS) < 1e-6);
    assert.deepEqual([first.status, first.origin, first.note], ["added", "drawn", "mouth"]);
});

test("a document is never changed", () => {
    const before = Object.freeze(two());
    const { id } = Object.freeze(before.E[0]);
    const text = JSON.stringify(before);
    for (const after of [
        doc.nudge(before, "E", id, "start", 1, frames),
        doc.split(before, "E", id, frames.time(15), frames),
        doc.mergeNext(before, "E", id),
        doc.remove(before, "E", id),
        doc.change(before, "E", id, { note: "x" }),
    ]) {
        assert.notEqual(JSON.stringify(after), text);
    }
    assert.equal(JSON.stringify(before), text);
});

test("nudging moves by frames, and edges never cross", () => {
    let made = two();
    const { id } = made.E[0];
    made = doc.nudge(doc.nudge(made, "E", id, "start", 9, frames), "E", id, "end", -0, frames);
    assert.deepEqual(edges(made)[0], [19, 20]);
    assert.equal(doc.nudge(made, "E", id, "start", 1, frames), null);
    assert.equal(doc.nudge(made, "E", id, "end", -1, frames), null);
    assert.equal(doc.moveEdge(made, "E", id, "end", 99, frames), null);
});

test("a step from between two frames goes to the neighbour, not past it", () => {
    const between = frames.time(10) + 0.3 / FPS;
    for (const [steps, frame] of [
        [-1, 10],
        [1, 11],
        [-2, 9],
        [2, 12],
    ])
        assert.equal(frames.step(between, steps), frames.time(frame));
    const late = frames.time(10) + 0.7 / FPS;
    for (const [steps, frame] of [
        [-1, 10],
        [1, 11],
    ])
        assert.equal(frames.step(late, steps), frames.time(frame));
    assert.equal(frames.step(frames.time(3), -9), 0);
});

test("split touches, merge closes the gap, and both keep the note", () => {
    const made = two();
    const { id } = made.E[0];
    const cut = doc.split(made, "E", id, frames.time(13), frames);
    assert.deepEqual(edges(cut), [
        [10, 13],
        [13, 20],
        [60, 90],
    ]);
    assert.equal(cut.E[1].note, "mouth");
    assert.deepEqual(edges(doc.mergeNext(doc.mergeNext(cut, "E", id), "E", id)), [[10, 90]]);
    assert.equal(doc.split(made, "E", id, frames.time(10), frames), null);
    assert.equal(doc.mergeNext(made, "E", made.E[1].id), null);
});

test("a proposal is accepted as it is, adjusted when touched, rejected without being lost", () => {
    const made = doc.copyOf(
        doc.empty(),
        [{ start: 1.2, end: 2, stream: "visual", score: 0.91 }],
        frames,
    );
    const { id } = made.E[0];
    assert.deepEqual(
        [made.E[0].status, made.E[0].start_s, made.E[0].start_frame],
        ["proposed", 1.2, 36],
    );
    assert.equal(doc.change(made, "E", id, { status: "accepted" }).E[0].status, "accepted");
    assert.equal(doc.nudge(made, "E", id, "end", 1, frames).E[0].status, "adjusted");
    assert.equal(doc.change(made, "E", id, { stream: "audio" }).E[0].status, "adjusted");
    assert.equal(doc.change(made, "E", id, { note: "?" }).E[0].status, "proposed");
    const rejected = doc.change(made, "E", id, { status: "rejected" });
    assert.equal(rejected.E.length, 1);
    assert.deepEqual(doc.notRejected(rejected.E), []);
});

test("the JSON comes back as it went, without ids", () => {
    const made = doc.noted(doc.change(two(), "E", two().E[0]?.id, { confidence: 0.75 }), "drew");
    const json = JSON.parse(JSON.stringify(doc.toJson(made, about()())));
    assert.deepEqual([json.format, json.version, json.threshold], ["deeploc-annotation", 1, 0.5]);
    assert.ok(json.segments.every((one) => !("id" in one)));
    assert.deepEqual(doc.toJson(doc.fromJson(json), about()()), json);
    assert.throws(() => doc.fromJson({ format: "other" }), /no deeploc-annotation/);
});

test("undo and redo walk the same way, and a new action forgets what was undone", () => {
    const store = new AnnotationStore(about(), null);
    store.apply("one", doc.create(store.doc, "E", drawn(1, 5)));
    store.apply("two", doc.create(store.doc, "E", drawn(10, 15)));
    store.undo();
    assert.deepEqual(edges(store.doc), [[1, 5]]);
    store.redo();
    assert.deepEqual(edges(store.doc), [
        [1, 5],
        [10, 15],
    ]);
    store.undo();
    store.undo();
    store.undo();
    assert.ok(store.pristine);
    store.apply("three", doc.create(store.doc, "E", drawn(2, 3)));
    store.redo();
    assert.deepEqual(edges(store.doc), [[2, 3]]);
    assert.equal(store.apply("nothing", null), false);
});

test("the same action again is one line of the history", () => {
    const made = ["a", "a", "b", "a"].reduce(doc.noted, doc.empty());
    assert.deepEqual(
        made.history.map(({ action }) => action),
        ["a", "b", "a"],
    );
});

test("work is kept by the file's hash, restored, and gone when all is undone", () => {
    const storage = new Memory();
    const store = new AnnotationStore(about(), storage);
    store.apply("drew", doc.create(store.doc, "E", drawn(1, 5), { note: "lip" }));
    store.apply("drew truth", doc.create({ ...store.doc, blind: true }, "G", drawn(2, 6)));
    const again = new AnnotationStore(about(), storage);
    assert.ok(again.restore());
    assert.deepEqual(
        [edges(again.doc), edges(again.doc, "G"), again.doc.blind, again.doc.E[0].note],
        [[[1, 5]], [[2, 6]], true, "lip"],
    );
    assert.equal(again.doc.history.length, 2);
    assert.equal(new AnnotationStore(about("0".repeat(64)), storage).restore(), false);
    store.undo();
    store.undo();
    assert.equal(storage.stored.size, 0);
});

test("a clip that is shown again can be undone as before, unless another tab went on with it", () => {
    const storage = new Memory();
    const store = new AnnotationStore(about(), storage);
    store.apply("one", doc.create(store.doc, "E", drawn(1, 5)));
    store.apply("two", doc.create(store.doc, "E", drawn(10, 15)));
    store.undo();
    const again = new AnnotationStore(about(), storage);
    assert.ok(again.restore());
    again.redo();
    assert.deepEqual(edges(again.doc), [
        [1, 5],
        [10, 15],
    ]);
    again.undo();
    again.undo();
    assert.ok(again.pristine && storage.stored.size === 0);
    again.apply("three", doc.create(again.doc, "E", drawn(2, 3)));
    const [[key, text]] = storage.stored;
    again.apply("four", doc.create(again.doc, "E", drawn(7, 9)));
    storage.stored.set(key, text);
    const elsewhere = new AnnotationStore(about(), storage);
    assert.ok(elsewhere.restore());
    assert.deepEqual([edges(elsewhere.doc), elsewhere.past], [[[2, 3]], []]);
});

test("no hash, no storage, a full one or nonsense in it: nothing breaks", () => {
    const full = {
        getItem: () => "{",
        setItem() {
            throw new Error("quota");
        },
    };
    const store = new AnnotationStore(about(), full);
    assert.equal(store.restore(), false);
    store.apply("drew", doc.create(store.doc, "E", drawn(1, 5)));
    assert.equal(store.stored, false);
    for (const storage of [null, new Memory()]) {
        const nameless = new AnnotationStore(about(null), storage);
        nameless.apply("drew", doc.create(nameless.doc, "E", drawn(1, 5)));
        assert.equal(nameless.restore(), false);
    }
});
