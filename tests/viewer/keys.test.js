import assert from "node:assert/strict";
import { test } from "node:test";

import { FrameTimes } from "../../app/viewer/time/frame-times.js";
import { KEYS, Keymap, nameOf } from "../../app/viewer/keys/keys.js";
import { snap } from "../../app/viewer/time/snap.js";

const event = (key, held = "") => ({
    key,
    ctrlKey: held.includes("C"),
    shiftKey: held.includes("S"),
    altKey: held.includes("A"),
    metaKey: held.includes("M"),
});

test("an event is called what the list of keys calls it", () => {
    const cases = [
        [" ", "", "Space"],
        ["k", "", "K"],
        ["J", "S", "Shift+J"],
        ["{", "S", "Shift+["],
        ["]", "", "]"],
        ["}", "S", "Shift+]"],
        ["?", "S", "?"],
        ["+", "S", "+"],
        ["=", "", "+"],
        ["z", "C", "Ctrl+Z"],
        ["Z", "CS", "Ctrl+Shift+Z"],
        ["z", "M", "Ctrl+Z"],
        ["ArrowLeft", "S", "Shift+ArrowLeft"],
        ["[", "CA", "["],
        ["b", "A", null],
    ];
    for (const [key, held, name] of cases)
        assert.equal(nameOf(event(key, held)), name, `${held} ${key}`);
});

test("no key does two things", () => {
    const names = KEYS.flatMap(([, own]) => own);
    assert.equal(new Set(names).size, names.length);
});

test("an edge snaps to the nearest magnet within reach, else to a frame, or not at all", () => {
    const frames = new FrameTimes(
        Array.from({ length: 100 }, (_, frame) => frame / 25),
        4,
    );
    const how = { magnets: [1.013, 1.05, 3], x: (time) => time * 100, frames };
    assert.equal(snap(1.02, how), 1.013);
    assert.equal(snap(1.04, how), 1.05);
    assert.equal(snap(2.01, how), 2);
    assert.equal(snap(2.91, how), frames.time(73));
    assert.equal(snap(1.02, { ...how, free: true }), 1.02);
});

test("a key that is given to another action leaves its old one, and all can be as it was", () => {
    const kept = new Map();
    const storage = {
        getItem: (key) => kept.get(key) ?? null,
        setItem: (key, value) => kept.set(key, value),
    };
    const [split, merge] = ["split at the cursor", "merge with the next"].map((text) =>
        KEYS.find((entry) => entry[2] === text),
    );
    new Keymap(storage).set(split, "M");
    const keymap = new Keymap(storage);
    assert.deepEqual(
        [keymap.names(split), keymap.names(merge), keymap.action("B")],
        [["M"], [], undefined],
    );
    assert.equal(keymap.action("M"), split[3]);
    keymap.set(null);
    assert.equal(new Keymap(storage).action("M"), merge[3]);
});
