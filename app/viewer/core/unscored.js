// What could not be scored: stretches with the reasons that the report gives for them, as text and as hatching.

import { make } from "./dom.js";
import { STREAM_LABELS } from "./streams.js";

const SLACK_S = 0.002; // times in a report are rounded

const concerns = (stream, item) =>
    stream === "fused" || [stream, "fused", undefined].includes(item.stream);

// The stretches of a stream that are hatched, in order: { start, end, reasons: [{ reason, stream }] }. They are those
// that the report names, and the holes that it does not. Of "fused" they are the holes alone: where one stream was
// scored, so were both together. Pure.
export function stretches(holes, unscored, stream = "fused") {
    const own = unscored
        .filter((item) => concerns(stream, item))
        .sort((a, b) => a.start_s - b.start_s);
    const named = own.map(({ start_s: start, end_s: end }) => ({ start, end }));
    const edges = [...holes, ...named].flatMap(({ start, end }) => [start, end]);
    const found = [];
    let [first, hole, at] = [0, 0, null];
    for (const edge of edges.sort((a, b) => a - b)) {
        if (at === null || edge - at < SLACK_S) {
            at ??= edge;
            continue;
        }
        const [start, end] = [at, edge];
        at = edge;
        const middle = (start + end) / 2;
        while (own[first]?.end_s <= middle) first += 1;
        const reasons = [];
        for (let index = first; own[index]?.start_s < middle; index++) {
            const item = own[index];
            if (item.end_s > middle && !reasons.some((one) => same(one, item))) reasons.push(item);
        }
        while (holes[hole]?.end <= middle) hole += 1;
        const isHole = holes[hole]?.start < middle;
        if (!isHole && (stream === "fused" || !reasons.length)) continue;
        const last = found.at(-1);
        const key = JSON.stringify(reasons.map(({ reason, stream }) => [reason, stream]));
        if (last?.key === key && start - last.end < SLACK_S) last.end = end;
        else found.push({ start, end, key, reasons, stream });
    }
    return found.map(({ key: _, ...stretch }) => stretch);
}

const same = (one, other) => one.reason === other.reason && one.stream === other.stream;

// "no speech"; of both streams together "picture: frozen picture; sound: no speech".
export function reasonText({ reasons, stream }) {
    const texts = reasons.map((one) =>
        stream === "fused" && one.stream && one.stream !== "fused"
            ? `${STREAM_LABELS[one.stream]}: ${one.reason}`
            : one.reason,
    );
    return [...new Set(texts)].join("; ");
}

const names = ({ reasons }) => [...new Set(reasons.map(({ reason }) => reason))];

// The text for a value that is missing at a time: "not scored: no speech".
export function missingText(found, time) {
    const stretch = found.find(({ start, end }) => time >= start - SLACK_S && time < end);
    return stretch?.reasons.length ? `not scored: ${names(stretch).join(", ")}` : "not scored";
}

// What a person reads about a stretch; meanings: what each reason means, as a sentence.
export function explain(stretch, meanings = {}) {
    const sentences = stretch.reasons.map(({ reason }) => meanings[reason]).filter(Boolean);
    const text = reasonText(stretch);
    return [text ? `Not scored: ${text}.` : "Not scored.", ...new Set(sentences)].join(" ");
}

// Hatching over each stretch, with its reason where there is room; each reason has its own pattern.
export function hatches(found, meanings) {
    return found.map((stretch) => {
        const own = names(stretch);
        const element = make(
            "div",
            {
                class: "dl-hatch",
                "data-reason": own.length === 1 ? own[0] : "several",
                title: explain(stretch, meanings),
            },
            make("span", { text: own.join(", "), "aria-hidden": "true" }),
        );
        return Object.assign(element, { span: stretch });
    });
}

// What the report names, by reason and stream: [{ reason, stream, spans, seconds }], the longest first. Pure.
export function summary(unscored) {
    const groups = new Map();
    for (const { reason, stream = "fused", start_s: start, end_s: end } of unscored) {
        const key = `${stream} ${reason}`;
        const group = groups.get(key) ?? { reason, stream, spans: [], seconds: 0 };
        group.spans.push({ start, end });
        group.seconds += end - start;
        groups.set(key, group);
    }
    return [...groups.values()].sort((a, b) => b.seconds - a.seconds);
}
