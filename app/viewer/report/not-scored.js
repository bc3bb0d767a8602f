// What was not scored and why, and the shots, as words with ways to go there: the legend of the hatching, and what
// stands for it where it can't be seen or pointed at.

import { clockText, make } from "../core/dom.js";
import { STREAM_LABELS } from "../core/streams.js";
import { summary } from "../core/unscored.js";

const SHOTS =
    "A shot is what was recorded without a cut. Page up and Page down go from one to another.";

// null where everything was scored and no cut is known.
export function notScored({ report, reasons = {} }, state) {
    const groups = summary(report.unscored ?? []);
    const { shots } = state;
    const rows = groups.map((group) => reasonRow(group, reasons[group.reason], state));
    if (shots.length > 1) rows.push(shotRow(state));
    if (!rows.length) return null;
    return make(
        "section",
        { class: "dl-missing", "aria-label": "Not scored, and shots" },
        make("h3", { text: groups.length ? "Not scored" : "Shots" }),
        make("ul", {}, ...rows),
    );
}

function reasonRow({ reason, stream, spans, seconds }, meaning, state) {
    const count = spans.length > 1 ? ` in ${spans.length} stretches` : "";
    return row(
        "dl-of-model",
        make("i", { class: "dl-hatch", "data-reason": reason, "aria-hidden": "true" }),
        reason,
        `${STREAM_LABELS[stream]}, ${seconds.toFixed(2)} s${count}`,
        meaning,
        goTo(
            `Go to a stretch that was not scored: ${reason}`,
            spans.map(({ start, end }) => `${clockText(start)} to ${clockText(end)}`),
            (index) => state.seekStart(spans[index]),
        ),
    );
}

function shotRow(state) {
    const { shots } = state;
    return row(
        "",
        make("i", { class: "dl-shot-sign", "aria-hidden": "true" }),
        `${shots.length} shots`,
        "",
        SHOTS,
        goTo(
            "Go to a shot",
            shots.map(({ start }, index) => `${index + 1}, from ${clockText(start)}`),
            (index) => {
                state.seekStart(shots[index]);
                state.say(state.shotText(index));
            },
        ),
    );
}

const row = (name, sign, title, detail, meaning, way) =>
    make(
        "li",
        { class: name },
        sign,
        make(
            "p",
            {},
            make("b", { text: title }),
            detail && make("span", { text: ` ${detail}` }),
            meaning ? make("small", { text: ` ${meaning}` }) : null,
        ),
        way,
    );

// One place to go is a button, several are a list.
function goTo(label, places, go) {
    if (places.length === 1)
        return make("button", {
            type: "button",
            class: "dl-small",
            text: places[0],
            "aria-label": `${label}, ${places[0]}`,
            onclick: () => go(0),
        });
    const list = make(
        "select",
        { class: "dl-small", "aria-label": label },
        make("option", { value: "", text: "Go to …" }),
        ...places.map((text, index) => make("option", { value: index, text })),
    );
    list.addEventListener("change", () => {
        if (list.value !== "") go(Number(list.value));
    });
    return list;
}
