// Puts the editing part together: lanes, table, editor of the selected interval, comparison, tools and help.

import { Comparison } from "../compare/comparison.js";
import { make } from "../core/dom.js";
import { IntervalEditor } from "./interval-editor.js";
import { AnnotationFiles } from "./annotation-files.js";
import { Help } from "../keys/help.js";
import { Keymap } from "../keys/keys.js";
import { Lanes } from "./lanes.js";
import { Playback } from "../time/playback.js";
import { ViewerState } from "../viewer-state.js";
import { IntervalTable } from "./interval-table.js";
import { ThresholdLine } from "../curves/threshold.js";

const BLIND = "deeploc-blind",
    MESSAGE_MS = 6000;

// options: {server, formats, accepted}: see AnnotationFiles.
export function buildEdit(root, payload, clock, scale, chart, options) {
    const storage = browserStorage();
    const state = new ViewerState(payload, clock, {
        storage,
        blind: storage?.getItem(BLIND) === "yes",
    });
    const playback = new Playback(state, clock);
    const row = state.finder && chart.rows.find(({ threshold }) => threshold);
    const threshold = row ? new ThresholdLine(state, row.plot.parentElement, row.top) : null;
    if (threshold) row.value.before(threshold.element);
    const parts = {
        clock,
        scale,
        state,
        playback,
        threshold,
        help: new Help(new Keymap(storage)),
        files: new AnnotationFiles(
            state,
            options.server ?? null,
            options.formats,
            options.accepted,
        ),
        lanes: new Lanes(state, scale),
        table: new IntervalTable(state),
        editor: new IntervalEditor(state, playback),
        comparison: new Comparison(state),
        heat: () => root.querySelector(".dl-heatbar input[type=checkbox]")?.click(),
    };
    parts.tools = tools(parts, storage);
    state.onChange(() => {
        root.classList.toggle("dl-blind", state.blind);
        chart.mark(state.items("P"));
    });
    state.changed();
    if (state.restored) state.say("Your earlier work on this clip is back.");
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

function tools({ state, files, help }, storage) {
    const { store } = state;
    const button = (text, title, onclick) =>
        make("button", { type: "button", class: "dl-small", text, title, onclick });
    const undo = button("Undo", "Undo (Ctrl Z)", () => store.undo());
    const redo = button("Redo", "Redo (Ctrl Shift Z)", () => store.redo());
    const over = button("Start over", "Make lane E a copy of the prediction again", () =>
        state.startOver(),
    );
    const begin = button("Label blind", "Hide the model and begin with an empty lane E", () =>
        state.setBlind(true),
    );
    const done = button("Done: show the model", "Ends blind labelling", () =>
        state.setBlind(false),
    );
    const always = make("input", {
        type: "checkbox",
        checked: storage?.getItem(BLIND) === "yes",
        onchange: () => storage?.setItem(BLIND, always.checked ? "yes" : "no"),
    });
    const often = make("label", { class: "dl-check" }, always, "next clips too");
    const asTruth = button("Use E as truth", "Take your edit as the ground truth, lane G", () =>
        state.drawTruth(state.doc.E),
    );
    const clear = button("Clear G", "Forget the ground truth that you drew", () =>
        state.drawTruth(null),
    );
    const message = make("p", { class: "dl-said", role: "status", "aria-live": "polite" });
    let timer = 0;
    state.messageListeners.add((text) => {
        message.textContent = text;
        clearTimeout(timer);
        timer = setTimeout(() => {
            message.textContent = "";
        }, MESSAGE_MS);
    });
    state.onChange(() => {
        undo.disabled = !store.past.length;
        redo.disabled = !store.future.length;
        begin.hidden = state.blind;
        over.hidden = state.blind || store.pristine;
        done.hidden = often.hidden = !state.blind;
        asTruth.hidden = Boolean(state.fileTruth) || state.blind || !state.doc.E.length;
        clear.hidden = !state.doc.G || state.blind;
        if (!store.stored)
            message.textContent =
                "This browser does not keep your work: export it before you leave.";
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
        message,
        files.element,
        button("Keys ?", "All keys (?)", () => help.open()),
        help.element,
    );
}
