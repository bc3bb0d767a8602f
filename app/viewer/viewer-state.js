// The state of the viewer: the lanes P (predicted), G (truth) and E (the person's edit), the threshold, the selection.
// Every part of the page that shows or changes them goes through here. Knows no elements.

import * as annotation from "./edit/annotation.js";
import { disagreements, match, tiou } from "./compare/metrics.js";
import { clockText } from "./core/dom.js";
import { STREAM_LABELS, STREAM_OF } from "./core/streams.js";
import { reasonText, stretches } from "./core/unscored.js";
import { FrameTimes } from "./time/frame-times.js";
import { IntervalFinder } from "./curves/postprocess.js";
import { AnnotationStore } from "./edit/annotation-store.js";

const NEW_S = 1; // length of an interval that a key begins
export const LANES = { P: "Predicted", G: "Ground truth", E: "Your edit" };
const CROSSED = "An interval needs at least one frame: start must lie before end.";

export class ViewerState {
    // options: {storage, blind}: where work is kept (or null), and whether a new clip begins without the model in sight.
    constructor(payload, clock, { storage = null, blind = false } = {}) {
        Object.assign(this, {
            payload,
            clock,
            lane: "P",
            selection: null,
            match: null,
            alpha: 0.5,
            claim: "P",
            reference: "G",
            loop: false,
            listeners: new Set(),
            messageListeners: new Set(),
        });
        const { report } = payload;
        this.frames = new FrameTimes(clock.pts, clock.duration);
        const proposes = new Set(
            report.curves.filter(({ proposes }) => proposes).map(({ kind }) => kind),
        );
        this.forgery =
            report.scores.find(({ kind, stream }) => proposes.has(kind) && stream === "fused") ??
            null;
        const curves = report.scores.filter(({ kind }) => kind === this.forgery?.kind);
        this.curves = curves;
        this.shots = (report.shots ?? []).map(([start, end]) => ({ start, end }));
        this.unscored = Object.fromEntries(
            ["visual", "audio"].map((stream) => [
                stream,
                stretches([], report.unscored ?? [], stream),
            ]),
        );
        this.calibrated =
            this.forgery && report.video_score !== null ? (payload.thresholds.fused ?? null) : null;
        this.threshold = this.calibrated;
        this.finder =
            this.calibrated === null
                ? null
                : new IntervalFinder(
                      Object.fromEntries(curves.map(({ stream, values }) => [stream, values])),
                      this.forgery.rate_hz,
                      report.settings?.postprocess,
                  );
        this.predicted = withIds("P", payload.intervals);
        this.fileTruth =
            payload.truth &&
            withIds(
                "G",
                payload.truth.map((span) => ({ ...span, stream: STREAM_OF[span.letter] })),
            );
        const fused = report.proposals.filter(({ stream }) => stream === "fused");
        this.proposals = (fused.length ? fused : report.proposals).map(
            ({ start_s: start, end_s: end, score }) => ({ start, end, score }),
        );
        this.store = new AnnotationStore(() => this.about(), storage);
        this.restored = this.store.restore();
        if (!this.restored) this.store.begin({ ...annotation.empty(), blind });
        if (this.blind) this.lane = "E";
        this.follow();
        this.store.onChange(() => this.changed());
    }

    about() {
        const { media, model } = this.payload.report;
        return {
            media: {
                name: media.name,
                sha256: this.payload.sha256 ?? null,
                duration_s: media.duration_s,
                fps: media.fps,
                frames: this.frames.count,
                timing: this.payload.pts.length ? "pts" : "even",
            },
            model,
            threshold: this.threshold,
        };
    }

    onChange(listener) {
        this.listeners.add(listener);
    }

    changed() {
        this.match = null;
        if (this.selection && !this.selected) this.selection = null;
        for (const listener of this.listeners) listener();
    }

    // A sentence for everybody: shown, and read out.
    say(text) {
        for (const listener of this.messageListeners) listener(text);
    }

    get doc() {
        return this.store.doc;
    }

    get blind() {
        return this.doc.blind;
    }

    // The truth as spans, or null when it is unknown; hidden from those who label blind.
    get truth() {
        return this.fileTruth ?? (this.doc.G && annotation.spansOf(this.doc.G));
    }

    items(lane) {
        if (lane === "E") return annotation.spansOf(this.doc.E);
        if (this.blind) return [];
        return lane === "P" ? this.predicted : (this.truth ?? []);
    }

    // What a lane claims to be forged: items that were rejected are not.
    claims(lane) {
        return this.items(lane).filter(({ status }) => status !== "rejected");
    }

    editable(lane) {
        return lane === "E" || (lane === "G" && !this.fileTruth && !this.blind);
    }

    get selected() {
        return (
            this.selection &&
            (this.items(this.selection.lane).find(({ id }) => id === this.selection.id) ?? null)
        );
    }

    select(lane, id, { seek = true } = {}) {
        this.selection = id === null ? null : { lane, id };
        if (lane) this.lane = lane;
        const { selected, clock } = this;
        if (
            selected &&
            seek &&
            !(clock.time >= selected.start - 1e-6 && clock.time < selected.end - 1e-6)
        )
            this.seekStart(selected);
        this.changed();
    }

    seekStart({ start }) {
        this.clock.seekFrame(Math.min(this.frames.edge(start), this.frames.count - 1));
    }

    seekEnd({ end }) {
        this.clock.seekFrame(Math.max(this.frames.edge(end) - 1, 0));
    }

    // The next or previous interval of the lane, from the selected one or else from the cursor; round and round.
    neighbour(way) {
        const items = this.items(this.lane);
        if (!items.length) return this.say(`Lane ${this.lane} has no intervals.`);
        const at = items.findIndex(({ id }) => id === this.selection?.id);
        const after = items.findIndex(({ start }) => start > this.clock.time - 1e-6);
        const fresh = way > 0 ? Math.max(after, 0) : (after < 0 ? items.length : after) - 1;
        const item = items.at((at < 0 ? fresh : at + way) % items.length);
        this.selection = { lane: this.lane, id: item.id };
        this.seekStart(item);
        this.changed();
        this.say(
            `Lane ${this.lane}, interval ${items.indexOf(item) + 1} of ${items.length}: ${STREAM_LABELS[item.stream]}, ${clockText(item.start)} to ${clockText(item.end)}.`,
        );
    }

    // Where shots begin that a cut begins, in seconds.
    get shotStarts() {
        return this.shots.slice(1).map(({ start }) => start);
    }

    // "Shot 2 of 3 begins at 0:02.40."
    shotText(index) {
        return `Shot ${index + 1} of ${this.shots.length} begins at ${clockText(this.shots[index].start)}.`;
    }

    // To the next shot, or to the start of this one and, from there, of the one before.
    goToShot(way) {
        const { shots, clock } = this;
        if (shots.length < 2)
            return this.say(shots.length ? "This clip is one shot." : "No shots are known.");
        const frames = shots.map(({ start }) => this.frames.edge(start));
        const index =
            way > 0
                ? frames.findIndex((frame) => frame > clock.frame)
                : Math.max(
                      frames.findLastIndex((frame) => frame < clock.frame),
                      0,
                  );
        if (index < 0) return this.say(`This is the last of ${shots.length} shots.`);
        clock.seekFrame(Math.min(frames[index], this.frames.count - 1));
        this.say(this.shotText(index));
    }

    describe(time) {
        const around = ({ start, end }) => time >= start && time < end;
        const shot = this.shots.length > 1 ? this.shots.findIndex(around) : -1;
        const where = shot < 0 ? [] : [`shot ${shot + 1} of ${this.shots.length}`];
        if (this.blind) return ["model hidden", ...where].join(", ");
        const index = this.predicted.findIndex(around);
        const missing = Object.entries(this.unscored).flatMap(([stream, found]) => {
            const stretch = found.find(around);
            return stretch ? [`${STREAM_LABELS[stream]} not scored: ${reasonText(stretch)}`] : [];
        });
        return [
            index < 0 ? "outside flagged intervals" : `inside interval ${index + 1}`,
            ...missing,
            ...where,
        ].join(", ");
    }

    // -- the threshold of the display; the verdict keeps its own --

    setThreshold(value) {
        if (!this.finder || !Number.isFinite(value)) return;
        this.threshold = Math.round(Math.min(Math.max(value, 0.01), 1) * 1000) / 1000;
        const own = { ...this.payload.thresholds, fused: this.threshold };
        this.predicted = withIds(
            "P",
            this.threshold === this.calibrated
                ? this.payload.intervals
                : this.finder.intervals(own),
        );
        this.follow();
        this.changed();
    }

    // Untouched, E is a copy of P.
    follow() {
        if (!this.store.pristine || this.blind) return;
        this.store.doc = annotation.copyOf(annotation.empty(), this.predicted, this.frames);
        this.match = null;
    }

    // -- comparison: what lane `claim` says, compared with lane `reference`; null where there is nothing to compare with --

    get comparable() {
        return !this.blind && (this.reference !== "G" || this.truth !== null);
    }

    compare(claim, reference) {
        Object.assign(this, { claim, reference });
        this.changed();
    }

    comparison() {
        if (this.match || !this.comparable) return this.match;
        const [claims, truth] = [this.claims(this.claim), this.claims(this.reference)];
        const { found, missed } = match(claims, truth, this.alpha);
        const kinds = new Map(
            claims.map(({ id }, index) => [
                id,
                { ...found[index], truth: truth[found[index].truth] ?? null },
            ]),
        );
        this.match = { claims, truth, kinds, missed: new Set(missed.map((at) => truth[at].id)) };
        return this.match;
    }

    // The claim and the true segment that the selection is about, or null.
    pair() {
        const found = this.comparison();
        const { selected, selection } = this;
        if (!found || !selected) return null;
        const own =
            selection.lane === this.claim
                ? [[selected.id, found.kinds.get(selected.id)]]
                : selection.lane === this.reference
                  ? [...found.kinds]
                        .filter(([, kind]) => kind.truth?.id === selected.id)
                        .sort(([, a], [, b]) => b.tiou - a.tiou)
                  : [];
        const [[id, kind] = []] = own;
        return kind?.truth
            ? { claim: found.claims.find((one) => one.id === id), truth: kind.truth, ...kind }
            : null;
    }

    tiou(item, lane) {
        if (!this.comparable) return null;
        const others = this.claims(lane === this.reference ? this.claim : this.reference);
        return Math.max(0, ...others.map((other) => tiou(item, other)));
    }

    // Goes to the next stretch of at least half a frame that only one side flags.
    nextDisagreement() {
        if (!this.comparable)
            return this.say(
                "There is no ground truth to disagree with: draw it in lane G or load a file.",
            );
        const least = (0.5 * this.frames.end) / this.frames.count;
        const found = disagreements(this.claims(this.claim), this.claims(this.reference)).filter(
            ({ start, end }) => end - start >= least,
        );
        if (!found.length) return this.say(`${this.claim} and ${this.reference} agree everywhere.`);
        const frame = ({ start }) => Math.min(this.frames.edge(start), this.frames.count - 1);
        const next = found.find((one) => frame(one) > this.clock.frame) ?? found[0];
        this.clock.seekFrame(frame(next));
        this.say(
            `Disagreement ${found.indexOf(next) + 1} of ${found.length}: only ${next.only === "first" ? this.claim : this.reference} flags ${(next.end - next.start).toFixed(2)} s.`,
        );
    }

    // -- editing: `change(doc, lane, id)` answers the next document, or null when it can't be done --

    edit(action, change, refusal = CROSSED) {
        const target = this.target();
        if (!target)
            return (this.say("Select an interval first (↑ ↓), or begin one with I."), false);
        const next = change(target.doc, target.lane, target.id);
        if (!next) return (this.say(refusal), false);
        this.selection = { lane: target.lane, id: target.id };
        this.lane = target.lane;
        this.store.apply(action, next);
        return true;
    }

    // The selection, or what stands for it in lane E: model and truth files are never edited.
    target() {
        const { selection, selected, doc } = this;
        if (!selected) return null;
        if (this.editable(selection.lane)) return { ...selection, doc };
        const [best] = this.items("E")
            .map((one) => ({ id: one.id, tiou: tiou(one, selected) }))
            .filter((one) => one.tiou > 0)
            .sort((a, b) => b.tiou - a.tiou);
        if (best) return { lane: "E", id: best.id, doc };
        const { stream, score = null } = selected;
        const made = annotation.create(doc, "E", this.frames.span(selected.start, selected.end), {
            stream,
            score,
            origin: selection.lane === "P" ? "proposal" : "file",
            status: "adjusted",
        });
        return { lane: "E", id: annotation.newest(made, "E"), doc: made };
    }

    create(start, end, lane = this.editable(this.lane) ? this.lane : "E") {
        const next = annotation.create(this.doc, lane, this.frames.span(start, end));
        this.selection = { lane, id: annotation.newest(next, lane) };
        this.lane = lane;
        this.store.apply("drew an interval", next);
    }

    // Start or end at the cursor: the frame that is seen is the first, or the last, of the interval.
    mark(edge) {
        const { frames, clock } = this;
        const time = frames.time(clock.frame + (edge === "end" ? 1 : 0));
        if (this.selected) return this.moveEdge(edge, time);
        if (edge === "start") this.create(time, Math.min(time + NEW_S, frames.end));
        else this.create(Math.max(time - NEW_S, 0), time);
    }

    moveEdge(edge, time) {
        if (
            this.edit(`moved ${edge}`, (doc, lane, id) =>
                annotation.moveEdge(doc, lane, id, edge, time, this.frames),
            )
        )
            this.sayEdge(edge);
    }

    nudge(edge, steps) {
        if (
            this.edit(`moved ${edge}`, (doc, lane, id) =>
                annotation.nudge(doc, lane, id, edge, steps, this.frames),
            )
        )
            this.sayEdge(edge);
    }

    sayEdge(edge) {
        const time = this.selected[edge];
        this.say(`Interval's ${edge}: ${time.toFixed(3)} s, frame ${this.frames.edge(time)}.`);
    }

    split() {
        const time = this.frames.time(this.clock.frame);
        return this.edit(
            "split an interval",
            (doc, lane, id) => annotation.split(doc, lane, id, time, this.frames),
            "To split an interval, place the cursor inside it.",
        );
    }

    merge() {
        return this.edit(
            "merged two intervals",
            annotation.mergeNext,
            "There is no next interval to merge with.",
        );
    }

    remove() {
        return this.edit("deleted an interval", annotation.remove);
    }

    set(fields, action) {
        return this.edit(action, (doc, lane, id) => annotation.change(doc, lane, id, fields));
    }

    judge(status) {
        return this.set({ status }, `${status} an interval`);
    }

    // -- labelling without seeing the model --

    setBlind(blind) {
        this.selection = null;
        this.lane = blind ? "E" : this.lane;
        this.store.apply(
            blind
                ? "began to label without seeing the model"
                : "was done labelling without seeing the model",
            blind ? { ...this.doc, E: [], blind } : { ...this.doc, blind },
        );
    }

    // Back to a copy of the prediction, with no drawn truth; undo takes it back.
    startOver() {
        const { author, created, history } = this.doc;
        this.selection = null;
        this.store.apply("started over", {
            ...annotation.copyOf(annotation.empty(), this.predicted, this.frames),
            author,
            created,
            history,
        });
    }

    // Takes the annotation of a file into lane E, or into G as drawn truth.
    take(json, lane) {
        const read = annotation.fromJson(json);
        this.selection = null;
        this.lane = lane;
        this.store.apply(`imported ${json.media?.name ?? "a file"}`, {
            ...this.doc,
            [lane]: read.E,
        });
        const other =
            json.media?.sha256 && this.payload.sha256 && json.media.sha256 !== this.payload.sha256;
        this.say(
            `${read.E.length} intervals are now in lane ${lane}.${other ? " They were made for another file." : ""}`,
        );
    }

    // What the person holds to be forged becomes the truth to compare with; null takes drawn truth away.
    drawTruth(segments) {
        this.store.apply(
            segments ? "took the edit as ground truth" : "cleared the drawn ground truth",
            { ...this.doc, G: segments && segments.filter(({ status }) => status !== "rejected") },
        );
    }
}

function withIds(lane, spans) {
    return spans.map((span, index) => ({ letter: "", ...span, id: `${lane}${index + 1}` }));
}
