// Seconds <-> source frames, for edges: edge k is where frame k begins, the last edge is the end of the clip.

// The index of the value that is nearest to `time` in a sorted, non-empty list; the lower one when two are.
export function nearest(times, time) {
    let low = 0,
        high = times.length - 1;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (times[middle] < time) low = middle + 1;
        else high = middle;
    }
    return low > 0 && time - times[low - 1] <= times[low] - time ? low - 1 : low;
}

export class FrameTimes {
    // pts: when each source frame begins, in seconds, sorted; never empty.
    constructor(pts, duration) {
        this.count = pts.length;
        this.edges = [...pts, Math.max(duration, pts.at(-1) + 0.001)];
    }

    get end() {
        return this.edges.at(-1);
    }

    time(edge) {
        return this.edges[Math.min(Math.max(edge, 0), this.count)];
    }

    edge(time) {
        return nearest(this.edges, time);
    }

    // The edge `steps` frames away from a time that may lie between two edges.
    step(time, steps) {
        const near = this.edge(time);
        const off =
            Math.abs(this.edges[near] - time) > 1e-4 ? Math.sign(time - this.edges[near]) : 0;
        const lost = off && Math.sign(steps) === -off ? Math.sign(steps) : 0; // the near edge is itself one step away
        return this.time(near + steps - lost);
    }

    // A span in seconds with its frames, half-open: at least one frame, within the clip.
    span(start, end) {
        const round = (time) => Math.round(Math.min(Math.max(time, 0), this.end) * 1e6) / 1e6;
        const first = Math.min(this.edge(start), this.count - 1);
        const last = Math.max(this.edge(end), first + 1);
        return {
            start_s: round(start),
            end_s: round(end > start ? end : this.time(last)),
            start_frame: first,
            end_frame: last,
        };
    }
}
