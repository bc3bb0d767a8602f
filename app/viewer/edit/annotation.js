// What a person says about a clip: an immutable document, and pure functions from one document to the next.
// A document is {E, G, blind, author, created, history}: E is the person's own edit and G the truth that they drew
// (null: none), both lists of segments in the form of the "deeploc-annotation" JSON with an `id` beside. Knows no page.

export const FORMAT = "deeploc-annotation",
    VERSION = 1;
const now = () => new Date().toISOString();
let ids = 0;

export const empty = () => ({
    E: [],
    G: null,
    blind: false,
    author: "",
    created: now(),
    history: [],
});

const sorted = (segments) =>
    [...segments].sort((a, b) => a.start_s - b.start_s || a.end_s - b.end_s);
const replaced = (doc, lane, id, make) => ({
    ...doc,
    [lane]: sorted(doc[lane].flatMap((one) => (one.id === id ? make(one) : [one]))),
});
const touched = (one) =>
    one.origin === "proposal" || one.origin === "file" ? "adjusted" : "added";

export const find = (doc, lane, id) => (doc[lane] ?? []).find((one) => one.id === id) ?? null;

// `span`: {start_s, end_s, start_frame, end_frame}. The new segment's id is that of `newest`.
export function create(doc, lane, span, fields = {}) {
    const segment = {
        stream: "fused",
        origin: "drawn",
        status: "added",
        score: null,
        note: "",
        confidence: null,
        ...fields,
        ...span,
        id: ++ids,
    };
    return { ...doc, [lane]: sorted([...(doc[lane] ?? []), segment]) };
}

export const newest = (doc, lane) =>
    (doc[lane] ?? []).reduce((most, { id }) => Math.max(most, id), 0);

// E as a copy of what the model predicts: nothing of it is the person's word yet.
export function copyOf(doc, predicted, frames) {
    return predicted.reduce(
        (made, { start, end, stream, score }) =>
            create(made, "E", frames.span(start, end), {
                stream,
                score,
                origin: "proposal",
                status: "proposed",
            }),
        { ...doc, E: [] },
    );
}

export function move(doc, lane, id, span) {
    return replaced(doc, lane, id, (one) => [{ ...one, ...span, status: touched(one) }]);
}

// One edge to another time, as far as one frame is left; null if the edges would cross.
export function moveEdge(doc, lane, id, edge, time, frames) {
    const one = find(doc, lane, id);
    const [start, end] = edge === "start" ? [time, one.end_s] : [one.start_s, time];
    const span = frames.span(start, end);
    if (
        end - start < 1e-3 ||
        frames.edge(end) <= frames.edge(start) ||
        start < 0 ||
        end > frames.end + 1e-6
    )
        return null;
    return span.start_s === one.start_s && span.end_s === one.end_s
        ? doc
        : move(doc, lane, id, span);
}

export function nudge(doc, lane, id, edge, steps, frames) {
    return moveEdge(
        doc,
        lane,
        id,
        edge,
        frames.step(find(doc, lane, id)[`${edge}_s`], steps),
        frames,
    );
}

// Two segments that touch at `time`; null where one of them would be empty.
export function split(doc, lane, id, time, frames) {
    const one = find(doc, lane, id);
    const [left, right] = [frames.span(one.start_s, time), frames.span(time, one.end_s)];
    if (time <= one.start_s || time >= one.end_s || left.end_frame !== right.start_frame)
        return null;
    return replaced(doc, lane, id, () => [
        { ...one, ...left, status: touched(one) },
        { ...one, ...right, status: touched(one), id: ++ids },
    ]);
}

// Joined with the next segment of the lane, over the gap between; null if there is none.
export function mergeNext(doc, lane, id) {
    const at = doc[lane].findIndex((one) => one.id === id);
    const [one, next] = [doc[lane][at], doc[lane][at + 1]];
    if (!next) return null;
    const last = one.end_s >= next.end_s ? one : next;
    const merged = {
        ...one,
        end_s: last.end_s,
        end_frame: last.end_frame,
        stream: one.stream === next.stream ? one.stream : "fused",
        score: one.score === null ? next.score : Math.max(one.score, next.score ?? 0),
        status: touched(one),
        note: [one.note, next.note].filter(Boolean).join("; "),
    };
    return {
        ...doc,
        [lane]: sorted([...doc[lane].filter((other) => other !== one && other !== next), merged]),
    };
}

export const remove = (doc, lane, id) => replaced(doc, lane, id, () => []);

// fields: any of stream, status, note, confidence.
export function change(doc, lane, id, fields) {
    const edits = "stream" in fields && !("status" in fields);
    return replaced(doc, lane, id, (one) => [
        { ...one, ...fields, ...(edits ? { status: touched(one) } : {}) },
    ]);
}

// A document of the JSON; ids are new. `base`: what the JSON doesn't hold is kept from it.
export function fromJson(json, base = empty()) {
    if (json?.format !== FORMAT || json.version !== VERSION || !Array.isArray(json.segments)) {
        throw new Error("This is no deeploc-annotation file of version 1.");
    }
    const segments = json.segments.map((one) => ({
        stream: "fused",
        origin: "file",
        status: "proposed",
        score: null,
        note: "",
        confidence: null,
        ...one,
        id: ++ids,
    }));
    return {
        ...base,
        E: sorted(segments),
        author: json.author ?? "",
        created: json.created ?? base.created,
        history: json.history ?? [],
    };
}

// `about`: {media, model, threshold} of the clip. A lane G is written as the truth that it is: every segment counts.
export function toJson(doc, about, lane = "E") {
    const { media, model, threshold } = about;
    const segments = (doc[lane] ?? []).map(({ id: _, ...segment }) => segment);
    return {
        format: FORMAT,
        version: VERSION,
        media,
        model,
        threshold,
        author: doc.author,
        created: doc.created,
        modified: doc.history.at(-1)?.at ?? doc.created,
        segments,
        history: doc.history,
    };
}

// What the person holds to be forged: all but what they rejected. As {start, end, id, ...}.
export const spansOf = (segments) =>
    segments.map((one) => ({ ...one, start: one.start_s, end: one.end_s }));
export const notRejected = (segments) =>
    spansOf(segments.filter(({ status }) => status !== "rejected"));

// The same action on and on is one line of the history, with the time of the last.
export function noted(doc, action) {
    const { history } = doc;
    const line = { at: now(), action };
    return {
        ...doc,
        history:
            history.at(-1)?.action === action
                ? [...history.slice(0, -1), line]
                : [...history, line],
    };
}
