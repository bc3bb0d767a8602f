// Seconds <-> pixels for everything that shares the time axis, with the zoom window.

export const MARGIN = { left: 44, right: 40 };
const SHORTEST_S = 0.2; // of the window

export class TimeScale {
    constructor(duration) {
        this.duration = duration;
        this.width = 0;
        this.listeners = new Set();
        [this.start, this.end] = [0, duration];
    }

    onChange(listener) {
        this.listeners.add(listener);
    }

    changed() {
        for (const listener of this.listeners) listener();
    }

    resize(width) {
        if (width === this.width || width <= MARGIN.left + MARGIN.right) return;
        this.width = width;
        this.changed();
    }

    zoom(start, end) {
        [this.start, this.end] = [Math.max(0, start), Math.min(this.duration, end)];
        this.changed();
    }

    // A window of `length` seconds from `start` on, moved into the clip.
    show(start, length) {
        const long = Math.min(Math.max(length, Math.min(SHORTEST_S, this.duration)), this.duration);
        const from = Math.min(Math.max(start, 0), this.duration - long);
        this.zoom(from, from + long);
    }

    // Makes everything `factor` times wider; `time` stays where it is on the screen.
    zoomAt(time, factor) {
        const inside = Math.min(Math.max(time, this.start), this.end);
        const share = (inside - this.start) / this.length;
        const length = Math.min(Math.max(this.length / factor, SHORTEST_S), this.duration);
        this.show(inside - share * length, length);
    }

    zoomIn(time) {
        this.zoomAt(time, 2);
    }

    zoomOut(time) {
        this.zoomAt(time, 0.5);
    }

    pan(seconds) {
        this.show(this.start + seconds, this.length);
    }

    // Turns the page, so that a time is in sight.
    follow(time) {
        if (this.zoomed && (time < this.start || time >= this.end))
            this.show(time - this.length * 0.1, this.length);
    }

    fit() {
        this.zoom(0, this.duration);
    }

    get length() {
        return this.end - this.start;
    }

    get zoomed() {
        return this.start > 0 || this.end < this.duration;
    }

    get plot() {
        return this.width - MARGIN.left - MARGIN.right;
    }

    x(time) {
        return MARGIN.left + ((time - this.start) / (this.end - this.start)) * this.plot;
    }

    time(x) {
        const time = this.start + ((x - MARGIN.left) / this.plot) * (this.end - this.start);
        return Math.min(Math.max(time, this.start), this.end);
    }
}

// Puts elements with `span = {start, end}` where their seconds are; what is out of sight is hidden.
export function place(elements, scale) {
    for (const element of elements) {
        const { start, end } = element.span;
        const left = scale.x(Math.max(start, scale.start));
        const right = scale.x(Math.min(end, scale.end));
        element.hidden = right <= left;
        element.style.left = `${left}px`;
        element.style.width = `${Math.max(right - left, 3)}px`;
    }
}
