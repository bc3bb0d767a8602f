// Scores and a threshold -> the intervals that are shown: the rule of deeploc/postprocess.py (to_timeline) and of
// deeploc/localizer.py (which stream an interval is given to). Steps without a score are null. Knows no page.

import { LETTERS } from "../core/streams.js";

export const RULE = { smoothing_s: 0.08, merge_gap_s: 0.2, min_length_s: 0.2 };
const SLACK = 1e-6;

// Gaussian mean of the scored neighbours, sigma in steps; null stays null.
export function smooth(values, sigma) {
    const radius = Math.ceil(3 * sigma);
    if (!radius) return values;
    const kernel = Array.from({ length: 2 * radius + 1 }, (_, at) =>
        Math.exp(-0.5 * ((at - radius) / sigma) ** 2),
    );
    return values.map((value, index) => {
        if (value === null) return null;
        let total = 0,
            weight = 0;
        for (let at = 0; at < kernel.length; at++) {
            const near = values[index + at - radius] ?? null;
            if (near === null) continue;
            total += kernel[at] * near;
            weight += kernel[at];
        }
        return total / weight;
    });
}

// The spans [start, end) of true steps.
export function runs(on) {
    const found = [];
    on.forEach((is, index) => {
        if (is && !on[index - 1]) found.push([index, index + 1]);
        else if (is) found.at(-1)[1] = index + 1;
    });
    return found;
}

// The disjoint spans of steps whose smoothed score is at least the threshold, `curve` being smoothed already.
function timelineOf(curve, rate, threshold, rule) {
    const on = curve.map((value) => value !== null && value >= threshold);
    const solid = runs(on).filter(
        ([start, end]) => end - start >= rule.min_length_s * rate - SLACK,
    );
    const gaps = runs(on.map((is, index) => !is && curve[index] !== null));
    for (const [start, end] of gaps) {
        const short = end - start < rule.merge_gap_s * rate - SLACK;
        if (short && start > 0 && end < on.length) on.fill(on[start - 1] && on[end], start, end);
    }
    return runs(on).filter(([start, end]) =>
        solid.some(([from, to]) => from >= start && to <= end),
    );
}

export function toTimeline(values, rate, threshold, rule = {}) {
    const whole = { ...RULE, ...rule };
    return timelineOf(smooth(values, whole.smoothing_s * rate), rate, threshold, whole).map(
        ([start, end]) => ({ start: start / rate, end: end / rate }),
    );
}

const peak = (values, [start, end]) =>
    values
        .slice(start, end)
        .reduce((most, value) => (value === null ? most : Math.max(most, value)), -Infinity);

// Finds intervals again and again while the threshold moves: the smoothing is done once.
export class IntervalFinder {
    // curves: {visual, audio, fused}, the scores by step that decide; rule: settings.postprocess of the report.
    constructor(curves, rate, rule = RULE) {
        Object.assign(this, {
            curves,
            rate,
            rule,
            smoothed: smooth(curves.fused, rule.smoothing_s * rate),
        });
    }

    // Each interval goes to the one stream whose own score reaches its threshold in it, else to both.
    intervals(thresholds) {
        return timelineOf(this.smoothed, this.rate, thresholds.fused, this.rule).map((span) => {
            const above = ["visual", "audio"].filter(
                (stream) =>
                    this.curves[stream] && peak(this.curves[stream], span) >= thresholds[stream],
            );
            const stream = above.length === 1 ? above[0] : "fused";
            return {
                start: span[0] / this.rate,
                end: span[1] / this.rate,
                stream,
                letter: LETTERS[stream],
                score: peak(this.curves.fused, span),
            };
        });
    }

    // Where the smoothed score passes the threshold, in seconds: what edges snap to.
    crossings(threshold) {
        return runs(this.smoothed.map((value) => value !== null && value >= threshold))
            .flat()
            .map((step) => step / this.rate);
    }
}
