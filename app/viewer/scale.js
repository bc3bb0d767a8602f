// Seconds <-> pixels for everything that shares the time axis, with the zoom window.

export const MARGIN = { left: 44, right: 40 };

export class TimeScale {
    constructor(duration) {
        this.duration = duration;
        this.width = 0;
        this.listeners = new Set();
        [this.start, this.end] = [0, duration];
    }

    onChange(listener) { this.listeners.add(listener); }

    changed() { for (const listener of this.listeners) listener(); }

    resize(width) {
        if (width === this.width || width <= MARGIN.left + MARGIN.right) return;
        this.width = width;
        this.changed();
    }

    zoom(start, end) {
        [this.start, this.end] = [Math.max(0, start), Math.min(this.duration, end)];
        this.changed();
    }

    fit() { this.zoom(0, this.duration); }

    get zoomed() { return this.start > 0 || this.end < this.duration; }

    get plot() { return this.width - MARGIN.left - MARGIN.right; }

    x(time) { return MARGIN.left + (time - this.start) / (this.end - this.start) * this.plot; }

    time(x) {
        const time = this.start + (x - MARGIN.left) / this.plot * (this.end - this.start);
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
