import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_CLIPS, sortFiles } from "../../app/viewer/upload/batch-upload.js";

const clip = (name, size = 1000) => ({ name, size, type: "video/mp4" });
const limits = { bytes: 1e6, seconds: 240 };

test("what can't be sent is named with its reason", () => {
    const { good, bad } = sortFiles(
        [
            clip("a.mp4"),
            clip("b.mp4", 0),
            { name: "c.txt", size: 9, type: "text/plain" },
            clip("d.mp4", 2e6),
        ],
        limits,
    );
    assert.deepEqual(
        good.map(({ name }) => name),
        ["a.mp4"],
    );
    assert.deepEqual(
        bad.map(({ reason }) => reason.split(/[ .]/)[2]),
        ["is", "no", "is"],
    );
});

test("more clips than the server keeps are not sent", () => {
    const { good, bad } = sortFiles(
        Array.from({ length: MAX_CLIPS + 2 }, (_, n) => clip(`${n}.mp4`)),
        limits,
    );
    assert.equal(good.length, MAX_CLIPS);
    assert.match(bad[0].reason, /At most 48 clips/);
});
