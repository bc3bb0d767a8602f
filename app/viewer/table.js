// The interval table, the complete non-visual equivalent of the lanes, and the downloads.

import { STREAM_NAMES, clockText, make } from "./dom.js";

const GUIDE = [
    ["Reconstruction error", "how surprising face or sound is to a model that has only ever learned from authentic clips"],
    ["p95, p99", "authentic content stays below these lines 95 % and 99 % of the time; they are the same for every clip"],
    ["Forgery score", "what the discovery network makes of it; above the flag line a stretch joins lane P"],
    ["V, A, VA", "found in the picture, in the sound, or in both; hatched stretches could not be scored"],
];
const COLUMNS = ["Stream", "Start", "End", "Length", "Peak", "Frames"];

export function intervalTable(payload, clock) {
    const rows = payload.intervals.map((span) => {
        const frames = `${clock.frameAt(span.start)}–${clock.frameAt(span.end - 0.001)}`;
        const cells = [clockText(span.start), clockText(span.end), `${(span.end - span.start).toFixed(2)} s`, span.score.toFixed(2), frames];
        const seek = make("button", { type: "button", title: "Go to this interval" },
            make("b", { text: span.letter }), STREAM_NAMES[span.letter]);
        return make("tr", { onclick: () => clock.seek(span.start) }, make("td", {}, seek),
            ...cells.map((text) => make("td", { text })));
    });
    const table = make("table", {},
        make("thead", {}, make("tr", {}, ...COLUMNS.map((text) => make("th", { text, scope: "col" })))),
        make("tbody", {}, ...rows));
    const judged = payload.report.video_score !== null;
    const none = make("p", { class: "dl-none", text: judged ? "No interval reaches the level at which DeepLoc flags one."
        : "Nothing is flagged where there is no verdict; the scores below are only for looking." });
    return make("section", { class: "dl-table", "aria-label": "Flagged intervals" },
        make("div", { class: "dl-table-head" }, make("h3", { text: "Flagged intervals" }), ...downloads(payload)),
        rows.length ? make("div", { class: "dl-scroll" }, table) : none,
        make("dl", { class: "dl-guide" }, ...GUIDE.flatMap(([term, text]) => [make("dt", { text: term }), make("dd", { text })])));
}

function downloads({ report, intervals }) {
    const stem = report.media.name.replace(/\.[^.]+$/, "");
    const name = `"${report.media.name.replaceAll('"', '""')}"`;
    const csv = ["file,start_s,end_s,stream,peak_score", ...intervals.map(
        ({ stream, start, end, score }) => [name, start, end, stream, score].join())].join("\n");
    return [
        button("JSON", `${stem}.deeploc.json`, () => JSON.stringify(report, null, 1), "application/json"),
        button("CSV", `${stem}.intervals.csv`, () => `${csv}\n`, "text/csv"),
    ];
}

function button(text, name, content, type) {
    return make("button", { type: "button", class: "dl-small", text, title: `Download ${name}`, onclick: () => {
        const url = URL.createObjectURL(new Blob([content()], { type }));
        make("a", { href: url, download: name }).click();
        setTimeout(() => URL.revokeObjectURL(url), 1000);
    } });
}
