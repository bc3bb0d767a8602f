// Which samples lie under which pixels: everything that is drawn is drawn from the visible range alone.

// The step that was measured on the picture shown at a time (the middle of a source frame).
export const stepAt = (time, rate, steps) =>
    Math.min(Math.max(Math.floor(time * rate + 1e-6), 0), steps - 1);

// For each of `width` pixels of [start, end) seconds the samples [from, to) under it, at least one;
// where the data has ended, from = to.
export function columns(start, end, width, rate, length) {
    return Array.from({ length: width }, (_, x) => {
        const from = Math.floor((start + (x / width) * (end - start)) * rate + 1e-6);
        const to = Math.max(
            from + 1,
            Math.floor((start + ((x + 1) / width) * (end - start)) * rate + 1e-6),
        );
        return [Math.min(Math.max(from, 0), length), Math.min(Math.max(to, 0), length)];
    });
}

// A curve's points inside [start, end], one more at each side; where there are more than two a pixel,
// the lowest and the highest of each bucket, in their order. Unscored stays null.
export function windowed(values, rate, start, end, pixels) {
    const first = Math.max(0, Math.floor(start * rate) - 1);
    const last = Math.min(values.length, Math.ceil(end * rate) + 1);
    const size = Math.ceil((last - first) / Math.max(1, pixels));
    const picked = size <= 2 ? range(first, last) : buckets(values, first, last, size);
    return {
        x: picked.map((index) => (index + 0.5) / rate),
        y: picked.map((index) => values[index]),
    };
}

const range = (from, to) =>
    Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);

function buckets(values, first, last, size) {
    const picked = [];
    for (let from = first; from < last; from += size) {
        let low = -1,
            high = -1,
            hole = -1;
        for (let index = from; index < Math.min(from + size, last); index++) {
            if (values[index] === null) hole = index;
            else {
                if (low < 0 || values[index] < values[low]) low = index;
                if (high < 0 || values[index] > values[high]) high = index;
            }
        }
        picked.push(
            ...[...new Set([low, high, hole])].filter((index) => index >= 0).sort((a, b) => a - b),
        );
    }
    return picked;
}

// A map of `rows` values a step -> one packed value for each pixel column and row: the mean of what is
// known under it, `nothing` where nothing is. Row 0 is drawn at the top.
export function pooled(map, rows, spans, nothing) {
    const found = new Uint8Array(spans.length * rows);
    spans.forEach(([from, to], x) => {
        for (let row = 0; row < rows; row++) {
            let sum = 0,
                count = 0;
            for (let step = from; step < to; step++) {
                const value = map[step * rows + row];
                if (value !== nothing) {
                    sum += value;
                    count += 1;
                }
            }
            found[row * spans.length + x] = count ? Math.round(sum / count) : nothing;
        }
    });
    return found;
}

// Runs of steps of which no row was scored, in seconds.
export function unscored(map, rows, rate, nothing) {
    const found = [];
    for (let step = 0; step < map.length / rows; step++) {
        if (map.subarray(step * rows, (step + 1) * rows).some((value) => value !== nothing))
            continue;
        const last = found.at(-1);
        if (last && last.to === step) last.to = step + 1;
        else found.push({ from: step, to: step + 1 });
    }
    return found.map(({ from, to }) => ({ start: from / rate, end: to / rate }));
}

// The box of a track at a time, between the two that were sent around it; null where it is unseen.
export function boxAt({ first, rate, boxes }, time, noBox) {
    const box = (index) => {
        const four = Array.from(boxes.subarray(4 * index, 4 * index + 4));
        return index < 0 || four.length < 4 || four[0] === noBox ? null : four;
    };
    const at = time * rate - first;
    const before = Math.floor(at),
        share = at - before;
    const [one, other] = [box(before), box(before + 1)];
    if (!one || !other) return share < 0.5 ? one : other;
    return one.map((value, index) => value + (other[index] - value) * share);
}
