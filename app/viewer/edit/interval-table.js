// The interval table: everything that the lanes show, as words and numbers. One lane at a time, sortable.

import { clockText, make, saveFile } from "../core/dom.js";
import { LETTERS, STREAM_LABELS, STREAM_OF } from "../core/streams.js";
import { KINDS } from "./lanes.js";
import { LANES } from "../viewer-state.js";

const GUIDE = [
    [
        "Reconstruction error",
        "how surprising face or sound is to a model that has only ever learned from authentic clips",
    ],
    [
        "p95, p99",
        "authentic content stays below these lines 95 % and 99 % of the time; they are the same for every clip",
    ],
    [
        "Forgery score",
        "what the discovery network makes of it, “picture and sound” the larger of the two; above the threshold a stretch joins lane P",
    ],
    [
        "V, A, VA",
        "found in the picture, in the sound, or in both; hatched stretches could not be scored, and their names say why",
    ],
];
const number = (value, digits = 2) => (Number.isFinite(value) ? value.toFixed(digits) : "–");
// name -> [what to sort by, what is shown]
const COLUMNS = {
    Stream: [(row) => row.stream, (row) => STREAM_LABELS[STREAM_OF[row.letter]]],
    Start: [(row) => row.start, (row) => clockText(row.start)],
    End: [(row) => row.end, (row) => clockText(row.end)],
    Length: [(row) => row.end - row.start, (row) => `${number(row.end - row.start)} s`],
    Frames: [(row) => row.frames[0], (row) => `${row.frames[0]}–${row.frames[1] - 1}`],
    Score: [(row) => row.score ?? -1, (row) => number(row.score)],
    tIoU: [(row) => row.tiou ?? -1, (row) => number(row.tiou)],
    Status: [(row) => row.word, (row) => row.word],
    Note: [
        (row) => row.note,
        (row) =>
            [
                row.note,
                row.confidence === null || row.confidence === undefined
                    ? ""
                    : `(${row.confidence})`,
            ]
                .filter(Boolean)
                .join(" "),
    ],
};

export class IntervalTable {
    constructor(state) {
        Object.assign(this, { state, sort: "Start", down: false });
        this.tabs = Object.keys(LANES).map((letter) =>
            make("button", {
                type: "button",
                class: "dl-small",
                onclick: () => state.select(letter, null),
            }),
        );
        this.heads = Object.keys(COLUMNS).map((name) =>
            make(
                "th",
                { scope: "col", role: "columnheader" },
                make("button", { type: "button", text: name, onclick: () => this.order(name) }),
            ),
        );
        this.body = make("tbody", { role: "rowgroup" }); // roles outlive a layout as cards
        this.title = make("h3");
        this.none = make("p", { class: "dl-none" });
        this.scroll = make(
            "div",
            { class: "dl-scroll" },
            make(
                "table",
                { role: "table" },
                make(
                    "thead",
                    { role: "rowgroup" },
                    make(
                        "tr",
                        { role: "row" },
                        make("th", { scope: "col", role: "columnheader", text: "#" }),
                        ...this.heads,
                    ),
                ),
                this.body,
            ),
        );
        this.element = make(
            "section",
            { class: "dl-table", "aria-label": "Intervals" },
            make(
                "div",
                { class: "dl-table-head" },
                this.title,
                make(
                    "div",
                    { class: "dl-tabs", role: "group", "aria-label": "Lane of the table" },
                    ...this.tabs,
                ),
                ...downloadButtons(state),
            ),
            this.scroll,
            this.none,
            make(
                "dl",
                { class: "dl-guide" },
                ...GUIDE.flatMap(([term, text]) => [
                    make("dt", { text: term }),
                    make("dd", { text }),
                ]),
            ),
        );
        state.onChange(() => this.draw());
    }

    order(name) {
        this.down = this.sort === name && !this.down;
        this.sort = name;
        this.draw();
    }

    rows() {
        const { state } = this;
        const { lane } = state;
        const found = state.comparison();
        return state
            .items(lane)
            .map((item) => {
                const kind =
                    lane === state.reference
                        ? found?.missed.has(item.id)
                            ? "FN"
                            : null
                        : lane === state.claim
                          ? found?.kinds.get(item.id)?.kind
                          : null;
                return {
                    note: "",
                    ...item,
                    letter: item.letter || LETTERS[item.stream],
                    tiou: state.tiou(item, lane),
                    frames: [state.frames.edge(item.start), state.frames.edge(item.end)],
                    word: [item.status, kind && KINDS[kind][1]].filter(Boolean).join(", "),
                };
            })
            .sort((a, b) => this.compare(a, b));
    }

    compare(a, b) {
        const [x, y] = [a, b].map(COLUMNS[this.sort][0]);
        return (x < y ? -1 : x > y ? 1 : a.start - b.start) * (this.down ? -1 : 1);
    }

    draw() {
        const { state } = this;
        const { lane } = state;
        const rows = this.rows();
        this.title.textContent = { P: "Flagged intervals", G: "Ground truth", E: "Your edit" }[
            lane
        ];
        this.tabs.forEach((tab, index) => {
            const letter = "PGE"[index];
            tab.textContent = `${letter} ${state.items(letter).length}`;
            tab.setAttribute("aria-pressed", String(letter === lane));
            tab.setAttribute(
                "aria-label",
                `${LANES[letter]}: ${state.items(letter).length} intervals`,
            );
        });
        Object.keys(COLUMNS).forEach((name, index) =>
            this.heads[index].setAttribute(
                "aria-sort",
                name === this.sort ? (this.down ? "descending" : "ascending") : "none",
            ),
        );
        const focus = document.activeElement?.closest?.(".dl-table tr")?.dataset.key;
        this.body.replaceChildren(...rows.map((row, index) => this.row(row, index + 1)));
        if (focus)
            [...this.body.children]
                .find((row) => row.dataset.key === focus)
                ?.querySelector("button")
                .focus({ preventScroll: true });
        this.scroll.hidden = !rows.length;
        this.none.hidden = rows.length > 0;
        this.none.textContent = this.noneText(lane);
    }

    row(item, index) {
        const { state } = this;
        const selected = state.selection?.lane === state.lane && state.selection.id === item.id;
        const seek = make(
            "button",
            {
                type: "button",
                title: "Select this interval and go there",
                "aria-pressed": String(selected),
            },
            make("b", { text: item.letter }),
            String(index),
        );
        return make(
            "tr",
            {
                role: "row",
                class: selected ? "dl-selected" : "",
                "data-key": `${state.lane}:${item.id}`,
                onclick: () => state.select(state.lane, item.id),
            },
            make("td", { role: "cell" }, seek),
            ...Object.entries(COLUMNS).map(([name, [, text]]) =>
                make("td", { role: "cell", "data-label": name, text: text(item) }),
            ),
        );
    }

    noneText(lane) {
        const { blind, truth, payload } = this.state;
        if (lane === "E")
            return "Nothing yet. Press I where an interval starts and O where it ends, or drag over lane E.";
        if (blind) return "Hidden until you are done labelling.";
        if (lane === "G")
            return truth
                ? "This clip is authentic."
                : "The ground truth is not known. Load a file, or drag over lane G.";
        return payload.report.video_score !== null
            ? "No interval reaches the threshold."
            : "Nothing is flagged where there is no verdict; the scores are only for looking.";
    }
}

function downloadButtons({ payload: { report, intervals } }) {
    const stem = report.media.name.replace(/\.[^.]+$/, "");
    const name = `"${report.media.name.replaceAll('"', '""')}"`;
    const csv = [
        "file,start_s,end_s,stream,peak_score",
        ...intervals.map(({ stream, start, end, score }) =>
            [name, start, end, stream, score].join(),
        ),
    ].join("\n");
    return [
        button(
            "JSON",
            `${stem}.deeploc.json`,
            () => JSON.stringify(report, null, 1),
            "application/json",
        ),
        button("CSV", `${stem}.intervals.csv`, () => `${csv}\n`, "text/csv"),
    ];
}

function button(text, name, content, type) {
    return make("button", {
        type: "button",
        class: "dl-small dl-of-model",
        text,
        title: `Download the model's report, ${name}`,
        onclick: () => saveFile(name, new Blob([content()], { type })),
    });
}
