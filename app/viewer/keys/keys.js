// Keys of the viewer, active only while it has the focus. The same list makes the help.

function fit({ scale, state }) {
    if (scale.zoomed) return scale.fit();
    const { selected } = state;
    if (!selected) return state.say("Select an interval to zoom to it.");
    const margin = Math.max(0.2, selected.end - selected.start);
    scale.zoom(selected.start - margin, selected.end + margin);
}

const ends =
    (way) =>
    ({ state, clock }) => {
        if (state.selected)
            return way < 0 ? state.seekStart(state.selected) : state.seekEnd(state.selected);
        clock.seekFrame(way < 0 ? 0 : clock.pts.length - 1);
    };

// [group, keys, what it does, action(parts)]; parts: {clock, scale, state, playback, threshold, files, help, heat}.
export const KEYS = [
    [
        "Play",
        ["Space", "K"],
        "play or pause, inside the selected interval",
        ({ clock }) => clock.toggle(),
    ],
    ["Play", ["J"], "slower", ({ playback }) => playback.faster(-1)],
    ["Play", ["L"], "faster", ({ playback }) => playback.faster(1)],
    ["Play", ["Shift+J"], "much slower", ({ playback }) => playback.faster(-3)],
    ["Play", ["Shift+L"], "much faster", ({ playback }) => playback.faster(3)],
    ["Play", ["R"], "loop the interval", ({ playback }) => playback.toggleLoop()],
    ["Go", [","], "one frame back", ({ clock }) => clock.step(-1)],
    ["Go", ["."], "one frame on", ({ clock }) => clock.step(1)],
    ["Go", ["ArrowLeft"], "one second back", ({ clock }) => clock.seek(clock.time - 1)],
    ["Go", ["ArrowRight"], "one second on", ({ clock }) => clock.seek(clock.time + 1)],
    ["Go", ["Shift+ArrowLeft"], "ten frames back", ({ clock }) => clock.step(-10)],
    ["Go", ["Shift+ArrowRight"], "ten frames on", ({ clock }) => clock.step(10)],
    ["Go", ["ArrowUp"], "previous interval of the lane", ({ state }) => state.neighbour(-1)],
    ["Go", ["ArrowDown"], "next interval of the lane", ({ state }) => state.neighbour(1)],
    [
        "Go",
        ["PageUp"],
        "start of the shot, or of the previous one",
        ({ state }) => state.goToShot(-1),
    ],
    ["Go", ["PageDown"], "start of the next shot", ({ state }) => state.goToShot(1)],
    ["Go", ["Home"], "start of the interval, else of the clip", ends(-1)],
    ["Go", ["End"], "end of the interval, else of the clip", ends(1)],
    [
        "Go",
        ["G"],
        "next disagreement with the ground truth",
        ({ state }) => state.nextDisagreement(),
    ],
    ["Edit", ["I"], "start at the cursor (begins an interval)", ({ state }) => state.mark("start")],
    ["Edit", ["O"], "end at the cursor", ({ state }) => state.mark("end")],
    ["Edit", ["["], "start one frame earlier", ({ state }) => state.nudge("start", -1)],
    ["Edit", ["Shift+["], "start one frame later", ({ state }) => state.nudge("start", 1)],
    ["Edit", ["]"], "end one frame earlier", ({ state }) => state.nudge("end", -1)],
    ["Edit", ["Shift+]"], "end one frame later", ({ state }) => state.nudge("end", 1)],
    ["Edit", ["B"], "split at the cursor", ({ state }) => state.split()],
    ["Edit", ["M"], "merge with the next", ({ state }) => state.merge()],
    ["Edit", ["Delete", "Backspace"], "delete", ({ state }) => state.remove()],
    ["Edit", ["A"], "accept", ({ state }) => state.judge("accepted")],
    ["Edit", ["X"], "reject", ({ state }) => state.judge("rejected")],
    ["Edit", ["Ctrl+Z"], "undo", ({ state }) => state.store.undo()],
    ["Edit", ["Ctrl+Shift+Z", "Ctrl+Y"], "redo", ({ state }) => state.store.redo()],
    ["Edit", ["Ctrl+S"], "export your edit as DeepLoc JSON", ({ files }) => files.write()],
    ["Edit", ["Escape"], "deselect", ({ state }) => state.select(state.lane, null)],
    ["View", ["1"], "work in lane P", ({ state }) => state.select("P", null)],
    ["View", ["2"], "work in lane G", ({ state }) => state.select("G", null)],
    ["View", ["3"], "work in lane E", ({ state }) => state.select("E", null)],
    ["View", ["+"], "zoom in", ({ scale, clock }) => scale.zoomIn(clock.time)],
    ["View", ["-"], "zoom out", ({ scale, clock }) => scale.zoomOut(clock.time)],
    ["View", ["Z"], "zoom to the interval, or show all", fit],
    ["View", ["H"], "face error heat", ({ heat }) => heat?.()],
    ["View", ["T"], "type a threshold", ({ threshold }) => threshold?.focus()],
    ["View", ["?"], "this list", ({ help }) => help.open()],
];

const KEPT = "deeploc-keys";
const SHIFTED = { "{": "[", "}": "]", "<": ",", ">": ".", _: "-", "*": "+" };

// "Ctrl+Shift+Z", "Shift+[", "?", "ArrowLeft", ...: what the list above calls the keys of an event.
export function nameOf({ key, ctrlKey, metaKey, altKey, shiftKey }) {
    if (altKey && !(ctrlKey && key.length === 1)) return null; // AltGr is Ctrl and Alt, and makes characters
    const plain =
        SHIFTED[key] && shiftKey
            ? SHIFTED[key]
            : key === " "
              ? "Space"
              : key === "="
                ? "+"
                : key.length === 1
                  ? key.toUpperCase()
                  : key;
    const shift = shiftKey && key !== "?" && key !== "+" && key !== "*";
    return [(ctrlKey && !altKey) || metaKey ? "Ctrl" : null, shift ? "Shift" : null, plain]
        .filter(Boolean)
        .join("+");
}

// The keys as the person has them: those of the list, but for what they changed. Changes are kept in the browser.
export class Keymap {
    constructor(storage) {
        this.storage = storage;
        try {
            this.own = JSON.parse(storage?.getItem(KEPT) ?? "{}");
        } catch {
            this.own = {};
        }
    }

    names([, names, text]) {
        return this.own[text] ?? names;
    }

    action(name) {
        return KEYS.find((entry) => this.names(entry).includes(name))?.[3];
    }

    // Takes the key for this entry alone; null gives every entry its first keys back.
    set(entry, name) {
        const taken = KEYS.filter(
            (other) => other !== entry && this.names(other).includes(name),
        ).map((other) => [other[2], this.names(other).filter((own) => own !== name)]);
        this.own = entry ? { ...this.own, ...Object.fromEntries(taken), [entry[2]]: [name] } : {};
        try {
            this.storage?.setItem(KEPT, JSON.stringify(this.own));
        } catch {
            /* then the change lasts as long as the page */
        }
    }
}

const TYPED = "input, select, textarea";

export function bindKeys(root, parts) {
    root.addEventListener("keydown", (event) => {
        const current = parts();
        const name = nameOf(event);
        const action = name && current?.help.keymap.action(name);
        const { target } = event;
        if (!current || !action || event.defaultPrevented || target.closest("dialog")) return;
        if (name === "Escape" && target.matches(TYPED)) return root.focus();
        if (target.matches(TYPED) && name !== "Ctrl+S") return;
        if (name === "Space" && target.matches("button, summary")) return;
        event.preventDefault();
        action(current);
    });
}
