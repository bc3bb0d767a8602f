// What a screen reader is told while the cursor moves: politely, and not more often than it can be heard.

import { make } from "./dom.js";

const EVERY_MS = 1500;

// intervals(): the spans of lane P. Speaks when the cursor enters or leaves one, the last change at the latest.
export class Announcer {
    constructor(intervals, now = () => performance.now()) {
        Object.assign(this, { intervals, now, inside: -1, last: -Infinity, timer: 0 });
        this.element = make("p", { class: "dl-aloud", role: "status", "aria-live": "polite" });
    }

    tick(time) {
        const inside = this.intervals().findIndex(({ start, end }) => time >= start && time < end);
        if (inside === this.inside) return;
        const text =
            inside >= 0 ? `Entered interval ${inside + 1}.` : `Left interval ${this.inside + 1}.`;
        this.inside = inside;
        this.say(text);
    }

    say(text) {
        clearTimeout(this.timer);
        const wait = this.last + EVERY_MS - this.now();
        if (wait > 0) this.timer = setTimeout(() => this.say(text), wait);
        else {
            this.last = this.now();
            this.element.textContent = text;
        }
    }

    close() {
        clearTimeout(this.timer);
    }
}
