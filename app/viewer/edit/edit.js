// Puts the editing part together: lanes, table, editor of the selected interval, comparison, tools and help.

import { Comparison } from "../compare/comparison.js";
import { make } from "../core/dom.js";
import { Editor } from "./editor.js";
import { AnnotationFiles } from "./annotation-files.js";
import { Help } from "../core/help.js";
import { Keymap } from "../core/keys.js";
import { Lanes } from "./lanes.js";
import { Playback } from "../time/playback.js";
import { Review } from "./review.js";
import { IntervalTable } from "./table.js";
import { Threshold } from "../curves/threshold.js";

const BLIND = "deeploc-blind",
    SAID_MS = 6000;

// options: {server, formats, accepted}: see AnnotationFiles.
export function buildEdit(root, payload, clock, scale, chart, options) {
    const storage = browserStorage();
    const review = new Review(payload, clock, {
        storage,
        blind: storage?.getItem(BLIND) === "yes",
    });
    const playback = new Playback(review, clock);
    const row = review.finder && chart.rows.find(({ threshold }) => threshold);
    const threshold = row ? new Threshold(review, row.plot.parentElement, row.top) : null;
    if (threshold) row.value.before(threshold.element);
    const parts = {
        clock,
        scale,
        review,
        playback,
        threshold,
        help: new Help(new Keymap(storage)),
        files: new AnnotationFiles(
            review,
            options.server ?? null,
            options.formats,
            options.accepted,
        ),
        lanes: new Lanes(review, scale),
        table: new IntervalTable(review),
        editor: new Editor(review, playback),
        comparison: new Comparison(review),
        heat: () => root.querySelector(".dl-heatbar input[type=checkbox]")?.click(),
    };
    parts.tools = tools(parts, storage);
    review.onChange(() => {
        root.classList.toggle("dl-blind", review.blind);
        chart.mark(review.items("P"));
    });
    review.changed();
    if (review.restored) review.say("Your earlier work on this clip is back.");
    return parts;
}

// Chromium throws where the user forbade storage.
function browserStorage() {
    try {
        return window.localStorage;
    } catch {
        return null;
    }
}

function tools({ review, files, help }, storage) {
    const { store } = review;
    const button = (text, title, onclick) =>
        make("button", { type: "button", class: "dl-small", text, title, onclick });
    const undo = button("Undo", "Undo (Ctrl Z)", () => store.undo());
    const redo = button("Redo", "Redo (Ctrl Shift Z)", () => store.redo());
    const over = button("Start over", "Make lane E a copy of the prediction again", () =>
        review.startOver(),
    );
    const begin = button("Label blind", "Hide the model and begin with an empty lane E", () =>
        review.setBlind(true),
    );
    const done = button("Done: show the model", "Ends blind labelling", () =>
        review.setBlind(false),
    );
    const always = make("input", {
        type: "checkbox",
        checked: storage?.getItem(BLIND) === "yes",
        onchange: () => storage?.setItem(BLIND, always.checked ? "yes" : "no"),
    });
    const often = make("label", { class: "dl-check" }, always, "next clips too");
    const asTruth = button("Use E as truth", "Take your edit as the ground truth, lane G", () =>
        review.drawTruth(review.doc.E),
    );
    const clear = button("Clear G", "Forget the ground truth that you drew", () =>
        review.drawTruth(null),
    );
    const said = make("p", { class: "dl-said", role: "status", "aria-live": "polite" });
    let timer = 0;
    review.voices.add((text) => {
        said.textContent = text;
        clearTimeout(timer);
        timer = setTimeout(() => {
            said.textContent = "";
        }, SAID_MS);
    });
    review.onChange(() => {
        undo.disabled = !store.past.length;
        redo.disabled = !store.future.length;
        begin.hidden = review.blind;
        over.hidden = review.blind || store.pristine;
        done.hidden = often.hidden = !review.blind;
        asTruth.hidden = Boolean(review.fileTruth) || review.blind || !review.doc.E.length;
        clear.hidden = !review.doc.G || review.blind;
        if (!store.kept)
            said.textContent = "This browser does not keep your work: export it before you leave.";
    });
    return make(
        "div",
        { class: "dl-tools", role: "group", "aria-label": "Annotation" },
        undo,
        redo,
        over,
        begin,
        done,
        often,
        asTruth,
        clear,
        said,
        files.element,
        button("Keys ?", "All keys (?)", () => help.open()),
        help.element,
    );
}
