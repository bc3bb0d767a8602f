// Keeps the annotation: undo and redo, and a copy in the browser's own storage, by the sha256 of the file.

import { empty, fromJson, noted, toJson } from "./annotation.js";

const DEPTH = 500;

// The steps behind each copy, for as long as the page is open: a clip that is shown again can be undone as before.
const steps = new Map();

export class AnnotationStore {
    // storage: like localStorage, or null; about() -> {media, model, threshold}. Without media.sha256 nothing is kept.
    constructor(about, storage) {
        Object.assign(this, {
            about,
            storage,
            doc: empty(),
            past: [],
            future: [],
            stored: true,
            listeners: new Set(),
        });
    }

    onChange(listener) {
        this.listeners.add(listener);
    }

    get key() {
        const { sha256 } = this.about().media;
        return sha256 ? `deeploc-annotation:${sha256}` : null;
    }

    get pristine() {
        return !this.past.length && !this.doc.history.length;
    }

    // One step that undo takes back. A null document changes nothing; answers whether something changed.
    apply(action, doc) {
        if (!doc || doc === this.doc) return false;
        this.past = [...this.past.slice(-DEPTH), this.doc];
        this.future = [];
        this.set(noted(doc, action));
        return true;
    }

    // A document that is not the person's work: no step, not saved.
    begin(doc) {
        this.doc = doc;
        this.changed();
    }

    undo() {
        this.swap("past", "future");
    }

    redo() {
        this.swap("future", "past");
    }

    swap(from, to) {
        if (!this[from].length) return;
        const doc = this[from].at(-1);
        this[to] = [...this[to], this.doc];
        this[from] = this[from].slice(0, -1);
        this.set(doc);
    }

    set(doc) {
        this.doc = doc;
        this.save();
        this.changed();
    }

    changed() {
        for (const listener of this.listeners) listener();
    }

    save() {
        if (!this.key || !this.storage) return;
        const { G, blind } = this.doc;
        try {
            if (this.pristine) this.storage.removeItem(this.key);
            else {
                const text = JSON.stringify({
                    annotation: toJson(this.doc, this.about()),
                    drawn: G && toJson(this.doc, this.about(), "G"),
                    blind,
                });
                this.storage.setItem(this.key, text);
                steps.set(this.key, { text, doc: this.doc, past: this.past, future: this.future });
            }
            this.stored = true;
        } catch {
            this.stored = false; // storage is full or forbidden: the page says so
        }
    }

    // The copy of an earlier visit, or false. What can't be read is left alone.
    restore() {
        try {
            const text = this.storage?.getItem(this.key ?? "") ?? "null";
            const left = steps.get(this.key);
            if (left?.text === text) {
                Object.assign(this, { past: left.past, future: left.future });
                this.begin(left.doc);
                return true;
            }
            const saved = JSON.parse(text);
            if (!saved) return false;
            const G = saved.drawn && fromJson(saved.drawn).E;
            this.begin({ ...fromJson(saved.annotation), G, blind: saved.blind === true });
            return true;
        } catch {
            return false;
        }
    }
}
