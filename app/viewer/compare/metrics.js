// One clip's intervals compared with the truth: which match, what kind each miss is, and the metrics of this clip.
// Spans are {start, end} in seconds, half-open. AP and AR are those of deeploc/metrics.py for a single clip.

export const NEAR = 0.1; // a prediction below the wanted tIoU, but above this, is a localisation error
export const AP_TIOUS = [0.5, 0.75, 0.9, 0.95];
export const AR_COUNTS = [10, 20, 50, 100];
const AR_TIOUS = Array.from({ length: 10 }, (_, step) => Math.fround(0.5 + 0.05 * step));

export const overlap = (a, b) => Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start));

export function tiou(a, b) {
    return overlap(a, b) / (Math.max(a.end, b.end) - Math.min(a.start, b.start));
}

// Greedy by score: each prediction takes the unused true segment that it covers best, at a tIoU of at least `alpha`.
// -> {found: [{kind: "TP" | "LOC" | "DUP" | "FP", truth: index | null, tiou}], missed: [index]}, in the given order.
export function match(predictions, truth, alpha) {
    const used = new Set();
    const found = predictions.map(() => null);
    const order = predictions
        .map((_, index) => index)
        .sort((a, b) => (predictions[b].score ?? 0) - (predictions[a].score ?? 0) || a - b);
    for (const index of order) {
        const near = truth
            .map((segment, at) => ({ truth: at, tiou: tiou(predictions[index], segment) }))
            .sort((a, b) => b.tiou - a.tiou || a.truth - b.truth);
        const good = near.filter((pair) => pair.tiou >= alpha);
        const free = good.find((pair) => !used.has(pair.truth));
        if (free) used.add(free.truth);
        const best = free ?? near[0];
        const kind = free ? "TP" : good.length ? "DUP" : best && best.tiou >= NEAR ? "LOC" : "FP";
        found[index] = {
            kind,
            truth: kind === "FP" ? null : best.truth,
            tiou: best ? best.tiou : 0,
        };
    }
    return { found, missed: truth.map((_, at) => at).filter((at) => !used.has(at)) };
}

// Joins what overlaps or touches.
export function union(spans) {
    const joined = [];
    for (const { start, end } of [...spans].sort((a, b) => a.start - b.start || a.end - b.end)) {
        const last = joined.at(-1);
        if (last && start <= last.end + 1e-6) last.end = Math.max(last.end, end);
        else joined.push({ start, end });
    }
    return joined;
}

// tIoU of each proposal with each true segment, in float32 as the library has it.
function overlaps32(proposals, truth) {
    const f = Math.fround;
    return proposals.map((p) =>
        truth.map((g) => {
            const [start, end, from, to] = [p.start, p.end, g.start, g.end].map(f);
            const shared = Math.max(0, f(Math.min(end, to) - Math.max(start, from)));
            return f(shared / f(Math.max(end, to) - Math.min(start, from)));
        }),
    );
}

const byScore = (proposals) => [...proposals].sort((a, b) => b.score - a.score);

// AP at one tIoU over all proposals of the clip; null without a true segment.
export function averagePrecision(proposals, truth, alpha) {
    if (!truth.length) return null;
    const ious = overlaps32(byScore(proposals), truth);
    const hits = ious.map(() => false);
    truth.forEach((_, column) => {
        const first = ious.findIndex(
            (row, index) => !hits[index] && row[column] > Math.fround(alpha),
        );
        if (first >= 0) hits[first] = true;
    });
    let best = 0,
        total = 0,
        count = hits.filter(Boolean).length;
    for (let rank = hits.length - 1; rank >= 0; rank--) {
        if (!hits[rank]) continue;
        best = Math.max(best, count-- / (rank + 1));
        total += best;
    }
    return total / truth.length;
}

// AR at the n best proposals, the mean over tIoU 0.50, 0.55, ... 0.95; null without a true segment.
export function averageRecall(proposals, truth, n) {
    if (!truth.length) return null;
    const ious = overlaps32(byScore(proposals).slice(0, n), truth);
    const found = truth.map((_, column) => {
        const best = Math.max(0, ...ious.map((row) => row[column]));
        return AR_TIOUS.filter((wanted) => best > wanted).length;
    });
    return found.reduce((sum, value) => sum + value, 0) / AR_TIOUS.length / truth.length;
}

// ROC AUC of steps whose middle is forged against the others, ties counting half; null unless both kinds are scored.
export function frameAuc(values, rate, truth) {
    const steps = values
        .map((value, index) => ({ value, middle: (index + 0.5) / rate }))
        .filter(({ value }) => value !== null)
        .map(({ value, middle }) => ({
            value,
            forged: truth.some(({ start, end }) => middle >= start && middle < end),
        }))
        .sort((a, b) => a.value - b.value);
    let below = 0,
        wins = 0,
        forged = 0;
    for (let at = 0; at < steps.length; ) {
        let end = at,
            own = 0;
        while (end < steps.length && steps[end].value === steps[at].value)
            own += steps[end++].forged ? 1 : 0;
        const authentic = end - at - own;
        wins += own * (below + authentic / 2);
        below += authentic;
        forged += own;
        at = end;
    }
    return forged && below ? wins / (forged * below) : null;
}

// Where exactly one of two sets of spans flags: {start, end, only: "first" | "second"}, sorted.
export function disagreements(first, second) {
    const [one, two] = [union(first), union(second)];
    const minus = (spans, others, only) =>
        spans.flatMap((span) => {
            let rest = [span];
            for (const other of others) {
                rest = rest.flatMap(({ start, end }) =>
                    [
                        { start, end: Math.min(end, other.start) },
                        { start: Math.max(start, other.end), end },
                    ].filter((part) => part.end - part.start > 1e-6),
                );
            }
            return rest.map((part) => ({ ...part, only }));
        });
    return [...minus(one, two, "first"), ...minus(two, one, "second")].sort(
        (a, b) => a.start - b.start,
    );
}

// Seconds that are flagged without being true, by the minute of clip.
export function falseAlarmRate(predictions, truth, duration) {
    const seconds = disagreements(predictions, truth)
        .filter(({ only }) => only === "first")
        .reduce((sum, { start, end }) => sum + end - start, 0);
    return (seconds / duration) * 60;
}
