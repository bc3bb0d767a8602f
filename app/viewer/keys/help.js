// The list of keys, as a dialog in which each of them can be changed.

import { make } from "../core/dom.js";
import { KEYS, nameOf } from "./keys.js";

const SIGNS = {
    ArrowLeft: "←",
    ArrowRight: "→",
    ArrowUp: "↑",
    ArrowDown: "↓",
    Escape: "Esc",
    PageUp: "Page up",
    PageDown: "Page down",
};
const HELD = ["Shift", "Control", "Alt", "Meta", "AltGraph", "Tab"];
const shown = (name) => name.split(/\+(?=.)/).map((part) => SIGNS[part] ?? part);

export class Help {
    constructor(keymap) {
        this.keymap = keymap;
        this.groups = make("div", { class: "dl-help-groups" });
        this.element = make(
            "dialog",
            { class: "dl-help", "aria-label": "Keys" },
            make(
                "div",
                { class: "dl-table-head" },
                make("h3", { text: "Keys, while the viewer has the focus" }),
                make("button", {
                    type: "button",
                    class: "dl-small",
                    text: "All as they were",
                    onclick: () => {
                        keymap.set(null);
                        this.draw();
                    },
                }),
                make("button", {
                    type: "button",
                    class: "dl-small",
                    text: "Close",
                    onclick: () => this.element.close(),
                }),
            ),
            make("p", {
                class: "dl-none",
                text: "Click a key, then press another one to use it instead.",
            }),
            this.groups,
            make("p", {
                class: "dl-none",
                text: "While you drag an edge it snaps to frames, to the cursor, to where the curve crosses the threshold, to edges of the other lanes and to where shots begin; hold Alt to place it freely.",
            }),
        );
        this.element.addEventListener("click", (event) => {
            if (event.target === this.element) this.element.close();
        });
    }

    draw() {
        const groups = [...new Set(KEYS.map(([group]) => group))];
        this.groups.replaceChildren(
            ...groups.map((group) =>
                make(
                    "section",
                    {},
                    make("h3", { text: group }),
                    make(
                        "dl",
                        {},
                        ...KEYS.filter(([own]) => own === group).flatMap((entry) =>
                            this.entry(entry),
                        ),
                    ),
                ),
            ),
        );
    }

    entry(entry) {
        const names = this.keymap.names(entry);
        const keys = names.flatMap((name, index) => [
            index ? " or " : "",
            ...shown(name).map((part) => make("kbd", { text: part })),
        ]);
        const button = make(
            "button",
            { type: "button", "aria-label": `Change the key: ${entry[2]}` },
            ...(names.length ? keys : ["none"]),
        );
        button.addEventListener("click", () => {
            button.replaceChildren("press a key");
            button.classList.add("dl-waits");
        });
        button.addEventListener("keydown", (event) => {
            if (!button.classList.contains("dl-waits") || HELD.includes(event.key)) return;
            event.preventDefault();
            const name = nameOf(event);
            if (name && name !== "Escape") this.keymap.set(entry, name);
            this.draw();
            this.groups
                .querySelector(`[aria-label="${button.getAttribute("aria-label")}"]`)
                .focus();
        });
        button.addEventListener("blur", () => {
            if (button.classList.contains("dl-waits")) this.draw();
        });
        return [make("dt", {}, button), make("dd", { text: entry[2] })];
    }

    open() {
        if (this.element.open) return;
        this.draw();
        this.element.showModal();
    }
}
